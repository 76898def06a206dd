package stripe_test

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/stripe"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func TestTraitsStopAtTwentyHours(t *testing.T) {
	t.Parallel()

	p := newProvider(t, config(""))
	require.Equal(t, "billing", p.Name())
	traits := p.Traits()
	require.Equal(t, payout.Traits{Window: 24 * time.Hour, Margin: 4 * time.Hour, SettleDelay: time.Minute}, traits)
	first := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	require.True(t, traits.MayResend(first, first.Add(20*time.Hour-1)))
	require.False(t, traits.MayResend(first, first.Add(20*time.Hour)))
}

func TestPrepareFreezesEverything(t *testing.T) {
	t.Parallel()

	for name, want := range map[string]struct{ body, destination string }{
		"Credits": {
			`{"credit":{"customer":"cus_9","amount":-500,"currency":"usd","description":"Reward 2429153"}}`,
			"Stripe customer cus_9: a credit of 500 USD (minor units)",
		},
		"FreeMonths": {
			`{"free_months":{"customer":"cus_9","subscription":"sub_7","months":3,"base":1801391400,"trial_end":1809081000,` +
				`"marker":"2026-11-23T15:00:00Z months=3 until=2027-04-30T10:30:00Z","turn":"reward 2429153"}}`,
			"Stripe customer cus_9, subscription sub_7: next payment on 2027-04-30, 3 months later",
		},
		"DiscountPer": {
			`{"discount":{"customer":"cus_9","subscription":"sub_7","percent":20,"name":"Reward 2429153","turn":"reward 2429153"}}`,
			"Stripe customer cus_9, subscription sub_7: 20 per cent off the next invoice",
		},
		"DiscountMon": {
			`{"discount":{"customer":"cus_9","subscription":"sub_7","amount":750,"currency":"usd","name":"Reward 2429153",` +
				`"turn":"reward 2429153"}}`,
			"Stripe customer cus_9, subscription sub_7: 750 USD (minor units) off the next invoice",
		},
		"Cash": {
			`{"transfer":{"account":"acct_5","amount":1250,"currency":"usd","description":"Reward 2429153"}}`,
			"Stripe connected account acct_5: 1250 USD (minor units)",
		},
	} {
		req := prepare(t, serve(t, newFake()), order(kinds()[name].quantity))
		require.Equal(t, key, req.Key)
		require.Equal(t, want.body, string(req.Body), name)
		require.Equal(t, want.destination, req.Destination)
	}
}

