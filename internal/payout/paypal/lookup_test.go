package paypal_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
)

// shown is PayPal's answer to a look-up of our batch.
func shown(batchStatus, itemStatus string) string {
	return fmt.Sprintf(`{"batch_header":{"payout_batch_id":%q,"batch_status":%q,"sender_batch_header":{"sender_batch_id":%q}},`+
		`"items":[{"payout_item_id":"I1","payout_batch_id":%q,"transaction_status":%q,`+
		`"errors":{"name":"SOME_REASON","message":"Ask p@example.com or https://x.example/1","debug_id":"1"},`+
		`"payout_item":{"recipient_type":"EMAIL","receiver":"p@example.com","amount":{"value":"12.5","currency":"USD"},"sender_item_id":%q}}]}`,
		batchID, batchStatus, key, batchID, itemStatus, key)
}

func lookup(t *testing.T, s *stub, unclaimedPaid bool) payout.Finding {
	t.Helper()
	c := config(s.url)
	c.UnclaimedCountsAsPaid = unclaimedPaid
	p := newProvider(t, c)
	req := prepared(t, p)
	req.Reference = batchID
	f := p.Lookup(t.Context(), req)
	require.NotEmpty(t, f.Detail)
	requireSafe(t, f.Detail)
	if f.Answer == payout.CannotTell {
		require.Empty(t, f.Reference)
	} else {
		require.Equal(t, batchID, f.Reference)
	}
	return f
}

// TestTheItemDecides is the table of docs/providers/paypal.md.
func TestTheItemDecides(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		batch, item string
		want        payout.Answer
	}{
		{"SUCCESS", "SUCCESS", payout.FoundSettled},
		{"PROCESSING", "SUCCESS", payout.FoundSettled},
		{"SUCCESS", "PENDING", payout.FoundPending},
		{"SUCCESS", "ONHOLD", payout.FoundPending},
		{"SUCCESS", "UNCLAIMED", payout.FoundPending},
		{"SUCCESS", "BLOCKED", payout.FoundPending},
		{"SUCCESS", "FAILED", payout.FoundFailed},
		{"DENIED", "FAILED", payout.FoundFailed},
		{"SUCCESS", "RETURNED", payout.FoundReturned},
		{"SUCCESS", "REFUNDED", payout.FoundReturned},
		{"SUCCESS", "REVERSED", payout.FoundReturned},
		{"SUCCESS", "", payout.CannotTell},
		{"SUCCESS", "DENIED", payout.CannotTell},
		{"SUCCESS", "success", payout.CannotTell},
		{"PENDING", "PENDING", payout.FoundPending},
		{"PENDING", "", payout.FoundPending},
		{"PROCESSING", "", payout.FoundPending},
		{"DENIED", "", payout.FoundFailed},
		{"DENIED", "PENDING", payout.FoundFailed},
		{"CANCELED", "", payout.FoundFailed},
		{"DENIED", "SUCCESS", payout.FoundSettled},
		{"DENIED", "UNCLAIMED", payout.FoundPending},
		{"", "", payout.CannotTell},
	} {
		found := lookup(t, newStub(t, http.StatusOK, shown(c.batch, c.item)), false)
		require.Equal(t, c.want, found.Answer, "batch %s, item %s: %s", c.batch, c.item, found.Detail)
	}
}

func TestUnclaimedCountsAsPaidWhereItIsConfigured(t *testing.T) {
	t.Parallel()

	found := lookup(t, newStub(t, http.StatusOK, shown("SUCCESS", "UNCLAIMED")), true)
	require.Equal(t, payout.FoundSettled, found.Answer)
	require.Contains(t, found.Detail, "counts as paid")
	for _, status := range []string{"PENDING", "ONHOLD", "BLOCKED"} {
		require.Equal(t, payout.FoundPending, lookup(t, newStub(t, http.StatusOK, shown("SUCCESS", status)), true).Answer)
	}
}

func TestALookupKeepsPayPalsReason(t *testing.T) {
	t.Parallel()

	found := lookup(t, newStub(t, http.StatusOK, shown("SUCCESS", "FAILED")), false)
	require.Equal(t, "PayPal could not pay it: SOME_REASON, Ask [...] or [...]", found.Detail)
	for _, odd := range []string{`[]`, `"x"`, `{"name":5}`, `null`} {
		body := strings.Replace(shown("SUCCESS", "FAILED"), `{"name":"SOME_REASON","message":"Ask p@example.com or https://x.example/1","debug_id":"1"}`, odd, 1)
		found := lookup(t, newStub(t, http.StatusOK, body), false)
		require.Equal(t, payout.FoundFailed, found.Answer)
		require.Equal(t, "PayPal could not pay it", found.Detail)
	}
}

