package tremendous_test

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

const orderID = "ORDER0000001"

// rewardOf is the reward of our order in an answer.
func rewardOf(delivery string) string {
	return fmt.Sprintf(`{"id":"REWARD000001","order_id":%q,"created_at":"2026-11-23T12:00:00Z","value":{"denomination":12.5,"currency_code":"USD"},`+
		`"recipient":{"name":null,"email":%q},"delivery":{"method":"EMAIL","status":%q}}`, orderID, email, delivery)
}

// document is our order in an answer.
func document(status, delivery string) string {
	return fmt.Sprintf(`{"id":%q,"external_id":%q,"campaign_id":%q,"created_at":"2026-11-23T12:00:00Z","status":%q,`+
		`"payment":{"subtotal":12.5,"total":13,"fees":0.5},"rewards":[%s]}`, orderID, key, campaign, status, rewardOf(delivery))
}

// made is the answer to a POST.
func made(status, delivery string) string { return `{"order":` + document(status, delivery) + `}` }

// refusal is an error document.
func refusal(message string, payload ...string) string {
	return fmt.Sprintf(`{"errors":{"message":%q,"payload":{%s}}}`, message, strings.Join(payload, ","))
}

func TestSendPostsTheFrozenBytesOnce(t *testing.T) {
	t.Parallel()

	s := newStub(t, http.StatusOK, made("EXECUTED", "PENDING"))
	p := newProvider(t, config(s.url))
	require.Equal(t, payout.Outcome{
		Class: payout.ClassAccepted, Reference: orderID, Detail: "Tremendous has paid for the reward and has not delivered its email yet",
	}, p.Send(t.Context(), prepared(t, p)))

	got := s.only(t)
	require.Equal(t, http.MethodPost, got.method)
	require.Equal(t, "/api/v2/orders", got.uri)
	require.Equal(t, wantBody, got.body)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, "Bearer "+apiKey, got.header.Get("Authorization"))
}

// answerCase is one answer to a POST, and what it comes to.
type answerCase struct {
	status int
	body   string
	want   payout.Outcome
}

