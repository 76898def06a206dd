package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const decisionURL = "/api/v1/rewards/2429153/decision"

func withProviders(a *apiTest) {
	a.cfg.Providers = []api.Provider{{Name: "billing"}, {Name: "people", ByHand: true}}
}

func TestDecisionOfAnOperatorIsVerified(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, func(a *apiTest) { a.cfg.Operators = []api.Operator{operator("alice", "approver", "finance")} })
	var got reward.Decision
	a.desk.decide = func(d reward.Decision) (ledger.Tally, error) {
		got = d
		return ledger.Tally{Decision: ledger.Recorded{Decision: d, Counted: true}, Approvals: 1, Needed: 2}, nil
	}
	rec := a.do(t, http.MethodPost, decisionURL, `{"decision":"approve","digest":"d1","comment":"  looks right "}`, bearer(token("alice")))

	require.Equal(t, http.StatusOK, rec.Code)
	id, err := uuid.Parse(got.ID)
	require.NoError(t, err)
	require.Equal(t, uuid.Version(7), id.Version())
	require.Equal(t, reward.Decision{
		ID: got.ID, RewardID: 2429153, By: "alice", Verified: true, Roles: []string{"approver", "finance"}, Lane: reward.LaneAPI,
		Verdict: reward.Approve, Comment: "looks right", Digest: "d1", At: noon(),
	}, got)
	require.JSONEq(t, `{"decision":{"id":"`+got.ID+`","decision":"approve","by":"alice","verified":true,
		"roles":["approver","finance"],"lane":"api","comment":"looks right","digest":"d1","at":"2026-11-23T12:00:00Z",
		"counted":true,"refusal":""},"repeated":false,"approvals":1,"needed":2,"approved":false,"rejected":false}`, rec.Body.String())
	require.Equal(t, 1, a.counter(t, "rewardflow_decisions_total", map[string]string{"decision": "approve", "result": "counted"}))
}

func TestDecisionWithoutOperatorsIsUnverified(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	var got reward.Decision
	a.desk.decide = func(d reward.Decision) (ledger.Tally, error) {
		got = d
		return ledger.Tally{Decision: ledger.Recorded{Decision: d, Counted: true}}, nil
	}
	require.Equal(t, http.StatusOK, a.do(t, http.MethodPost, decisionURL, `{"decision":"reject"}`).Code)
	require.Equal(t, "local", got.By)
	require.False(t, got.Verified)
	require.Equal(t, api.Roles(), got.Roles)
	require.Empty(t, got.Digest)
}

func TestDecisionOfAnOperatorNeedsADigest(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withOperators)
	a.desk.decide = func(reward.Decision) (ledger.Tally, error) { panic("must not be reached") }
	rec := a.do(t, http.MethodPost, decisionURL, `{"decision":"approve"}`, bearer(token("finance")))
	require.Equal(t, http.StatusBadRequest, rec.Code)
	require.Contains(t, decode[problem](t, rec).Detail, "GET /api/v1/rewards/2429153 first")
}

func TestRefusedDecisionIsAConflictInWords(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withOperators)
	a.desk.decide = func(d reward.Decision) (ledger.Tally, error) {
		return ledger.Tally{Decision: ledger.Recorded{Decision: d, Refusal: "alice approved it already"}}, nil
	}
	rec := a.do(t, http.MethodPost, decisionURL, `{"decision":"approve","digest":"d1"}`, bearer(token("finance")))
	require.Equal(t, http.StatusConflict, rec.Code)
	p := a.requireProblem(t, rec)
	require.Equal(t, "decision_refused", p.Code)
	require.Contains(t, p.Detail, "alice approved it already")
	require.Equal(t, 1, a.counter(t, "rewardflow_decisions_total", map[string]string{"decision": "approve", "result": "refused"}))
}

func TestDeskThatDeniesIsForbidden(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.desk.decide = func(reward.Decision) (ledger.Tally, error) {
		return ledger.Tally{}, fault.New(fault.Denied, "desk.decide", "the policy asks for finance")
	}
	require.Equal(t, http.StatusForbidden, a.do(t, http.MethodPost, decisionURL, `{"decision":"approve"}`).Code)
}