func TestABatchThatIsNotOursProvesNothing(t *testing.T) {
	t.Parallel()

	whole := shown("SUCCESS", "SUCCESS")
	item := whole[strings.Index(whole, `{"payout_item_id"`):strings.LastIndex(whole, "]")]
	for name, body := range map[string]string{
		"another batch":       strings.Replace(whole, `{"payout_batch_id":"`+batchID, `{"payout_batch_id":"X`, 1),
		"another batch's key": strings.Replace(whole, `"sender_batch_id":"`+key, `"sender_batch_id":"rf_1_1`, 1),
		"another item's key":  strings.Replace(whole, `"sender_item_id":"`+key, `"sender_item_id":"rf_1_1`, 1),
		"no item's key":       strings.Replace(whole, `"sender_item_id"`, `"sender_item"`, 1),
		"another amount":      strings.Replace(whole, `"12.5"`, `"12.51"`, 1),
		"amount as number":    strings.Replace(whole, `"12.5"`, `12.5`, 1),
		"amount with spaces":  strings.Replace(whole, `"12.5"`, `" 12.5"`, 1),
		"amount in thousands": strings.Replace(whole, `"12.5"`, `"12.500.0"`, 1),
		"no amount":           strings.Replace(whole, `"value"`, `"v"`, 1),
		"another currency":    strings.Replace(whole, `"USD"`, `"EUR"`, 1),
		"two items":           strings.Replace(whole, item, item+","+item, 1),
		"no items":            strings.Replace(whole, item, "", 1),
		"no items, no key":    `{"batch_header":{"payout_batch_id":"` + batchID + `","batch_status":"DENIED"}}`,
		"cut off":             whole[:len(whole)-1],
		"not JSON":            "<html>SUCCESS</html>",
		"empty":               "",
		"an empty object":     "{}",
	} {
		found := lookup(t, newStub(t, http.StatusOK, body), false)
		require.Equal(t, payout.CannotTell, found.Answer, "%s: %s", name, found.Detail)
	}

	plain := strings.Replace(whole, `"sender_batch_id":"`+key+`"`, "", 1)
	require.Equal(t, payout.FoundSettled, lookup(t, newStub(t, http.StatusOK, plain), false).Answer, "the item's key is enough")
	for _, value := range []string{"12.50", "12.500", "012.5"} {
		same := strings.Replace(whole, `"12.5"`, `"`+value+`"`, 1)
		require.Equal(t, payout.FoundSettled, lookup(t, newStub(t, http.StatusOK, same), false).Answer, value)
	}
}

func TestABatchWithoutItemsYet(t *testing.T) {
	t.Parallel()

	for status, want := range map[string]payout.Answer{
		"PENDING": payout.FoundPending, "PROCESSING": payout.FoundPending,
		"DENIED": payout.FoundFailed, "CANCELED": payout.FoundFailed,
		"SUCCESS": payout.CannotTell, "NEW": payout.CannotTell,
	} {
		body := fmt.Sprintf(`{"batch_header":{"payout_batch_id":%q,"batch_status":%q,"sender_batch_header":{"sender_batch_id":%q}}}`, batchID, status, key)
		require.Equal(t, want, lookup(t, newStub(t, http.StatusOK, body), false).Answer, status)
	}
}

func TestAnswersThatSayNothingAboutTheBatch(t *testing.T) {
	t.Parallel()

	for _, status := range []int{201, 202, 204, 302, 400, 401, 403, 404, 410, 422, 429, 500, 502, 503} {
		body := shown("SUCCESS", "SUCCESS")
		if status == http.StatusNoContent {
			body = ""
		}
		found := lookup(t, newStub(t, status, body), false)
		require.Equal(t, payout.CannotTell, found.Answer, "%d: %s", status, found.Detail)
	}
	require.Contains(t, lookup(t, newStub(t, http.StatusNotFound, refusal("RESOURCE_NOT_FOUND")), false).Detail, "check that the credentials")
}

func TestALookupIsOneGetOfTheBatch(t *testing.T) {
	t.Parallel()

	s := newStub(t, http.StatusOK, shown("SUCCESS", "SUCCESS"))
	lookup(t, s, false)
	got := s.only(t)
	require.Equal(t, http.MethodGet, got.method)
	require.Equal(t, "/v1/payments/payouts/"+batchID, got.uri)
	require.Empty(t, got.body)
	require.Empty(t, got.header.Get("PayPal-Request-Id"))
}

func TestALookupWithoutAUsableReferenceAsksNobody(t *testing.T) {
	t.Parallel()

	s := newStub(t, http.StatusOK, shown("SUCCESS", "SUCCESS"))
	p := newProvider(t, config(s.url))
	req := prepared(t, p)
	found := p.Lookup(t.Context(), req)
	require.Equal(t, payout.Finding{
		Answer: payout.CannotTell,
		Detail: "PayPal has no look-up by key: the same key is sent again, and answered as a duplicate if PayPal has it",
	}, found)
	for _, reference := range []string{"../../v2/other", "a/b", "a?b", "paid by hand, see p@example.com", strings.Repeat("A", 65)} {
		req.Reference = reference
		found := p.Lookup(t.Context(), req)
		require.Equal(t, payout.CannotTell, found.Answer)
		requireSafe(t, found.Detail)
	}
	require.Empty(t, s.all())
}
