package api_test

import (
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// entry is a payout in a statement, as the ledger gives it.
func entry(id reward.ID, at time.Time) ledger.Entry {
	return ledger.Entry{
		Payout: ledger.Payout{
			RewardID: id, Generation: 1, Provider: "payouts", State: payout.Paid, Reference: "txn_1",
			Quantity: reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"},
			Request:  payout.Request{Key: payout.Key(id, 1), Destination: "account 7", Body: []byte("FROZEN BYTES")},
			PaidAt:   at,
		},
		At: at, Money: ledger.MoneyLeft, Status: reward.Closing,
		Promoter: reward.Promoter{ID: 5272969, CustID: "cus_1", Email: "jane@example.com"},
		Campaign: reward.Campaign{ID: 17476, Name: "Main"},
	}
}

func TestStatementShowsPayoutsAsDesigned(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.ledger.entries = func(f ledger.PayoutFilter, after ledger.PayoutCursor, limit int) ([]ledger.Entry, error) {
		require.Equal(t, ledger.PayoutFilter{}, f)
		require.Equal(t, ledger.PayoutCursor{}, after)
		require.Equal(t, 50, limit)
		full := entry(7, noon())
		full.Payout.Generation, full.Payout.Detail, full.OtherReferences = 2, "delivered", []string{"txn_0"}
		full.Payout.ReservedAt, full.Payout.FirstSentAt, full.LastSentAt = noon().Add(-3*time.Hour), noon().Add(-2*time.Hour), noon().Add(-time.Hour)
		full.ReturnedAt, full.ClosedAt = noon().Add(-90*time.Minute), noon().Add(time.Minute)
		full.PolicyVersion, full.Rule, full.ByHand = "p1", "amount > 10", true
		full.Approvals = []ledger.Approval{{By: "alice", Verified: true, At: noon().Add(-4 * time.Hour)}}
		full.Resolution = reward.Resolution{ID: "res-1", Action: reward.ActionPaid, Reference: "txn_1", Evidence: "page 3", Comment: "bank", By: "bob", Verified: true, At: noon()}
		return []ledger.Entry{full, entry(8, noon())}, nil
	}
	rec := a.do(t, http.MethodGet, "/api/v1/payouts", "")
	require.Equal(t, http.StatusOK, rec.Code)
	require.JSONEq(t, `{"payouts":[{
		"reward_id":7,"status":"closing","state":"paid","money":"left","at":"2026-11-23T12:00:00Z",
		"quantity":{"amount":1250,"unit":"cash","currency":"USD"},"provider":"payouts","reference":"txn_1","other_references":["txn_0"],
		"key":"rf_7_1","generation":2,"destination":"account 7","detail":"delivered",
		"promoter":{"id":5272969,"cust_id":"cus_1"},"campaign":{"id":17476,"name":"Main"},
		"policy_version":"p1","rule":"amount > 10","approvals":[{"by":"alice","verified":true,"at":"2026-11-23T08:00:00Z"}],
		"by_hand":true,"resolution":{"id":"res-1","action":"paid","provider":"","reference":"txn_1","evidence":"page 3","comment":"bank","by":"bob",
			"verified":true,"at":"2026-11-23T12:00:00Z"},
		"reserved_at":"2026-11-23T09:00:00Z","first_sent_at":"2026-11-23T10:00:00Z","last_sent_at":"2026-11-23T11:00:00Z",
		"paid_at":"2026-11-23T12:00:00Z","returned_at":"2026-11-23T10:30:00Z","closed_at":"2026-11-23T12:01:00Z"
	},{
		"reward_id":8,"status":"closing","state":"paid","money":"left","at":"2026-11-23T12:00:00Z",
		"quantity":{"amount":1250,"unit":"cash","currency":"USD"},"provider":"payouts","reference":"txn_1","other_references":[],
		"key":"rf_8_1","generation":1,"destination":"account 7","detail":"",
		"promoter":{"id":5272969,"cust_id":"cus_1"},"campaign":{"id":17476,"name":"Main"},
		"policy_version":"","rule":"","approvals":[],"by_hand":false,"paid_at":"2026-11-23T12:00:00Z"
	}]}`, rec.Body.String())
	require.NotContains(t, rec.Body.String(), "FROZEN")
	require.NotContains(t, rec.Body.String(), "jane@")

	require.Contains(t, a.do(t, http.MethodGet, "/api/v1/payouts?email=true", "").Body.String(), `"email":"jane@example.com"`)
	require.JSONEq(t, `{"payouts":[]}`, newAPITest(t).do(t, http.MethodGet, "/api/v1/payouts", "").Body.String())
}

func TestStatementFilters(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	var listed, summed ledger.PayoutFilter
	a.ledger.entries = func(f ledger.PayoutFilter, _ ledger.PayoutCursor, limit int) ([]ledger.Entry, error) {
		listed = f
		require.Equal(t, 500, limit)
		return nil, nil
	}
	a.ledger.totals = func(f ledger.PayoutFilter) ([]ledger.PayoutTotal, error) {
		summed = f
		return nil, nil
	}
	query := "?from=2026-11-01&to=2026-12-01T02:00:00.5%2B02:00&state=paid,%20unknown&state=returned&unit=cash&provider=payouts"
	require.Equal(t, http.StatusOK, a.do(t, http.MethodGet, "/api/v1/payouts"+query+"&limit=500", "").Code)
	require.Equal(t, http.StatusOK, a.do(t, http.MethodGet, "/api/v1/payouts/totals"+query, "").Code)
	require.Equal(t, ledger.PayoutFilter{
		From:   time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		To:     time.Date(2026, 12, 1, 0, 0, 0, 500_000_000, time.UTC),
		States: []payout.State{payout.Paid, payout.Unknown, payout.Returned},
		Unit:   reward.Cash, Provider: "payouts",
	}, listed)
	require.Equal(t, listed, summed, "the sums are of what is listed")
}

func TestStatementRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	for query, words := range map[string]string{
		"since=2026-11-01":               `"since" is not known here`,
		"from=november":                  `"from" is neither a day`,
		"to=2026-11-31":                  `"to" is neither a day`,
		"to=2026-11-01T00:00:00":         `"to" is neither a day`,
		"from=1969-12-31":                `after 1970`,
		"from=2026-11-01&to=2026-11-01":  `the period is empty`,
		"from=2026-12-01&to=2026-11-01":  `the period is empty`,
		"state=payed":                    `"payed" is not a state of a payout: there are reserved, `,
		"state=fulfilled":                `"fulfilled" is not a state`,
		"from=2026-11-01&from=&to=x&x=1": `"x" is not known here`,
	} {
		for _, path := range []string{"/api/v1/payouts?", "/api/v1/payouts/totals?"} {
			rec := a.do(t, http.MethodGet, path+query, "")
			require.Equal(t, http.StatusBadRequest, rec.Code, query)
			require.Contains(t, decode[problem](t, rec).Detail, words, query)
		}
	}
	for query, words := range map[string]string{
		"email=yes":               `"email" is neither true nor false`,
		"limit=501":               `"limit" is not a whole number from 1 to 500`,
		"cursor=x":                `"cursor" is not one`,
		"cursor=MTc5NTQyNDAwMC43": `"cursor" is not one`, // Of the list of rewards.
		"cursor=cA":               `"cursor" is not one`,
	} {
		rec := a.do(t, http.MethodGet, "/api/v1/payouts?"+query, "")
		require.Equal(t, http.StatusBadRequest, rec.Code, query)
		require.Contains(t, decode[problem](t, rec).Detail, words, query)
	}
	require.Equal(t, http.StatusBadRequest, a.do(t, http.MethodGet, "/api/v1/payouts/totals?limit=5", "").Code)
}