// A repeated key gives the recorded decision back, to the same caller, about
// the same reward, saying the same.
func TestIdempotencyKeyMakesADecisionRepeatable(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, func(a *apiTest) {
		a.cfg.Operators = []api.Operator{operator("alice", "approver"), operator("bob", "approver")}
	})
	recorded := map[string]reward.Decision{}
	a.desk.decide = func(d reward.Decision) (ledger.Tally, error) {
		first, repeated := recorded[d.ID]
		if !repeated {
			recorded[d.ID], first = d, d
		}
		return ledger.Tally{Decision: ledger.Recorded{Decision: first, Counted: true}, Repeated: repeated}, nil
	}
	decide := func(who, path, body, key string) (int, bool) {
		rec := a.do(t, http.MethodPost, path, body, bearer(token(who)), header("Idempotency-Key", key))
		got := decode[struct {
			Repeated bool `json:"repeated"`
		}](t, rec)
		return rec.Code, got.Repeated
	}
	approve, reject := `{"decision":"approve","digest":"d1"}`, `{"decision":"reject","digest":"d1"}`

	status, repeated := decide("alice", decisionURL, approve, "key-0001")
	require.Equal(t, 200, status)
	require.False(t, repeated)
	status, repeated = decide("alice", decisionURL, approve, `"key-0001"`)
	require.Equal(t, 200, status)
	require.True(t, repeated)
	require.Equal(t, 1, a.counter(t, "rewardflow_decisions_total", map[string]string{"decision": "approve", "result": "repeated"}))

	status, _ = decide("alice", decisionURL, reject, "key-0001")
	require.Equal(t, 422, status, "the key stands for another decision")
	status, _ = decide("alice", decisionURL, `{"decision":"approve","digest":"d2"}`, "key-0001")
	require.Equal(t, 422, status, "the key stands for what was shown then")
	status, repeated = decide("bob", decisionURL, approve, "key-0001")
	require.Equal(t, 200, status)
	require.False(t, repeated, "bob's key is not alice's")
	status, repeated = decide("alice", "/api/v1/rewards/7/decision", approve, "key-0001")
	require.Equal(t, 200, status)
	require.False(t, repeated, "another reward is another matter")
	require.Len(t, recorded, 3)

	for _, key := range []string{"short", strings.Repeat("x", 65), "with blank", "a/b/c/d/e"} {
		status, _ = decide("alice", decisionURL, approve, key)
		require.Equal(t, 400, status, key)
	}
}

func TestDecisionBodyIsReadStrictly(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.desk.decide = func(reward.Decision) (ledger.Tally, error) { panic("must not be reached") }
	for body, words := range map[string]string{
		``:                                      "the body is empty",
		`   `:                                   "the body is empty",
		`approve`:                               "the body is not JSON",
		`{"decision":"approve"`:                 "the body is not JSON",
		`[]`:                                    "the body is not a JSON object",
		`"approve"`:                             "the body is not a JSON object",
		`null`:                                  `"decision" is neither`,
		`{}`:                                    `"decision" is neither`,
		`{"decision":"yes"}`:                    `"decision" is neither`,
		`{"decision":"Approve"}`:                `"decision" is neither`,
		`{"decision":true}`:                     `"decision" cannot be a bool`,
		`{"decision":"approve","by":"mallory"}`: `the field "by" is not known here`,
		`{"decision":"approve"}{}`:              "goes on after its JSON object",
		`{"decision":"approve"} x`:              "goes on after its JSON object",
		`{"decision":"approve","comment":7}`:    `"comment" cannot be a number`,
		`{"decision":"approve","comment":"` + strings.Repeat("x", 2001) + `"}`: `"comment" is longer than 2000`,
		`{"decision":"approve","comment":"a\u0000b"}`:                          `"comment" holds control characters`,
		`{"decision":"approve","comment":"\u001b[31m"}`:                        `"comment" holds control characters`,
		`{"decision":"approve","digest":"` + strings.Repeat("x", 201) + `"}`:   `"digest" is longer than 200`,
	} {
		rec := a.do(t, http.MethodPost, decisionURL, body)
		require.Equal(t, http.StatusBadRequest, rec.Code, body)
		require.Contains(t, decode[problem](t, rec).Detail, words, body)
	}
	require.Equal(t, http.StatusBadRequest, a.do(t, http.MethodPost, "/api/v1/rewards/x/decision", `{"decision":"approve"}`).Code)
}

