package stripe_test

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

// credited is a balance transaction that the fake holds.
func credited(id, mark string, amount int64, currency string) object {
	return object{
		"id": id, "object": "customer_balance_transaction", "customer": customerID, "amount": amount, "currency": currency,
		"metadata": map[string]string{"rewardflow": mark},
	}
}

func moved(id, group string, amount int64, currency, destination string, reversed int64) object {
	return object{
		"id": id, "object": "transfer", "amount": amount, "currency": currency, "destination": destination,
		"transfer_group": group, "amount_reversed": reversed, "reversed": reversed == amount,
	}
}

func TestCreditsAreFoundOnAnyPage(t *testing.T) {
	t.Parallel()

	fake := newFake()
	fake.txns = []object{credited("cbtxn_ours", key, -500, "usd")}
	for i := range 250 { // Newer ones, which the list shows first.
		fake.txns = append(fake.txns, credited(fmt.Sprintf("cbtxn_%d", i), fmt.Sprintf("rf_%d_1", i), -500, "usd"))
	}
	p := serve(t, fake)
	require.Equal(t, payout.Finding{
		Answer: payout.FoundSettled, Reference: "cbtxn_ours", Detail: "the customer's balance has a credit of 500 USD (minor units)",
	}, p.Lookup(t.Context(), creditRequest()))
	require.Len(t, fake.calls, 3)

	fake.do(func() { fake.txns = fake.txns[1:] })
	require.Equal(t, payout.Absent, p.Lookup(t.Context(), creditRequest()).Answer)
}

func TestAListThatBreaksOffSaysNothing(t *testing.T) {
	t.Parallel()

	fake := newFake()
	for i := range 250 {
		fake.txns = append(fake.txns, credited(fmt.Sprintf("cbtxn_%d", i), "other", -500, "usd"))
	}
	p := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("starting_after") {
			write(w, http.StatusInternalServerError, failure("api_error", "", "no"))
			return
		}
		fake.ServeHTTP(w, r)
	}))
	require.Equal(t, payout.CannotTell, p.Lookup(t.Context(), creditRequest()).Answer)
}

// "Nothing is there" must come from a list, and a whole one.
func TestOnlyAWholeListSaysAbsent(t *testing.T) {
	t.Parallel()

	for body, want := range map[string]payout.Answer{
		`{"object":"list","has_more":false,"data":[]}`: payout.Absent,
		`{}`:                                 payout.CannotTell,
		`{"object":"list","has_more":false}`: payout.CannotTell,
		`{"object":"list","has_more":false,"data":null}`:          payout.CannotTell,
		`{"object":"list","data":[]}`:                             payout.CannotTell,
		`{"object":"search_result","has_more":false,"data":[]}`:   payout.CannotTell,
		`{"object":"list","has_more":true,"data":[]}`:             payout.CannotTell,
		`{"object":"list","has_more":false,"data":[null]}`:        payout.CannotTell,
		`{"object":"list","has_more":true,"data":[{"id":"x_1"}]}`: payout.CannotTell, // It never ends.
		`[]`: payout.CannotTell,
	} {
		p := serve(t, answering(200, body, nil))
		require.Equal(t, want, p.Lookup(t.Context(), creditRequest()).Answer, body)
	}
	p := serve(t, answering(302, `{"object":"list","has_more":false,"data":[]}`, nil))
	require.Equal(t, payout.CannotTell, p.Lookup(t.Context(), creditRequest()).Answer)
}