func TestStatementPagesJoinUp(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	var all []ledger.Entry
	for id := range reward.ID(7) {
		all = append(all, entry(id+1, noon().Add(time.Duration(id/2)*time.Millisecond))) // Two share a time.
	}
	a.ledger.entries = func(_ ledger.PayoutFilter, after ledger.PayoutCursor, limit int) ([]ledger.Entry, error) {
		var out []ledger.Entry
		for _, e := range all {
			behind := e.At.After(after.At) || e.At.Equal(after.At) && e.Payout.RewardID > after.RewardID
			if behind && len(out) < limit {
				out = append(out, e)
			}
		}
		return out, nil
	}
	var seen []reward.ID
	cursor := ""
	for range 10 {
		got := decode[struct {
			Payouts []struct {
				RewardID reward.ID `json:"reward_id"`
			} `json:"payouts"`
			NextCursor string `json:"next_cursor"`
		}](t, a.do(t, http.MethodGet, "/api/v1/payouts?limit=2&cursor="+url.QueryEscape(cursor), ""))
		for _, p := range got.Payouts {
			seen = append(seen, p.RewardID)
		}
		if cursor = got.NextCursor; cursor == "" {
			break
		}
	}
	require.Equal(t, []reward.ID{1, 2, 3, 4, 5, 6, 7}, seen)
	require.Empty(t, cursor)
}

func TestPayoutTotalsAreWholeNumbersOfAnySize(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	require.JSONEq(t, `{"totals":[]}`, a.do(t, http.MethodGet, "/api/v1/payouts/totals", "").Body.String())
	sum, _ := new(big.Int).SetString("27670116110564327421", 10)
	a.ledger.totals = func(ledger.PayoutFilter) ([]ledger.PayoutTotal, error) {
		return []ledger.PayoutTotal{
			{State: payout.Paid, Money: ledger.MoneyLeft, Unit: reward.Cash, Currency: "USD", Count: 2, Amount: big.NewInt(12500)},
			{State: payout.Unknown, Money: ledger.MoneyMayHaveLeft, Unit: reward.Points, Count: 3, Amount: sum},
		}, nil
	}
	require.Equal(t, `{"totals":[{"state":"paid","money":"left","unit":"cash","currency":"USD","count":2,"amount":12500},`+
		`{"state":"unknown","money":"may_have_left","unit":"points","count":3,"amount":27670116110564327421}]}`,
		a.do(t, http.MethodGet, "/api/v1/payouts/totals", "").Body.String())
}

func TestStatementThatCannotBeReadIsNotEmpty(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.ledger.entries = func(ledger.PayoutFilter, ledger.PayoutCursor, int) ([]ledger.Entry, error) {
		return nil, errors.New("boom")
	}
	a.ledger.totals = func(ledger.PayoutFilter) ([]ledger.PayoutTotal, error) { return nil, errors.New("boom") }
	for _, path := range []string{"/api/v1/payouts", "/api/v1/payouts/totals"} {
		require.Equal(t, http.StatusInternalServerError, a.do(t, http.MethodGet, path, "").Code)
	}
}

// Whoever reads the document finds the states that there are.
func TestDocumentKnowsTheStatesOfAPayout(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	var states, moneys []any
	for _, s := range payout.States() {
		states = append(states, string(s))
	}
	for _, m := range []ledger.Money{ledger.MoneyLeft, ledger.MoneyMayHaveLeft, ledger.MoneyCameBack, ledger.MoneyStayed} {
		moneys = append(moneys, string(m))
	}
	require.Equal(t, states, a.document.Components.Schemas["PayoutState"].Value.Enum)
	require.Equal(t, moneys, a.document.Components.Schemas["Money"].Value.Enum)
}
