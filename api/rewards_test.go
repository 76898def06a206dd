package api_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// record is a reward as the ledger holds it.
func record(id reward.ID, status reward.Status) ledger.Record {
	return ledger.Record{
		Reward: reward.Reward{
			ID:       id,
			Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
			Promoter: reward.Promoter{ID: 5272969, CustID: "cus_1", Email: "jane@example.com"},
			Campaign: reward.Campaign{ID: 17476, Name: "Main"},
		},
		Verified:   true,
		Status:     status,
		Reason:     "the reason",
		Provider:   "billing",
		Digest:     "d1",
		ReceivedAt: noon().Add(-time.Hour),
		UpdatedAt:  noon().Add(-time.Minute),
	}
}

type page struct {
	Rewards []struct {
		ID reward.ID `json:"id"`
	} `json:"rewards"`
	NextCursor string `json:"next_cursor"`
}

func TestListShowsRewardsAsDesigned(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.ledger.list = func(f ledger.Filter) ([]ledger.Record, error) {
		require.Equal(t, ledger.Filter{Limit: 50}, f)
		return []ledger.Record{record(2429153, reward.AwaitingApproval)}, nil
	}
	rec := a.do(t, http.MethodGet, "/api/v1/rewards", "")

	require.Equal(t, http.StatusOK, rec.Code)
	require.JSONEq(t, `{"rewards":[{
		"id":2429153,"status":"awaiting_approval","quantity":{"amount":3,"unit":"free_months"},
		"promoter":{"id":5272969,"cust_id":"cus_1","email":"jane@example.com"},"campaign":{"id":17476,"name":"Main"},
		"provider":"billing","reason":"the reason","digest":"d1","workflow_id":"fulfilment-2429153",
		"received_at":"2026-11-23T11:00:00Z","updated_at":"2026-11-23T11:59:00Z"}]}`, rec.Body.String())
	require.JSONEq(t, `{"rewards":[]}`, newAPITest(t).do(t, http.MethodGet, "/api/v1/rewards", "").Body.String())
}

func TestListFilters(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	var got ledger.Filter
	a.ledger.list = func(f ledger.Filter) ([]ledger.Record, error) {
		got = f
		return nil, nil
	}
	rec := a.do(t, http.MethodGet, "/api/v1/rewards?status=held,%20paid&status=attention&promoter=5272969&unit=credits&limit=500", "")
	require.Equal(t, http.StatusOK, rec.Code)
	require.Equal(t, ledger.Filter{
		Statuses: []reward.Status{reward.Held, reward.Paid, reward.Attention},
		Promoter: 5272969, Unit: reward.Credits, Limit: 500,
	}, got)
}

func TestListRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	for query, words := range map[string]string{
		"state=held":              `"state" is not known here`,
		"status=helt":             `"helt" is not a status`,
		"promoter=jane":           `"promoter" is not a whole number`,
		"promoter=-1":             `"promoter" is not a whole number`,
		"limit=0":                 `"limit" is not a whole number from 1 to 500`,
		"limit=501":               `"limit"`,
		"limit=ten":               `"limit"`,
		"limit=1e2":               `"limit"`,
		"cursor=x":                `"cursor" is not one`,
		"cursor=MTIz":             `"cursor" is not one`,
		"cursor=MTIzLi0x":         `"cursor" is not one`,
		"cursor=%2e%2e%2f":        `"cursor" is not one`,
		"cursor=OTk5LjEyMzQ1NmFi": `"cursor" is not one`,
	} {
		rec := a.do(t, http.MethodGet, "/api/v1/rewards?"+query, "")
		require.Equal(t, http.StatusBadRequest, rec.Code, query)
		require.Contains(t, decode[problem](t, rec).Detail, words, query)
	}
}