func TestPrepareLeavesToAPersonWhatWouldBeAGuess(t *testing.T) {
	t.Parallel()

	months, per := kinds()["FreeMonths"].quantity, kinds()["DiscountPer"].quantity
	mon, credits, cash := kinds()["DiscountMon"].quantity, kinds()["Credits"].quantity, kinds()["Cash"].quantity
	sub := func(field string, value any) func(*fakeStripe) {
		return func(f *fakeStripe) { f.sub()[field] = value }
	}
	customer := func(field string, value any) func(*fakeStripe) {
		return func(f *fakeStripe) { f.customers[customerID][field] = value }
	}
	for name, c := range map[string]struct {
		quantity reward.Quantity
		change   func(*fakeStripe)
		want     string
	}{
		"no subscription":       {months, func(f *fakeStripe) { f.subs = nil }, "has no subscription"},
		"several":               {months, func(f *fakeStripe) { f.subs = append(f.subs, subscription("sub_8")) }, "has 2 subscriptions"},
		"one is past due":       {months, sub("status", "past_due"), "is past_due, neither active nor trialing"},
		"one is incomplete":     {per, sub("status", "incomplete"), "is incomplete"},
		"cancelled":             {months, sub("status", "canceled"), "has no subscription"},
		"to be cancelled":       {months, sub("cancel_at_period_end", true), "is set to be cancelled"},
		"cancelled on a date":   {per, sub("cancel_at", 1801391400), "is set to be cancelled"},
		"paused":                {months, sub("pause_collection", object{"behavior": "void"}), "has its payments paused"},
		"schedule":              {months, sub("schedule", "sub_sched_1"), "run by a subscription schedule"},
		"mixed periods":         {months, sub("items", mixedItems()), "do not end their periods together"},
		"too many items":        {months, sub("items", object{"object": "list", "has_more": true, "data": []object{}}), "do not end"},
		"past date":             {reward.Quantity{Amount: 1, Unit: reward.FreeMonths}, sub("items", items(time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC))), "in the past"},
		"25 months":             {reward.Quantity{Amount: 25, Unit: reward.FreeMonths}, nil, "at most 24 months, not by 25"},
		"months beyond reason":  {reward.Quantity{Amount: math.MaxInt64, Unit: reward.FreeMonths}, nil, "at most 24 months"},
		"metadata full":         {months, sub("metadata", fullMetadata()), "is full"},
		"101 per cent":          {reward.Quantity{Amount: 101, Unit: reward.DiscountPer}, nil, "101 per cent is more than everything"},
		"customer's discount":   {per, customer("discount", attached("di_1", "summer")), "would displace"},
		"discount's currency":   {mon, sub("currency", "eur"), "currency is EUR, and discount_value does not name it"},
		"credit's currency":     {credits, customer("currency", "eur"), "currency is EUR, and credit_value does not name it"},
		"another's customer":    {credits, customer("email", "other@example.com"), "is not the promoter's"},
		"customer without mail": {credits, customer("email", nil), "has no e-mail address"},
		"deleted customer":      {credits, customer("deleted", true), "was deleted"},
		"unknown customer":      {credits, func(f *fakeStripe) { delete(f.customers, customerID) }, "Stripe knows no customer cus_9"},
		"another's account":     {cash, func(f *fakeStripe) { f.accounts[accountID]["email"] = "other@example.com" }, "account acct_5 is not the promoter's"},
		"unknown account":       {cash, func(f *fakeStripe) { delete(f.accounts, accountID) }, "Stripe knows no account acct_5"},
		"points":                {reward.Quantity{Amount: 1, Unit: reward.Points}, nil, "nothing like points"},
		"another unit":          {reward.Quantity{Amount: 1, Unit: "hugs"}, nil, "cannot deliver this unit"},
	} {
		fake := newFake()
		if c.change != nil {
			c.change(fake)
		}
		_, err := serve(t, fake).Prepare(t.Context(), order(c.quantity))
		require.ErrorContains(t, err, c.want, name)
		require.True(t, fault.Is(err, fault.Declined), "%s: %v", name, err)
		require.NotContains(t, err.Error(), "@", name)
		require.Empty(t, fake.posts(), name)
	}
}

func items(end time.Time) object {
	return object{"object": "list", "has_more": false, "data": []object{{"id": "si_1", "current_period_end": end.Unix()}}}
}

func mixedItems() object {
	end := periodEnds().Unix()
	return object{"object": "list", "has_more": false, "data": []object{
		{"id": "si_1", "current_period_end": end}, {"id": "si_2", "current_period_end": end + 1},
	}}
}

func fullMetadata() map[string]string {
	m := map[string]string{}
	for i := range 49 {
		m[fmt.Sprintf("team_%d", i)] = "x"
	}
	return m
}

func TestPrepareRefusesOrdersThatCannotBeWritten(t *testing.T) {
	t.Parallel()

	p := serve(t, newFake())
	for name, spoil := range map[string]func(*payout.Order){
		"no key":                func(o *payout.Order) { o.Key = "" },
		"long key":              func(o *payout.Order) { o.Key = "rf_" + fmt.Sprintf("%061d", 1) },
		"long key for a marker": func(o *payout.Order) { o.Key = "rf_" + fmt.Sprintf("%038d", 1) },
		"key with a slash":      func(o *payout.Order) { o.Key = "rf/1" },
		"no time":               func(o *payout.Order) { o.At = time.Time{} },
		"negative":              func(o *payout.Order) { o.Reward.Quantity.Amount = -1 },
	} {
		o := order(kinds()["FreeMonths"].quantity)
		spoil(&o)
		_, err := p.Prepare(t.Context(), o)
		require.True(t, fault.Is(err, fault.Invalid), "%s: %v", name, err)
	}
	for _, id := range []string{"", "9", "acct_5", "cus_", "cus_9/../cus_8", "cus_9?x", "cus_ä"} {
		o := order(kinds()["Credits"].quantity)
		o.Reward.Promoter.CustID = id
		_, err := p.Prepare(t.Context(), o)
		require.True(t, fault.Is(err, fault.Declined), "%q: %v", id, err)
	}
	for _, id := range []string{"", customerID, "acct_5/x"} {
		o := order(kinds()["Cash"].quantity)
		o.Reward.Promoter.CustID = id
		_, err := p.Prepare(t.Context(), o)
		require.ErrorContains(t, err, "acct_...", id)
	}
}