func TestResolutionReachesTheDesk(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withProviders, func(a *apiTest) { a.cfg.Operators = []api.Operator{operator("olga", "operator")} })
	var got reward.Resolution
	a.desk.resolve = func(r reward.Resolution) (reward.Status, error) {
		got = r
		return reward.Paid, nil
	}
	rec := a.do(t, http.MethodPost, "/api/v1/rewards/7/resolve", `{"action":"paid","reference":" SEPA 4711 ","evidence":"statement 3","comment":"by bank"}`, bearer(token("olga")))

	require.Equal(t, http.StatusOK, rec.Code)
	require.NotEmpty(t, got.ID)
	require.Equal(t, reward.Resolution{
		ID: got.ID, RewardID: 7, Action: reward.ActionPaid, Reference: "SEPA 4711", Evidence: "statement 3", Comment: "by bank", By: "olga", Verified: true, At: noon(),
	}, got)
	require.JSONEq(t, `{"reward_id":7,"resolution_id":"`+got.ID+`","status":"paid"}`, rec.Body.String())
}

func TestResolutionIsChecked(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withProviders)
	for body, words := range map[string]string{
		`{"action":"retry"}`:                          "",
		`{"action":"retry","comment":"once more"}`:    "",
		`{"action":"reroute","provider":"people"}`:    "",
		`{"action":"paid","reference":"SEPA 4711"}`:   "",
		`{"action":"reject","comment":"a duplicate"}`: "",
		`{"action":"abandon","comment":"a test"}`:     "",
		`{}`:                                                    `"action" is none of`,
		`{"action":"pay"}`:                                      `"action" is none of`,
		`{"action":"paid"}`:                                     `"reference" is missing`,
		`{"action":"paid","reference":"  "}`:                    `"reference" is missing`,
		`{"action":"retry","reference":"x"}`:                    `"reference" is for the action "paid" only`,
		`{"action":"retry","evidence":"x"}`:                     `"evidence" is for the action "paid" only`,
		`{"action":"reroute"}`:                                  `"provider" is missing`,
		`{"action":"reroute","provider":"stripe"}`:              `names no configured provider: there are billing, people`,
		`{"action":"paid","reference":"x","provider":"people"}`: `"provider" is for the action "reroute" only`,
		`{"action":"reject"}`:                                   `"comment" is missing`,
		`{"action":"abandon","comment":" "}`:                    `"comment" is missing`,
		`{"action":"retry","force":true}`:                       `the field "force" is not known here`,
		`{"action":"paid","reference":"` + strings.Repeat("x", 201) + `"}`: `"reference" is longer than 200`,
	} {
		rec := a.do(t, http.MethodPost, "/api/v1/rewards/7/resolve", body)
		if words == "" {
			require.Equal(t, http.StatusOK, rec.Code, body)
			continue
		}
		require.Equal(t, http.StatusBadRequest, rec.Code, body)
		require.Contains(t, decode[problem](t, rec).Detail, words, body)
	}
	a.desk.resolve = func(reward.Resolution) (reward.Status, error) {
		return "", fault.New(fault.Conflict, "desk.resolve", "the reward is fulfilled")
	}
	require.Equal(t, http.StatusConflict, a.do(t, http.MethodPost, "/api/v1/rewards/7/resolve", `{"action":"retry"}`).Code)
}

func TestIdempotencyKeyOfAnotherResolutionIsRefused(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.desk.resolve = func(r reward.Resolution) (reward.Status, error) {
		a.ledger.resolutions = append(a.ledger.resolutions, r)
		return reward.Paid, nil
	}
	resolve := func(body string) int {
		return a.do(t, http.MethodPost, "/api/v1/rewards/7/resolve", body, header("Idempotency-Key", "key-0001")).Code
	}
	require.Equal(t, 200, resolve(`{"action":"paid","reference":"A"}`))
	require.Equal(t, 200, resolve(`{"action":"paid","reference":"A"}`))
	require.Equal(t, a.ledger.resolutions[0].ID, a.ledger.resolutions[1].ID)
	require.Equal(t, 422, resolve(`{"action":"paid","reference":"B"}`))
	require.Equal(t, 422, resolve(`{"action":"retry"}`))
	require.Len(t, a.ledger.resolutions, 2)
}