// The pages together show every reward once.
func TestPagesJoinUp(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	var all []ledger.Record
	for id := reward.ID(7); id >= 1; id-- {
		r := record(id, reward.Paid)
		r.ReceivedAt = noon().Add(time.Duration(id/2) * time.Millisecond) // Two share a time.
		all = append(all, r)
	}
	a.ledger.list = func(f ledger.Filter) ([]ledger.Record, error) { return pageOf(all, f), nil }

	var seen []reward.ID
	cursor := ""
	for range 10 {
		got := decode[page](t, a.do(t, http.MethodGet, "/api/v1/rewards?limit=2&cursor="+url.QueryEscape(cursor), ""))
		for _, r := range got.Rewards {
			seen = append(seen, r.ID)
		}
		if cursor = got.NextCursor; cursor == "" {
			break
		}
	}
	require.Equal(t, []reward.ID{7, 6, 5, 4, 3, 2, 1}, seen)
	require.Empty(t, cursor)
}

// pageOf does what the ledger does with a filter's place and length.
func pageOf(all []ledger.Record, f ledger.Filter) []ledger.Record {
	var out []ledger.Record
	for _, r := range all {
		after := f.Before.ID == 0 || r.ReceivedAt.Before(f.Before.ReceivedAt) ||
			r.ReceivedAt.Equal(f.Before.ReceivedAt) && r.Reward.ID < f.Before.ID
		if after && len(out) < f.Limit {
			out = append(out, r)
		}
	}
	return out
}

// settling fills the ledger with a reward that has been through everything.
func (d *ledgerDouble) settling() {
	d.reward = func(reward.ID) (ledger.Record, error) {
		r := record(2429153, reward.Settling)
		r.PolicyVersion, r.Rule, r.Role, r.Approvals = "p1", "amount > 10", "finance", 2
		r.NextTimer, r.HoldUntil = noon().Add(time.Hour), noon().Add(2*time.Hour)
		r.Closing = ledger.CloseState{By: ledger.ClosedByAPI, Call: ledger.CallUnknown, PaidAt: noon()}
		return r, nil
	}
	d.tally = func(reward.ID) (ledger.Tally, error) {
		return ledger.Tally{Approvals: 2, Needed: 2, Approved: true}, nil
	}
	d.decisions = func(reward.ID) ([]ledger.Recorded, error) {
		return []ledger.Recorded{{Decision: reward.Decision{
			ID: "dec-1", RewardID: 2429153, By: "alice", Verified: true, Roles: []string{"finance"}, Lane: reward.LaneAPI,
			Verdict: reward.Approve, Comment: "fine", Digest: "d1", At: noon(),
		}, Counted: true}}, nil
	}
	d.resolutions = []reward.Resolution{{ID: "res-1", Action: reward.ActionRetry, Evidence: "ticket 7", By: "bob", At: noon()}}
	d.attempts = []ledger.Attempt{{
		Generation: 1, Number: 1, Kind: ledger.AttemptSend, Provider: "billing", Key: "rf_2429153_1",
		StartedAt: noon(), Deadline: noon().Add(time.Minute), Outcome: "accepted", Reference: "txn_1", Detail: "taken",
	}}
	d.deliveries = []ledger.Delivery{{At: noon(), Type: "fulfilment_pending", EventID: "22737431", Answer: 202, WorkflowID: "fulfilment-2429153"}}
	d.changes = []ledger.Change{{At: noon(), To: reward.Received, Reason: "an event came in", Actor: "intake"}}
	d.payout = func(reward.ID) (ledger.Payout, error) {
		return ledger.Payout{
			Generation: 1, Provider: "billing", Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
			Request: payout.Request{Key: "rf_2429153_1", Destination: "customer cus_1", Body: []byte("FROZEN BYTES")},
			State:   payout.Settling, Reference: "txn_1", Detail: "taken", ReservedAt: noon(), FirstSentAt: noon(), UpdatedAt: noon(),
		}, nil
	}
}