func requireAnswers(t *testing.T, cases []answerCase) {
	t.Helper()
	for _, c := range cases {
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

// TestAnswersWithAnOrder is the first half of the table of
// docs/providers/tremendous.md.
func TestAnswersWithAnOrder(t *testing.T) {
	t.Parallel()

	accepted := payout.Outcome{Class: payout.ClassAccepted, Reference: orderID}
	settled := payout.Outcome{Class: payout.ClassAccepted, Reference: orderID, Settled: true}
	refused := payout.Outcome{Class: payout.ClassRefused}
	conflict := payout.Outcome{Class: payout.ClassConflict}
	unknown := payout.Outcome{Class: payout.ClassUnknown}
	whole := made("EXECUTED", "PENDING")
	swap := func(from, to string) string { return strings.Replace(whole, from, to, 1) }
	cases := []answerCase{
		{200, swap(`"external_id":"rf_2429153_1"`, `"external_id":"rf_1_1"`), unknown},
		{200, swap(`"external_id":"rf_2429153_1"`, `"external_id":null`), unknown},
		{201, swap(`"external_id"`, `"other_id"`), unknown},
		{200, swap(`"id":"`+orderID, `"id":"../../x`), unknown},
		{200, swap(`"id":"`+orderID+`",`, ``), unknown},
		{200, swap(`"order"`, `"orders"`), unknown},
		{200, swap(`12.5,"curr`, `"a","curr`), unknown},
		{200, whole[:len(whole)/2], unknown},
		{200, whole + "x", unknown},
		{200, `<html>`, unknown},
		{200, ``, unknown},
		{204, ``, unknown},
		{203, whole, unknown},
		{206, whole, unknown},
		{302, whole, unknown},

		{201, swap(`"denomination":12.5`, `"denomination":125`), conflict},
		{201, swap(`"denomination":12.5`, `"denomination":12.51`), conflict},
		{201, swap(`"denomination":12.5`, `"denomination":1.25e1`), conflict},
		{201, swap(`"USD"`, `"CAD"`), conflict},
		{201, swap(`p@example.com`, `other@example.com`), conflict},
		{201, swap(`"rewards":[`, `"rewards":[`+rewardOf("PENDING")+`,`), conflict},
		{200, swap(`"denomination":12.5`, `"denomination":13`), conflict},

		{201, swap(`"denomination":12.5`, `"denomination":12.50`), accepted},
		{201, swap(`"denomination":12.5`, `"denomination":"12.5"`), accepted},
		{201, swap(`p@example.com`, `P@Example.com`), accepted},
		{201, swap(`"rewards":[`+rewardOf("PENDING")+`]`, `"rewards":[]`), accepted},
		{200, swap(`"payment":{`, `"payment":{"refund":{"total":13},`), accepted},
		{200, swap(`"status":"EXECUTED"`, `"status":"SOMETHING NEW"`), accepted},
	}
	for _, status := range []int{200, 201, 202} {
		for _, waiting := range []string{"OPEN", "CART", "PENDING APPROVAL", "PENDING INTERNAL PAYMENT APPROVAL", "PENDING SETTLEMENT"} {
			cases = append(cases, answerCase{status, made(waiting, "SCHEDULED"), accepted})
		}
		cases = append(cases,
			answerCase{status, made("EXECUTED", "SCHEDULED"), accepted},
			answerCase{status, made("EXECUTED", "PENDING"), accepted},
			answerCase{status, made("EXECUTED", "SUCCEEDED"), settled},
			answerCase{status, made("EXECUTED", "FAILED"), accepted}, // The poll tells a person.
			answerCase{status, made("PENDING APPROVAL", "SUCCEEDED"), accepted},
			answerCase{status, made("FAILED", "SCHEDULED"), refused},
			answerCase{status, made("CANCELED", "SCHEDULED"), refused},
		)
	}
	requireAnswers(t, cases)
}

// TestAnswersWithoutAnOrder is the second half.
func TestAnswersWithoutAnOrder(t *testing.T) {
	t.Parallel()

	refused := payout.Outcome{Class: payout.ClassRefused}
	denied := payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Denied}
	throttled := payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Throttled}
	conflict := payout.Outcome{Class: payout.ClassConflict}
	unknown := payout.Outcome{Class: payout.ClassUnknown}
	invalid := refusal("Order failed: validation failure", `"reward":{"value":{"denomination":"is too high"}}`)
	requireAnswers(t, []answerCase{
		{400, invalid, refused},
		{422, invalid, refused},
		{422, refusal("", `"payment":{"funding_source_id":["is invalid"]}`), refused},
		{422, refusal("Campaign not found"), refused},
		{422, `{"error":{"message":"Campaign not found"}}`, refused},
		{400, `{"errors":{"message":"bad"}}`, refused},
		{422, refusal("External ID has already been taken"), unknown},
		{422, refusal("x", `"external_id":"is invalid"`), unknown},
		{400, refusal("Duplicate order"), unknown},
		{422, refusal("This order was already executed"), unknown},
		{422, `{"errors":"no"}`, unknown},
		{422, `{"errors":{}}`, unknown},
		{422, `{"message":"no"}`, unknown},
		{400, `<html>`, unknown},
		{422, ``, unknown},
		{422, invalid[:30], unknown},

		{401, refusal("Unauthorized"), denied},
		{401, ``, denied},
		{403, refusal("Unsupported operation"), denied},
		{403, `<html>`, denied},
		{402, refusal("Not enough funds"), denied},
		{402, `<html>`, unknown},
		{402, ``, unknown},

		{409, refusal("An order with this external_id exists"), conflict},
		{409, refusal("Conflict"), conflict},
		{409, `<html>`, unknown},
		{409, ``, unknown},
		{409, made("EXECUTED", "SUCCEEDED"), unknown},

		{429, `{"error":{"message":"Too many requests","payload":{}}}`, throttled},
		{429, `<html>`, throttled},

		{404, refusal("Not found"), unknown},
		{405, refusal("x"), unknown},
		{408, invalid, unknown},
		{410, invalid, unknown},
		{413, invalid, unknown},
		{418, invalid, unknown},
		{500, refusal("x"), unknown},
		{500, invalid, unknown},
		{500, made("EXECUTED", "SUCCEEDED"), unknown},
		{502, `<html>`, unknown},
		{503, refusal("Not enough funds"), unknown},
		{504, ``, unknown},
		{529, ``, unknown},
	})
}

