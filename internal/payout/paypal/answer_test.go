package paypal_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

const batchID = "LXVBBMVWA2GK6"

// refusal is an error document of PayPal.
func refusal(name string, more ...string) string {
	return fmt.Sprintf(`{"name":%q,"message":"m","debug_id":"53d95c3d17ae5"%s}`, name, strings.Join(more, ""))
}

// duplicate is PayPal's answer to a duplicate, as it was seen in its sandbox.
func duplicate(href string) string {
	return refusal("USER_BUSINESS_ERROR", `,"details":[{"field":"SENDER_BATCH_ID","location":"body",`+
		`"issue":"Batch with given sender_batch_id already exists","link":[{"href":"`+href+`","rel":"self","method":"GET"}]}],"links":[]`)
}

// created is PayPal's answer to a new batch.
func created(sender string) string {
	return `{"batch_header":{"payout_batch_id":"` + batchID + `","batch_status":"PENDING","sender_batch_header":{"sender_batch_id":"` + sender + `"}}}`
}

func TestSendPostsTheFrozenBytesOnce(t *testing.T) {
	t.Parallel()

	s := newStub(t, http.StatusCreated, created(key))
	p := newProvider(t, config(s.url))
	require.Equal(t, payout.Outcome{
		Class: payout.ClassAccepted, Reference: batchID, Detail: "PayPal has accepted it and pays it later",
	}, p.Send(t.Context(), prepared(t, p)))

	got := s.only(t)
	require.Equal(t, http.MethodPost, got.method)
	require.Equal(t, "/v1/payments/payouts", got.uri)
	require.Equal(t, wantBody, got.body)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, "Bearer "+tokenPrefix, got.header.Get("Authorization"))
	require.Equal(t, key, got.header.Get("PayPal-Request-Id"))
}