func TestEmailMatch(t *testing.T) {
	t.Parallel()

	fake := newFake()
	fake.customers[customerID]["email"] = "other@example.com"
	p := serve(t, fake, func(c *stripe.Config) { c.SkipEmailMatch = true })
	prepare(t, p, order(kinds()["Credits"].quantity))

	o := order(kinds()["Credits"].quantity)
	o.Reward.Promoter.Email = " "
	_, err := serve(t, newFake()).Prepare(t.Context(), o)
	require.ErrorContains(t, err, "the promoter has no e-mail address")
}

func TestMonthsAreCalendarMonths(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		base   string
		months int64
		want   string
	}{
		{"2027-01-31T10:30:00Z", 1, "2027-02-28T10:30:00Z"},
		{"2028-01-31T10:30:00Z", 1, "2028-02-29T10:30:00Z"},
		{"2027-01-31T10:30:00Z", 2, "2027-03-31T10:30:00Z"},
		{"2027-01-31T10:30:00Z", 13, "2028-02-29T10:30:00Z"},
		{"2027-01-15T00:00:00Z", 24, "2029-01-15T00:00:00Z"},
		{"2026-12-31T23:59:59Z", 2, "2027-02-28T23:59:59Z"},
		{"2028-02-29T12:00:00Z", 12, "2029-02-28T12:00:00Z"},
	} {
		base, err := time.Parse(time.RFC3339, c.base)
		require.NoError(t, err)
		want, err := time.Parse(time.RFC3339, c.want)
		require.NoError(t, err)
		fake := newFake()
		fake.sub()["items"] = items(base)
		req := prepare(t, serve(t, fake), order(reward.Quantity{Amount: c.months, Unit: reward.FreeMonths}))
		require.Contains(t, string(req.Body), fmt.Sprintf(`"trial_end":%d,`, want.Unix()), "%s and %d", c.base, c.months)
	}
}

func TestATrialIsCountedFromItsEnd(t *testing.T) {
	t.Parallel()

	fake := newFake()
	fake.sub()["status"], fake.sub()["trial_end"] = "trialing", periodEnds().AddDate(0, 0, 10).Unix()
	req := prepare(t, serve(t, fake), order(kinds()["FreeMonths"].quantity))
	require.Contains(t, string(req.Body), fmt.Sprintf(`"base":%d,`, periodEnds().AddDate(0, 0, 10).Unix()))
}

func TestMoneyIsNeverRounded(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		amount int64
		code   string
		want   string
	}{
		{1, "USD", `"amount":1,"currency":"usd"`},
		{math.MaxInt64, "USD", `"amount":9223372036854775807,"currency":"usd"`},
		{500, "JPY", `"amount":500,"currency":"jpy"`},
		{12340, "KWD", `"amount":12340,"currency":"kwd"`},
		{12345, "KWD", "the last of the three is not zero"},
		{5, "ISK", `"amount":500,"currency":"isk"`},
		{5, "UGX", `"amount":500,"currency":"ugx"`},
		{math.MaxInt64 / 50, "ISK", "beyond any amount"},
		{500, "MGA", `"amount":5,"currency":"mga"`},
		{550, "MGA", "no fraction of MGA"},
		{100, "usd", "is not a currency"},
		{100, "ZZZ", "is not a currency"},
		{100, "US", "is not a currency"},
	} {
		req, err := serve(t, newFake()).Prepare(t.Context(), order(reward.Quantity{Amount: c.amount, Unit: reward.Cash, Currency: c.code}))
		if err != nil {
			require.ErrorContains(t, err, c.want)
			require.Contains(t, []fault.Kind{fault.Invalid, fault.Declined}, fault.KindOf(err))
			continue
		}
		require.Contains(t, string(req.Body), c.want)
	}
}

