package tremendous_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
)

// listed is the answer to a look-up.
func listed(orders ...string) string {
	return fmt.Sprintf(`{"orders":[%s],"total_count":%d}`, strings.Join(orders, ","), len(orders))
}

func lookup(t *testing.T, s *stub, reference string) payout.Finding {
	t.Helper()
	p := newProvider(t, config(s.url))
	req := prepared(t, p)
	req.Reference = reference
	f := p.Lookup(t.Context(), req)
	require.NotEmpty(t, f.Detail)
	requireSafe(t, f.Detail)
	switch f.Answer {
	case payout.Absent, payout.CannotTell:
		require.Empty(t, f.Reference)
	default:
		require.Equal(t, orderID, f.Reference)
	}
	return f
}

// TestTheOrderAndItsDeliveryDecide is the table of docs/providers/tremendous.md.
func TestTheOrderAndItsDeliveryDecide(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		order, delivery string
		want            payout.Answer
	}{
		{"EXECUTED", "SUCCEEDED", payout.FoundSettled},
		{"EXECUTED", "PENDING", payout.FoundPending},
		{"EXECUTED", "SCHEDULED", payout.FoundPending},
		{"EXECUTED", "FAILED", payout.FoundReturned},
		{"EXECUTED", "", payout.CannotTell},
		{"EXECUTED", "DELIVERED", payout.CannotTell},
		{"EXECUTED", "succeeded", payout.CannotTell},
		{"OPEN", "SUCCEEDED", payout.FoundPending},
		{"CART", "SCHEDULED", payout.FoundPending},
		{"PENDING APPROVAL", "SUCCEEDED", payout.FoundPending},
		{"PENDING INTERNAL PAYMENT APPROVAL", "SCHEDULED", payout.FoundPending},
		{"PENDING SETTLEMENT", "SCHEDULED", payout.FoundPending},
		{"FAILED", "SCHEDULED", payout.FoundFailed},
		{"FAILED", "SUCCEEDED", payout.FoundFailed},
		{"CANCELED", "SCHEDULED", payout.FoundFailed},
		{"CANCELED", "SUCCEEDED", payout.FoundFailed},
		{"", "SUCCEEDED", payout.CannotTell},
		{"PENDING_APPROVAL", "SUCCEEDED", payout.CannotTell},
		{"executed", "SUCCEEDED", payout.CannotTell},
	} {
		for _, reference := range []string{"", orderID} {
			found := lookup(t, newStub(t, http.StatusOK, listed(document(c.order, c.delivery))), reference)
			require.Equal(t, c.want, found.Answer, "order %s, delivery %s: %s", c.order, c.delivery, found.Detail)
		}
	}
}

func TestADeliveryThatFailedSaysWhatAPersonCanDo(t *testing.T) {
	t.Parallel()

	found := lookup(t, newStub(t, http.StatusOK, listed(document("EXECUTED", "FAILED"))), orderID)
	require.Contains(t, found.Detail, "the reward exists")
	require.Contains(t, found.Detail, "Correct the address or send it again")
}

func TestARefundAfterThePaymentIsReturned(t *testing.T) {
	t.Parallel()

	for refund, want := range map[string]payout.Answer{
		`{"total":13}`: payout.FoundReturned, `{"total":0.5}`: payout.FoundReturned, `{"total":1e3}`: payout.FoundReturned,
		`{}`: payout.FoundReturned, `{"total":0}`: payout.FoundSettled, `{"total":0.0}`: payout.FoundSettled, `null`: payout.FoundSettled,
	} {
		body := strings.Replace(document("EXECUTED", "SUCCEEDED"), `"payment":{`, `"payment":{"refund":`+refund+`,`, 1)
		require.Equal(t, want, lookup(t, newStub(t, http.StatusOK, listed(body)), orderID).Answer, refund)
	}
}