func TestWhatCarriesTheKeyMustBeWhatWasSent(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		kind   string
		change func(*fakeStripe)
		want   payout.Answer
		words  string
	}{
		"another amount":   {"Credits", func(f *fakeStripe) { f.txns = []object{credited("c_1", key, -400, "usd")} }, payout.CannotTell, "another amount"},
		"another currency": {"Credits", func(f *fakeStripe) { f.txns = []object{credited("c_1", key, -500, "eur")} }, payout.CannotTell, "another amount"},
		"a debit":          {"Credits", func(f *fakeStripe) { f.txns = []object{credited("c_1", key, 500, "usd")} }, payout.CannotTell, "another amount"},
		"two credits": {"Credits", func(f *fakeStripe) {
			f.txns = []object{credited("c_1", key, -500, "usd"), credited("c_2", key, -500, "usd")}
		}, payout.CannotTell, "2 balance transactions"},
		"another key":       {"Credits", func(f *fakeStripe) { f.txns = []object{credited("c_1", key+"0", -500, "usd")} }, payout.Absent, ""},
		"another date":      {"FreeMonths", func(f *fakeStripe) { f.sub()["metadata"] = map[string]string{key: "x"} }, payout.CannotTell, "another date"},
		"another customer":  {"FreeMonths", func(f *fakeStripe) { f.sub()["customer"] = "cus_8" }, payout.CannotTell, "no longer the customer's"},
		"no subscription":   {"FreeMonths", func(f *fakeStripe) { f.subs = nil }, payout.CannotTell, "knows no subscription"},
		"other terms":       {"DiscountPer", func(f *fakeStripe) { f.coupons[key] = object{"id": key, "percent_off": 30, "duration": "once"} }, payout.CannotTell, "other terms"},
		"for ever":          {"DiscountPer", func(f *fakeStripe) { f.coupons[key] = object{"id": key, "percent_off": 20, "duration": "forever"} }, payout.CannotTell, "other terms"},
		"coupon deleted":    {"DiscountPer", func(f *fakeStripe) { f.sub()["discounts"] = []object{attached("di_1", key)} }, payout.CannotTell, "was deleted"},
		"transfer":          {"Cash", func(f *fakeStripe) { f.transfers = []object{moved("tr_1", key, 1250, "usd", accountID, 0)} }, payout.FoundSettled, "went to"},
		"transfer amount":   {"Cash", func(f *fakeStripe) { f.transfers = []object{moved("tr_1", key, 1251, "usd", accountID, 0)} }, payout.CannotTell, "another amount"},
		"transfer currency": {"Cash", func(f *fakeStripe) { f.transfers = []object{moved("tr_1", key, 1250, "eur", accountID, 0)} }, payout.CannotTell, "another amount"},
		"transfer target":   {"Cash", func(f *fakeStripe) { f.transfers = []object{moved("tr_1", key, 1250, "usd", "acct_6", 0)} }, payout.CannotTell, "another amount"},
		"two transfers": {"Cash", func(f *fakeStripe) {
			f.transfers = []object{moved("tr_1", key, 1250, "usd", accountID, 0), moved("tr_2", key, 1250, "usd", accountID, 0)}
		}, payout.CannotTell, "2 transfers"},
		"reversed":         {"Cash", func(f *fakeStripe) { f.transfers = []object{moved("tr_1", key, 1250, "usd", accountID, 1250)} }, payout.FoundReturned, "was reversed"},
		"partly reversed":  {"Cash", func(f *fakeStripe) { f.transfers = []object{moved("tr_1", key, 1250, "usd", accountID, 50)} }, payout.CannotTell, "a part"},
		"another group":    {"Cash", func(f *fakeStripe) { f.transfers = []object{moved("tr_1", "rf_1_1", 1250, "usd", accountID, 0)} }, payout.Absent, ""},
		"another platform": {"Cash", func(f *fakeStripe) { delete(f.accounts, accountID) }, payout.CannotTell, "knows no account"},
	} {
		fake := newFake()
		p := serve(t, fake)
		req := prepare(t, p, order(kinds()[c.kind].quantity))
		fake.do(func() { c.change(fake) })
		got := p.Lookup(t.Context(), req)
		require.Equal(t, c.want, got.Answer, "%s: %s", name, got.Detail)
		require.Contains(t, got.Detail, c.words, name)
		require.Empty(t, fake.posts(), name)
		if c.want == payout.FoundSettled || c.want == payout.FoundReturned {
			require.Equal(t, "tr_1", got.Reference)
		}
	}
}