func TestWhatACreditIsWorth(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		values   map[string]int64
		currency any
		amount   int64
		want     string
	}{
		"customer's currency":   {map[string]int64{"USD": 100, "EUR": 90}, "eur", 5, `"amount":-450,"currency":"eur"`},
		"no currency, one rate": {map[string]int64{"EUR": 90}, nil, 5, `"amount":-450,"currency":"eur"`},
		"special minor units":   {map[string]int64{"ISK": 150}, "isk", 2, `"amount":-30000,"currency":"isk"`},
		"no currency, several":  {map[string]int64{"USD": 100, "EUR": 90}, nil, 5, "names several"},
		"nothing configured":    {nil, "usd", 5, "set credit_value for the provider"},
		"beyond int64":          {map[string]int64{"USD": 100}, "usd", math.MaxInt64/100 + 1, "beyond any amount"},
		"up to int64":           {map[string]int64{"USD": 1}, "usd", math.MaxInt64, `"amount":-9223372036854775807,`},
	} {
		fake := newFake()
		fake.customers[customerID]["currency"] = c.currency
		p := serve(t, fake, func(cfg *stripe.Config) { cfg.CreditValue = c.values })
		req, err := p.Prepare(t.Context(), order(reward.Quantity{Amount: c.amount, Unit: reward.Credits}))
		if err != nil {
			require.ErrorContains(t, err, c.want, name)
			continue
		}
		require.Contains(t, string(req.Body), c.want, name)
	}
}

func TestDiscountsNeedAValue(t *testing.T) {
	t.Parallel()

	p := serve(t, newFake(), func(c *stripe.Config) { c.DiscountValue = nil })
	_, err := p.Prepare(t.Context(), order(kinds()["DiscountMon"].quantity))
	require.ErrorContains(t, err, "set discount_value for the provider")
	prepare(t, p, order(kinds()["DiscountPer"].quantity))
}

// A read that fails says nothing about the order: it is asked again.
func TestPrepareTellsAFailureFromARefusal(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		status int
		body   string
		want   fault.Kind
	}{
		{401, errorBody(401), fault.Denied},
		{403, errorBody(403), fault.Denied},
		{404, `{"error":{"type":"invalid_request_error","code":"resource_missing"}}`, fault.Declined},
		{400, errorBody(400), fault.Declined},
		{409, errorBody(409), fault.Unavailable},
		{429, errorBody(429), fault.Throttled},
		{500, errorBody(500), fault.Unavailable},
		{503, "<html>", fault.Unavailable},
		{200, "<html>", fault.Unavailable},
		{200, `{}`, fault.Unavailable},
		{200, `{"id":"cus_other","email":"p@example.com"}`, fault.Unavailable},
		{302, `{"id":"cus_9","email":"p@example.com"}`, fault.Unavailable},
	} {
		p := serve(t, answering(c.status, c.body, http.Header{"Retry-After": {"7"}}))
		_, err := p.Prepare(t.Context(), order(kinds()["Credits"].quantity))
		require.Equal(t, c.want, fault.KindOf(err), "%d %s: %v", c.status, c.body, err)
		if c.want == fault.Throttled {
			require.Equal(t, 7*time.Second, fault.RetryAfter(err))
		}
		requireSafe(t, err.Error())
	}
}

func answering(status int, body string, header http.Header) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name := range header {
			w.Header().Set(name, header.Get(name))
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	})
}

func requireSafe(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{apiKey, email, "@", "://", "<html>"} {
		require.NotContains(t, text, secret)
	}
}