// TestAnswersToAPayout is the table of docs/providers/paypal.md.
func TestAnswersToAPayout(t *testing.T) {
	t.Parallel()

	accepted := payout.Outcome{Class: payout.ClassAccepted, Reference: batchID}
	refused := payout.Outcome{Class: payout.ClassRefused}
	denied := payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Denied}
	throttled := payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Throttled}
	unknown := payout.Outcome{Class: payout.ClassUnknown}
	const href = "https://api.sandbox.paypal.com/v1/payments/payouts/" + batchID
	for _, c := range []struct {
		status int
		body   string
		want   payout.Outcome
	}{
		{201, created(key), accepted},
		{201, created("another"), accepted}, // What the look-up finds then is another's batch.
		{201, `{"batch_header":{"payout_batch_id":"` + batchID + `"}}`, accepted},
		{201, strings.Replace(created(key), "PENDING", "DENIED", 1), accepted},
		{200, created(key), accepted},
		{200, created("another"), unknown},
		{201, `{"batch_header":{"batch_status":"PENDING"}}`, unknown},
		{201, `{"batch_header":{"payout_batch_id":"../../etc"}}`, unknown},
		{201, `{"batch_header":{"payout_batch_id":5}}`, unknown},
		{201, created(key)[:40], unknown},
		{201, created(key) + "x", unknown},
		{201, ``, unknown},
		{202, created(key), unknown},
		{204, ``, unknown},
		{302, created(key), unknown},

		{400, duplicate(href), accepted},
		{422, duplicate(href), accepted},
		{409, duplicate(href), accepted},
		{404, duplicate(href), unknown},
		{400, refusal("USER_BUSINESS_ERROR", `,"links":[{"href":"`+href+`","rel":"self"}]`), accepted},
		{400, refusal("ANYTHING", `,"links":[{"href":"`+href+`","rel":"self"},{"href":"`+href+`?page=1","rel":"x"}]`), accepted},
		{400, refusal("ANYTHING", `,"links":[{"href":"`+href+`","rel":"self"},{"href":"`+href+`2","rel":"x"}]`), unknown},
		{400, refusal("ANYTHING", `,"details":{"link":[{"href":"`+href+`"}]}`), unknown},
		{400, refusal("USER_BUSINESS_ERROR"), unknown},
		{400, refusal("USER_BUSINESS_ERROR", `,"details":[{"field":"SENDER_BATCH_ID","issue":"Duplicate batch request"}]`), unknown},
		{400, duplicate(href)[:200], unknown},
		{400, refusal("VALIDATION_ERROR", `,"details":[{"field":"sender_batch_header.sender_batch_id","issue":"x"}]`), unknown},
		{400, refusal("VALIDATION_ERROR", `,"details":[{"field":"items","issue":"DUPLICATE_REQUEST_ID"}]`), unknown},
		{409, refusal("RESOURCE_CONFLICT"), unknown},
		{409, refusal("VALIDATION_ERROR"), unknown},
		{408, refusal("REQUEST_TIMEOUT"), unknown},
		{408, refusal("INSUFFICIENT_FUNDS"), unknown},

		{400, refusal("VALIDATION_ERROR", `,"details":[{"field":"items[0].receiver","issue":"Receiver is invalid or does not match with type"}]`), refused},
		{400, refusal("VALIDATION_ERROR", `,"links":[{"href":"https://developer.paypal.com/docs/api/payments.payouts-batch/#errors","rel":"information_link"}]`), refused},
		{400, refusal("INVALID_REQUEST"), refused},
		{400, refusal("RECEIVER_UNREGISTERED"), refused},
		{422, refusal("RECEIVER_ACCOUNT_LOCKED"), refused},
		{422, refusal("UNPROCESSABLE_ENTITY"), refused},
		{404, refusal("RESOURCE_NOT_FOUND"), refused},
		{415, refusal("UNSUPPORTED_MEDIA_TYPE"), refused},
		{400, refusal("SOMETHING_NEW"), unknown},
		{400, `{"name":5}`, unknown},
		{400, `[]`, unknown},
		{400, `<html>`, unknown},
		{400, ``, unknown},
		{404, `<html>`, unknown},

		{422, refusal("INSUFFICIENT_FUNDS"), denied},
		{400, refusal("INSUFFICIENT_FUNDS"), denied},
		{422, refusal("UNPROCESSABLE_ENTITY", `,"details":[{"issue":"INSUFFICIENT_FUNDS"}]`), denied},
		{400, refusal("NON_HOLDING_CURRENCY"), denied},
		{400, refusal("SENDER_ACCOUNT_LOCKED"), denied},
		{403, refusal("SENDER_ACCOUNT_UNVERIFIED"), denied},
		{403, refusal("REQUIRED_SCOPE_MISSING"), denied},
		{403, `<html>`, denied},
		{401, refusal("AUTHENTICATION_FAILURE"), denied},
		{401, ``, denied},
		{429, refusal("RATE_LIMIT_REACHED"), throttled},
		{429, `<html>`, throttled},

		{500, refusal("INTERNAL_SERVICE_ERROR"), unknown},
		{500, duplicate(href), unknown},
		{500, refusal("VALIDATION_ERROR"), unknown},
		{503, refusal("INSUFFICIENT_FUNDS"), unknown},
		{503, ``, unknown},
		{504, refusal("REQUEST_TIMEOUT_EXCEEDED"), unknown},
	} {
		s := newStub(t, c.status, c.body)
		p := newProvider(t, config(s.url))
		out := p.Send(t.Context(), prepared(t, p))
		require.NotEmpty(t, out.Detail)
		requireSafe(t, out.Detail)
		out.Detail = ""
		require.Equal(t, c.want, out, "%d %s", c.status, c.body)
		s.only(t)
	}
}

func TestLinksToAnotherPlaceAreNotAdopted(t *testing.T) {
	t.Parallel()

	const path = "/v1/payments/payouts/" + batchID
	live, sandbox, gateway := "https://api-m.paypal.com", "https://api-m.sandbox.paypal.com", "https://paypal.gateway.example:8443"
	for _, c := range []struct {
		base, href string
		adopted    bool
	}{
		{live, "https://api-m.paypal.com" + path, true},
		{live, "https://api.paypal.com" + path, true},
		{live, "https://API.paypal.com" + path + "/", true},
		{live, "https://api.paypal.com" + path + "?page_size=1&page=1", true},
		{sandbox, "https://api.sandbox.paypal.com" + path, true},
		{gateway, "https://paypal.gateway.example:8443" + path, true},
		{gateway, "https://api.paypal.com" + path, true},
		{live, "https://api.sandbox.paypal.com" + path, false},
		{sandbox, "https://api.paypal.com" + path, false},
		{gateway, "https://paypal.gateway.example:9443" + path, false},
		{live, "http://api.paypal.com" + path, false},
		{live, "https://api.paypal.com.evil.example" + path, false},
		{live, "https://evil.example" + path, false},
		{live, "https://user@api.paypal.com" + path, false},
		{live, path, false},
		{live, "https://api.paypal.com/v1/payments/payouts", false},
		{live, "https://api.paypal.com/v1/payments/payouts/", false},
		{live, "https://api.paypal.com/v1/payments/payouts-item/" + batchID, false},
		{live, "https://api.paypal.com" + path + "/cancel", false},
		{live, "https://api.paypal.com/v2" + path, false},
		{live, "https://api.paypal.com/v1/payments/payouts/a%2Fb", false},
		{live, "https://api.paypal.com/v1/payments/payouts/" + strings.Repeat("A", 65), false},
		{live, ":", false},
	} {
		p := newProvider(t, config(c.base))
		out := p.JudgeForTest(key, http.StatusBadRequest, duplicate(c.href))
		if !c.adopted {
			require.Equal(t, payout.ClassUnknown, out.Class, "%s at %s", c.href, c.base)
			continue
		}
		require.Equal(t, payout.ClassAccepted, out.Class, "%s at %s", c.href, c.base)
		require.Equal(t, batchID, out.Reference)
	}
}