// A filter that the other side ignores must not make a stranger's transfer ours.
func TestTheTransferGroupIsCheckedHereToo(t *testing.T) {
	t.Parallel()

	fake := newFake()
	fake.transfers = []object{moved("tr_1", "rf_1_1", 1250, "usd", accountID, 0)}
	p := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		query.Del("transfer_group")
		r.URL.RawQuery = query.Encode()
		fake.ServeHTTP(w, r)
	}))
	req := prepare(t, p, order(kinds()["Cash"].quantity))
	require.Equal(t, payout.Absent, p.Lookup(t.Context(), req).Answer)
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), req).Class)
}

// An empty balance must not use the key up: Stripe would say "insufficient"
// to it for a day, whatever is topped up.
func TestALowBalanceKeepsTheKey(t *testing.T) {
	t.Parallel()

	fake := newFake()
	p := serve(t, fake)
	req := prepare(t, p, order(kinds()["Cash"].quantity))
	for _, balance := range []map[string]int64{{}, {"usd": 1249}, {"eur": 9999}} {
		fake.do(func() { fake.balance = balance })
		out := p.Send(t.Context(), req)
		require.Equal(t, payout.ClassNotSent, out.Class, out.Detail)
		require.Equal(t, fault.Denied, out.Kind)
		require.Contains(t, out.Detail, "top it up")
	}
	require.Empty(t, fake.posts())
	fake.do(func() { fake.balance = map[string]int64{"usd": 1250} })
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), req).Class)
	// The balance is now too low for it, and it is paid all the same.
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), req).Class)
	require.Equal(t, 1, fake.Effects(key))
}

// The look before the transfer does not depend on the idempotency window.
func TestATransferIsNotMadeTwiceAfterTheWindow(t *testing.T) {
	t.Parallel()

	fake := newFake()
	p := serve(t, fake)
	req := prepare(t, p, order(kinds()["Cash"].quantity))
	first := p.Send(t.Context(), req)
	fake.do(func() { fake.now = fake.now.Add(48 * time.Hour) })
	require.Equal(t, first, p.Send(t.Context(), req))
	require.Equal(t, 1, fake.Effects(key))

	fake.do(func() { fake.transfers[0]["amount_reversed"], fake.transfers[0]["reversed"] = 1250, true })
	require.Equal(t, payout.ClassConflict, p.Send(t.Context(), req).Class)
	require.Equal(t, 1, fake.Effects(key))
}

// Stripe keeps a 500 for the key's life. The look-up is the way out when it
// was done; when it was not, the payout stays unknown, and is never re-keyed.
func TestAKept500IsNeverTakenForAnAnswer(t *testing.T) {
	t.Parallel()

	for name, k := range kinds() {
		for wrong, effects := range map[failing]int{failsBefore: 0, failsAfter: 1} {
			fake := newFake()
			fake.fault = func(r *http.Request) failing {
				if r.Header.Get("Idempotency-Key") == key {
					return wrong
				}
				return healthy
			}
			p := serve(t, fake)
			req := prepare(t, p, order(k.quantity))
			require.Equal(t, payout.ClassUnknown, p.Send(t.Context(), req).Class, name)
			require.Equal(t, effects, fake.Effects(key), name)
			if effects == 1 {
				require.Equal(t, payout.FoundSettled, p.Lookup(t.Context(), req).Answer, name)
				continue
			}
			require.Equal(t, payout.Absent, p.Lookup(t.Context(), req).Answer, name)
			fake.do(func() { fake.fault = nil; fake.now = fake.now.Add(20 * time.Hour) })
			again := p.Send(t.Context(), req)
			require.Equal(t, payout.ClassUnknown, again.Class, name)
			require.Contains(t, again.Detail, "repeats the answer that it kept", name)
			require.Zero(t, fake.Effects(key), name)
		}
	}
}

func TestReferencesAreOfOnePayoutEach(t *testing.T) {
	t.Parallel()

	want := map[string]string{
		"Credits": "cbtxn_", "FreeMonths": "sub_7/rf_2429153_1", "DiscountPer": key, "DiscountMon": key, "Cash": "tr_",
	}
	for name, k := range kinds() {
		p := serve(t, newFake())
		out := p.Send(t.Context(), prepare(t, p, order(k.quantity)))
		require.True(t, strings.HasPrefix(out.Reference, want[name]), out.Reference)
	}
}