func TestShowTellsTheWholeStory(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.ledger.settling()
	rec := a.do(t, http.MethodGet, "/api/v1/rewards/2429153", "")

	require.Equal(t, http.StatusOK, rec.Code)
	require.JSONEq(t, `{
		"id":2429153,"status":"settling","quantity":{"amount":3,"unit":"free_months"},
		"promoter":{"id":5272969,"cust_id":"cus_1","email":"jane@example.com"},"campaign":{"id":17476,"name":"Main"},
		"provider":"billing","reason":"the reason","digest":"d1","workflow_id":"fulfilment-2429153",
		"received_at":"2026-11-23T11:00:00Z","updated_at":"2026-11-23T11:59:00Z",
		"verified":true,"defect":"","policy_version":"p1","rule":"amount > 10","role":"finance","approvals":2,"needed":2,
		"hold_until":"2026-11-23T14:00:00Z","next_timer":"2026-11-23T13:00:00Z",
		"waiting_for":["the provider billing to finish the payout"],
		"payout":{"state":"settling","key":"rf_2429153_1","provider":"billing","destination":"customer cus_1","reference":"txn_1",
			"generation":1,"quantity":{"amount":3,"unit":"free_months"},"detail":"taken","reserved_at":"2026-11-23T12:00:00Z",
			"first_sent_at":"2026-11-23T12:00:00Z","updated_at":"2026-11-23T12:00:00Z"},
		"closing":{"by":"api","call":"unknown","paid_at":"2026-11-23T12:00:00Z"},
		"decisions":[{"id":"dec-1","decision":"approve","by":"alice","verified":true,"roles":["finance"],"lane":"api",
			"comment":"fine","digest":"d1","at":"2026-11-23T12:00:00Z","counted":true,"refusal":""}],
		"resolutions":[{"id":"res-1","action":"retry","provider":"","reference":"","evidence":"ticket 7","comment":"","by":"bob","verified":false,
			"at":"2026-11-23T12:00:00Z"}],
		"attempts":[{"number":1,"generation":1,"kind":"send","provider":"billing","key":"rf_2429153_1",
			"started_at":"2026-11-23T12:00:00Z","deadline":"2026-11-23T12:01:00Z","outcome":"accepted","reference":"txn_1","detail":"taken"}],
		"retry_budget":{"spent":0,"of":7,"open":false},
		"deliveries":[{"at":"2026-11-23T12:00:00Z","type":"fulfilment_pending","event_id":"22737431","answer":202,
			"duplicate":false,"workflow_id":"fulfilment-2429153"}],
		"history":[{"at":"2026-11-23T12:00:00Z","from":"","to":"received","reason":"an event came in","actor":"intake"}],
		"links":{"self":"/api/v1/rewards/2429153",
			"workflow":"http://127.0.0.1:8233/namespaces/default/workflows/fulfilment-2429153"}}`, rec.Body.String())
	require.NotContains(t, rec.Body.String(), "FROZEN")
}

func TestShowOfAYoungRewardHasListsAndNoNull(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, func(a *apiTest) { a.cfg.TemporalUIURL = "" })
	a.ledger.reward = func(id reward.ID) (ledger.Record, error) {
		return ledger.Record{Reward: reward.Reward{ID: id}, Status: reward.Received, ReceivedAt: noon(), UpdatedAt: noon()}, nil
	}
	rec := a.do(t, http.MethodGet, "/api/v1/rewards/7", "")
	require.Equal(t, http.StatusOK, rec.Code)
	require.NotContains(t, rec.Body.String(), "null")
	require.NotContains(t, rec.Body.String(), "0001-01-01")
	require.NotContains(t, rec.Body.String(), `"payout"`)
	require.NotContains(t, rec.Body.String(), `"workflow":`)
}