func TestPayPalsWordsAreKeptAndMadeSafe(t *testing.T) {
	t.Parallel()

	for issue, want := range map[string]string{
		"Receiver is invalid or does not match with type": "Receiver is invalid or does not match with type",
		"no <p@example.com>, or mail:p@example.com":       "no [...] or [...]",
		"see https://x.example/a or x.com/b":              "see [...] or [...]",
		"token " + strings.Repeat("t", 49) + " end":       "token [...] end",
		`two\n\twords\u0000here`:                          "two words here",
	} {
		s := newStub(t, http.StatusBadRequest, refusal("VALIDATION_ERROR", `,"details":[{"field":"items[0].receiver","issue":"`+issue+`"}]`))
		p := newProvider(t, config(s.url))
		require.Equal(t, "PayPal refused it (HTTP 400): VALIDATION_ERROR, "+want+" (PayPal's debug ID 53d95c3d17ae5)",
			p.Send(t.Context(), prepared(t, p)).Detail)
	}

	long := newStub(t, http.StatusBadRequest, refusal("VALIDATION_ERROR", `,"details":[{"issue":"`+strings.Repeat("\u00e4 ", 300)+`"}]`))
	p := newProvider(t, config(long.url))
	detail := p.Send(t.Context(), prepared(t, p)).Detail
	require.Less(t, len([]rune(detail)), 300)
}

func TestRetryAfterIsKept(t *testing.T) {
	t.Parallel()

	s := newStub(t, http.StatusTooManyRequests, refusal("RATE_LIMIT_REACHED"))
	s.header = map[string]string{"Retry-After": "90"}
	p := newProvider(t, config(s.url))
	require.Equal(t, 90*time.Second, p.Send(t.Context(), prepared(t, p)).RetryAfter)
	req := prepared(t, p)
	req.Reference = batchID
	require.Equal(t, 90*time.Second, p.Lookup(t.Context(), req).RetryAfter)
}

// PayPal takes a batch without a sender_batch_id and pays it every time.
func TestARequestWithoutItsKeyIsNeverSent(t *testing.T) {
	t.Parallel()

	s := newStub(t, http.StatusCreated, created(key))
	p := newProvider(t, config(s.url))
	for name, req := range map[string]payout.Request{
		"empty":            {Key: key},
		"no JSON":          {Key: key, Body: []byte(wantBody[:50])},
		"no key":           {Body: []byte(wantBody)},
		"another key":      {Key: "rf_1_1", Body: []byte(wantBody)},
		"no batch ID":      {Key: key, Body: []byte(strings.Replace(wantBody, `"sender_batch_id"`, `"sender_batch"`, 1))},
		"another item ID":  {Key: key, Body: []byte(strings.Replace(wantBody, `"sender_item_id":"rf_2429153_1"`, `"sender_item_id":"rf_1_1"`, 1))},
		"no items":         {Key: key, Body: []byte(`{"sender_batch_header":{"sender_batch_id":"rf_2429153_1"},"items":[]}`)},
		"a webhook's body": {Key: key, Body: []byte(`{"type":"reward.payout"}`)},
	} {
		out := p.Send(t.Context(), req)
		require.Equal(t, payout.ClassNotSent, out.Class, name)
		require.Equal(t, fault.Denied, out.Kind, name)
		require.NotEmpty(t, out.Detail, name)
		req.Reference = batchID
		require.Equal(t, payout.CannotTell, p.Lookup(t.Context(), req).Answer, name)
	}
	require.Empty(t, s.all())
}