func TestBrakeIsShownWithItsCaps(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, func(a *apiTest) {
		a.cfg.Caps = ledger.Caps{MaxSingle: map[string]int64{"credits": 5000}, MaxPerDay: map[string]int64{"USD": 100000}}
	})
	rec := a.do(t, http.MethodGet, "/api/v1/brake", "")
	require.JSONEq(t, `{"paused":false,"switches":[],"caps":{"max_single":{"credits":5000},"max_per_day":{"USD":100000},
		"max_per_promoter_per_day":{},"max_per_campaign_per_day":{}}}`, rec.Body.String())

	a.ledger.brakes = func() ([]ledger.BrakeState, error) {
		return []ledger.BrakeState{
			{Scope: "all", Paused: false, Reason: "over", By: "olga", At: noon()},
			{Scope: "billing", Paused: true, Reason: "strange answers", By: "olga", At: noon()},
		}, nil
	}
	rec = a.do(t, http.MethodGet, "/api/v1/brake", "")
	require.Contains(t, rec.Body.String(), `"paused":false,"switches":[{"scope":"all","paused":false`)
	require.Contains(t, rec.Body.String(), `{"scope":"billing","paused":true,"reason":"strange answers","by":"olga","at":"2026-11-23T12:00:00Z"}`)
}

func TestBrakeIsMovedAndWhatItHeldHears(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withProviders, func(a *apiTest) { a.cfg.Operators = []api.Operator{operator("olga", "operator")} })
	var states []ledger.BrakeState
	a.ledger.setBrake = func(s ledger.BrakeState) error {
		states = append(states, s)
		return nil
	}
	a.ledger.brakes = func() ([]ledger.BrakeState, error) { return states, nil }
	heard := 0
	a.desk.brakeChanged = func(ctx context.Context) {
		require.Len(t, states, heard+1, "the switch moves first")
		require.Nil(t, ctx.Done(), "a caller that goes away stops nothing")
		heard++
	}
	rec := a.do(t, http.MethodPut, "/api/v1/brake", `{"scope":"all","paused":true,"reason":"wrong amounts"}`,
		bearer(token("olga")), func(r *http.Request) { *r = *r.WithContext(t.Context()) })

	require.Equal(t, http.StatusOK, rec.Code)
	require.Equal(t, []ledger.BrakeState{{Scope: "all", Paused: true, Reason: "wrong amounts", By: "olga", At: noon()}}, states)
	require.Contains(t, rec.Body.String(), `"paused":true`)
	require.Equal(t, 1, heard)
	require.Equal(t, http.StatusOK, a.do(t, http.MethodPut, "/api/v1/brake", `{"scope":"people","paused":false}`, bearer(token("olga"))).Code)
	require.Equal(t, 2, heard)
}

func TestBrakeRequestIsChecked(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withProviders)
	a.ledger.setBrake = func(ledger.BrakeState) error { panic("must not be reached") }
	for body, words := range map[string]string{
		`{}`:                              `"scope" is missing`,
		`{"scope":"all"}`:                 `"paused" is missing`,
		`{"scope":"all","paused":null}`:   `"paused" is missing`,
		`{"paused":false}`:                `"scope" is missing`,
		`{"scope":"all","paused":true}`:   `"reason" is missing`,
		`{"scope":"all","paused":"true"}`: `"paused" cannot be a string`,

		`{"scope":"biling","paused":true,"reason":"x"}`: `there are all, billing, people`,
	} {
		rec := a.do(t, http.MethodPut, "/api/v1/brake", body)
		require.Equal(t, http.StatusBadRequest, rec.Code, body)
		require.Contains(t, decode[problem](t, rec).Detail, words, body)
	}
}

func TestBrakeThatDoesNotMoveWakesNobody(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.ledger.setBrake = func(ledger.BrakeState) error { return fault.New(fault.Unavailable, "ledger", "locked") }
	a.desk.brakeChanged = func(context.Context) { panic("must not be reached") }
	rec := a.do(t, http.MethodPut, "/api/v1/brake", `{"scope":"all","paused":false}`)
	require.Equal(t, http.StatusServiceUnavailable, rec.Code)
}