func TestShowFailsWhole(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	require.Equal(t, http.StatusNotFound, a.do(t, http.MethodGet, "/api/v1/rewards/7", "").Code)
	for _, id := range []string{"0", "-7", "seven", "7.0", "99999999999999999999", "%20"} {
		require.Equal(t, http.StatusBadRequest, a.do(t, http.MethodGet, "/api/v1/rewards/"+id, "").Code, id)
	}
	a.ledger.reward = func(reward.ID) (ledger.Record, error) { return record(7, reward.Paid), nil }
	a.ledger.payout = func(reward.ID) (ledger.Payout, error) {
		return ledger.Payout{}, fault.New(fault.Unavailable, "sqlite.payout", "the database is locked")
	}
	require.Equal(t, http.StatusServiceUnavailable, a.do(t, http.MethodGet, "/api/v1/rewards/7", "").Code)
	a.ledger.decisions = func(reward.ID) ([]ledger.Recorded, error) { return nil, errors.New("boom") }
	require.Equal(t, http.StatusInternalServerError, a.do(t, http.MethodGet, "/api/v1/rewards/7", "").Code)
}

func TestEveryStatusSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()

	for _, status := range reward.Statuses() {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()

			a := newAPITest(t)
			a.ledger.reward = func(id reward.ID) (ledger.Record, error) { return record(id, status), nil }
			got := decode[struct {
				WaitingFor []string `json:"waiting_for"`
			}](t, a.do(t, http.MethodGet, "/api/v1/rewards/7", ""))
			require.Equal(t, status.Final(), len(got.WaitingFor) == 0, "%v", got.WaitingFor)
		})
	}
}

func TestWaitingForInWords(t *testing.T) {
	t.Parallel()

	asked := func(r *ledger.Record) { r.Approvals, r.Role = 2, "finance" }
	for name, row := range map[string]struct {
		status reward.Status
		edit   func(*ledger.Record)
		tally  ledger.Tally
		want   []string
	}{
		"approval": {reward.AwaitingApproval, asked, ledger.Tally{Approvals: 1, Needed: 2}, []string{"1 of 2 approvals, role finance"}},
		"approval of any role": {
			reward.AwaitingApproval, func(r *ledger.Record) { r.Approvals = 1 },
			ledger.Tally{Needed: 1},
			[]string{"0 of 1 approvals, role approver or finance"},
		},
		"held": {reward.Held, func(*ledger.Record) {}, ledger.Tally{}, []string{"the reason"}},
		"held until": {
			reward.Held, func(r *ledger.Record) { r.HoldUntil = noon() },
			ledger.Tally{},
			[]string{"the reason", "the hold to end at 2026-11-23T12:00:00Z"},
		},
		"held by silence": {
			reward.Held, asked,
			ledger.Tally{Approvals: 1, Needed: 2},
			[]string{"the reason", "1 of 2 approvals, role finance"},
		},
		"held by the brake after approval": {
			reward.Held, asked,
			ledger.Tally{Approvals: 2, Needed: 2, Approved: true},
			[]string{"the reason"},
		},
		"settling by hand": {
			reward.Settling, func(r *ledger.Record) { r.Provider = "people" },
			ledger.Tally{},
			[]string{"a person to pay it and record the reference: rewardflow resolve 7 paid --reference REF"},
		},
		"attention": {
			reward.Attention, func(*ledger.Record) {},
			ledger.Tally{},
			[]string{
				"a person: the reason",
				"rewardflow resolve 7 with retry, reroute --provider NAME, paid --reference REF, reject --comment TEXT or abandon --comment TEXT",
			},
		},
		"paying without a provider": {reward.Paying, func(r *ledger.Record) { r.Provider = "" }, ledger.Tally{}, []string{"the provider to answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			a := newAPITest(t, withProviders)
			a.ledger.reward = func(id reward.ID) (ledger.Record, error) {
				r := record(id, row.status)
				row.edit(&r)
				return r, nil
			}
			a.ledger.tally = func(reward.ID) (ledger.Tally, error) { return row.tally, nil }
			got := decode[struct {
				WaitingFor []string `json:"waiting_for"`
			}](t, a.do(t, http.MethodGet, "/api/v1/rewards/7", ""))
			require.Equal(t, row.want, got.WaitingFor)
		})
	}
}