func TestTremendoussWordsAreKeptAndMadeSafe(t *testing.T) {
	t.Parallel()

	for body, want := range map[string]string{
		refusal("Order failed", `"reward":{"value":{"denomination":["is too high","is odd"]},"products":{"x":1}}`): "Order failed, " +
			"reward.products.x, reward.value.denomination: is too high, reward.value.denomination: is odd",
		refusal("no <p@example.com>, or mail:p@example.com"):       "no [...] or [...]",
		refusal("x", `"reward":{"recipient":"p@example.com bad"}`): "x, reward.recipient: [...] bad",
		refusal("see https://x.example/a or x.com/b"):              "see [...] or [...]",
		refusal("the key " + apiKey + " is"):                       "the key [...] is",
		refusal("token " + strings.Repeat("t", 49) + " end"):       "token [...] end",
		`{"errors":{"message":"two\n\twords\u0000here"}}`:          "two words here",
	} {
		s := newStub(t, http.StatusUnprocessableEntity, body)
		p := newProvider(t, config(s.url))
		require.Equal(t, "Tremendous refused it (HTTP 422): "+want, p.Send(t.Context(), prepared(t, p)).Detail)
	}

	for _, body := range []string{
		refusal(strings.Repeat("\u00e4 ", 300)),
		refusal("x", `"a":`+strings.Repeat(`{"b":`, 1000)+`"c"`+strings.Repeat(`}`, 1000)),
	} {
		long := newStub(t, http.StatusUnprocessableEntity, body)
		p := newProvider(t, config(long.url))
		require.Less(t, len([]rune(p.Send(t.Context(), prepared(t, p)).Detail)), 300)
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	t.Parallel()

	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		s := newStub(t, status, refusal("Too many requests"))
		s.header = map[string]string{"Retry-After": "90"}
		p := newProvider(t, config(s.url))
		require.Equal(t, 90*time.Second, p.Send(t.Context(), prepared(t, p)).RetryAfter)
		require.Equal(t, 90*time.Second, p.Lookup(t.Context(), prepared(t, p)).RetryAfter)
	}
}

// An order without an external_id is paid every time it comes.
func TestARequestWithoutItsKeyIsNeverSent(t *testing.T) {
	t.Parallel()

	s := newStub(t, http.StatusOK, made("EXECUTED", "PENDING"))
	p := newProvider(t, config(s.url))
	for name, req := range map[string]payout.Request{
		"empty":            {Key: key},
		"no JSON":          {Key: key, Body: []byte(wantBody[:50])},
		"no key":           {Body: []byte(wantBody)},
		"another key":      {Key: "rf_1_1", Body: []byte(wantBody)},
		"no external ID":   {Key: key, Body: []byte(strings.Replace(wantBody, `"external_id"`, `"external"`, 1))},
		"a link":           {Key: key, Body: []byte(strings.Replace(wantBody, `"EMAIL"`, `"LINK"`, 1))},
		"nobody":           {Key: key, Body: []byte(strings.Replace(wantBody, email, ``, 1))},
		"a webhook's body": {Key: key, Body: []byte(`{"type":"reward.payout"}`)},
	} {
		out := p.Send(t.Context(), req)
		require.Equal(t, payout.ClassNotSent, out.Class, name)
		require.Equal(t, fault.Denied, out.Kind, name)
		require.NotEmpty(t, out.Detail, name)
		require.Equal(t, payout.CannotTell, p.Lookup(t.Context(), req).Answer, name)
	}
	require.Empty(t, s.all())
}