func TestAbsentIsAnEmptyListOnly(t *testing.T) {
	t.Parallel()

	require.Equal(t, payout.Absent, lookup(t, newStub(t, http.StatusOK, listed()), "").Answer)
	require.Equal(t, payout.Absent, lookup(t, newStub(t, http.StatusOK, listed()), orderID).Answer)
	require.Equal(t, payout.Absent, lookup(t, newStub(t, http.StatusOK, `{"orders":[]}`), "").Answer)
	other := strings.Replace(document("EXECUTED", "SUCCEEDED"), key, "rf_1_1", 1)
	for name, body := range map[string]string{
		"another's order":      listed(other),
		"an order without key": listed(strings.Replace(document("EXECUTED", "SUCCEEDED"), `"rf_2429153_1"`, `null`, 1)),
		"more than is shown":   `{"orders":[],"total_count":3}`,
		"less than nothing":    `{"orders":[],"total_count":-1}`,
		"a count of words":     `{"orders":[],"total_count":"0"}`,
		"no list":              `{"total_count":0}`,
		"null":                 `{"orders":null,"total_count":0}`,
		"an object":            `{"orders":{},"total_count":0}`,
		"an empty object":      `{}`,
		"an empty array":       `[]`,
		"an error document":    refusal("Not found"),
		"not JSON":             `<html></html>`,
		"empty":                ``,
		"cut off":              `{"orders":[]`,
	} {
		found := lookup(t, newStub(t, http.StatusOK, body), "")
		require.Equal(t, payout.CannotTell, found.Answer, "%s: %s", name, found.Detail)
	}
	for _, status := range []int{201, 202, 204, 302, 400, 401, 403, 404, 409, 410, 422, 429, 500, 502, 503} {
		body := listed()
		if status == http.StatusNoContent {
			body = ""
		}
		found := lookup(t, newStub(t, status, body), "")
		require.Equal(t, payout.CannotTell, found.Answer, "%d: %s", status, found.Detail)
	}
	require.Contains(t, lookup(t, newStub(t, http.StatusNotFound, refusal("Not found")), "").Detail, "check base_url")
}

func TestAnOrderThatIsNotOursProvesNothing(t *testing.T) {
	t.Parallel()

	whole := document("EXECUTED", "SUCCEEDED")
	for name, body := range map[string]string{
		"two orders":        listed(whole, strings.Replace(whole, orderID, "ORDER0000002", 1)),
		"another reference": listed(strings.Replace(whole, `"id":"`+orderID, `"id":"ORDER0000002`, 1)),
		"no ID":             listed(strings.Replace(whole, `"id":"`+orderID+`",`, ``, 1)),
		"another amount":    listed(strings.Replace(whole, `12.5,"curr`, `12.51,"curr`, 1)),
		"amount, exponent":  listed(strings.Replace(whole, `12.5,"curr`, `1.25e1,"curr`, 1)),
		"huge exponent":     listed(strings.Replace(whole, `12.5,"curr`, `1e999999999,"curr`, 1)),
		"a long amount":     listed(strings.Replace(whole, `12.5,"curr`, strings.Repeat("1", 1000)+`,"curr`, 1)),
		"no amount":         listed(strings.Replace(whole, `"denomination":12.5,`, ``, 1)),
		"another currency":  listed(strings.Replace(whole, `"USD"`, `"EUR"`, 1)),
		"two rewards":       listed(strings.Replace(whole, `"rewards":[`, `"rewards":[`+rewardOf("SUCCEEDED")+`,`, 1)),
		"no rewards":        listed(strings.Replace(whole, rewardOf("SUCCEEDED"), ``, 1)),
		"cut off":           listed(whole)[:200],
	} {
		found := lookup(t, newStub(t, http.StatusOK, body), orderID)
		require.Equal(t, payout.CannotTell, found.Answer, "%s: %s", name, found.Detail)
	}

	beside := listed(strings.Replace(whole, key, "rf_1_1", 1), whole)
	require.Equal(t, payout.FoundSettled, lookup(t, newStub(t, http.StatusOK, beside), orderID).Answer, "ours is told from others by its key")
	single := strings.Replace(whole, `"rewards":[`+rewardOf("SUCCEEDED")+`]`, `"reward":`+rewardOf("SUCCEEDED"), 1)
	require.Equal(t, payout.FoundSettled, lookup(t, newStub(t, http.StatusOK, listed(single)), orderID).Answer, "older lists have one reward")
}

// The dashboard of Tremendous lets a person correct the address of an order that
// was accepted.
func TestTheReceiverIsComparedUntilTheOrderIsAccepted(t *testing.T) {
	t.Parallel()

	body := listed(strings.Replace(document("EXECUTED", "SUCCEEDED"), email, "corrected@example.com", 1))
	found := lookup(t, newStub(t, http.StatusOK, body), "")
	require.Equal(t, payout.CannotTell, found.Answer)
	require.Contains(t, found.Detail, "goes to another email address")
	require.Equal(t, payout.FoundSettled, lookup(t, newStub(t, http.StatusOK, body), orderID).Answer)
}

func TestALookupIsOneGetByTheKey(t *testing.T) {
	t.Parallel()

	for _, reference := range []string{"", orderID, "../../x?y=z"} {
		s := newStub(t, http.StatusOK, listed())
		lookup(t, s, reference)
		got := s.only(t)
		require.Equal(t, http.MethodGet, got.method)
		require.Equal(t, "/api/v2/orders?external_id="+key, got.uri)
		require.Empty(t, got.body)
		require.Equal(t, "Bearer "+apiKey, got.header.Get("Authorization"))
	}
}
