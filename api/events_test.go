package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func loggedEvent(n int64) ledger.Logged {
	return ledger.Logged{
		Inbox: n, Type: "lead_signup", EventID: "6", Known: true, AcceptedAt: noon().Add(-time.Hour),
		Deliveries: 2, Answer: 202, AnsweredAt: noon().Add(-time.Minute), DispatchedAt: noon(), WorkflowID: "notification-lead_signup-6", Tries: 1,
	}
}

func unstored() ledger.Unstored {
	return ledger.Unstored{
		Hour: noon(), Answer: 503, Reason: ledger.ReasonNotStored, Type: "fulfilment_pending", RewardID: 7, Count: 3,
		FirstAt: noon(), LastAt: noon().Add(time.Minute),
	}
}

func TestEventsAreListedWithWhatWasAnswered(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	require.JSONEq(t, `{"events":[],"unstored":[]}`, a.do(t, http.MethodGet, "/api/v1/events", "").Body.String())

	var asked ledger.LogFilter
	a.ledger.events = func(f ledger.LogFilter) ([]ledger.Logged, error) {
		asked = f
		return []ledger.Logged{loggedEvent(12), {Inbox: 11, Type: "something_new", EventID: "9", AcceptedAt: noon().Add(-2 * time.Hour), Deliveries: 1}}, nil
	}
	a.ledger.unstored = func(f ledger.LogFilter) ([]ledger.Unstored, error) {
		require.Equal(t, asked, f)
		return []ledger.Unstored{unstored()}, nil
	}
	rec := a.do(t, http.MethodGet, "/api/v1/events?type=lead_signup&answer=202&from=2026-11-23T10:00:00%2B01:00&to=2026-11-24T00:00:00Z&limit=2", "")
	require.Equal(t, http.StatusOK, rec.Code)
	require.Equal(t, ledger.LogFilter{
		Type: "lead_signup", Answer: 202, From: noon().Add(-3 * time.Hour), To: noon().Add(12 * time.Hour), Limit: 2,
	}, asked)
	page := decode[map[string]any](t, rec)
	cursor, ok := page["next_cursor"].(string)
	require.True(t, ok)
	delete(page, "next_cursor")
	got, err := json.Marshal(page)
	require.NoError(t, err)
	require.JSONEq(t, `{"events":[
		{"id":12,"type":"lead_signup","event_id":"6","known":true,"internal":false,"received_at":"2026-11-23T11:00:00Z","deliveries":2,
			"answer":202,"answered_at":"2026-11-23T11:59:00Z","waiting":false,"tries":1,"trouble":"",
			"dispatched_at":"2026-11-23T12:00:00Z","workflow_id":"notification-lead_signup-6"},
		{"id":11,"type":"something_new","event_id":"9","known":false,"internal":false,"received_at":"2026-11-23T10:00:00Z","deliveries":1,
			"waiting":false,"tries":0,"trouble":"","workflow_id":""}],
		"unstored":[{"hour":"2026-11-23T12:00:00Z","answer":503,"reason":"not_stored","type":"fulfilment_pending","reward_id":7,"count":3,
			"first_at":"2026-11-23T12:00:00Z","last_at":"2026-11-23T12:01:00Z"}]}`, string(got))

	rec = a.do(t, http.MethodGet, "/api/v1/events?cursor="+cursor, "")
	require.Equal(t, ledger.LogCursor{AcceptedAt: noon().Add(-2 * time.Hour), Inbox: 11}, asked.Before)
	require.Empty(t, decode[struct {
		Unstored []any `json:"unstored"`
	}](t, rec).Unstored, "they stand on the first page")
}

func TestEventsRefuseWhatTheyDoNotKnow(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	for query, words := range map[string]string{
		"kind=x":        "there are type, answer, from, to, cursor, limit",
		"answer=204":    "is not one of the answers that are given: 200 202 400",
		"answer=all":    "is not one of the answers",
		"from=monday":   `the query parameter \"from\" is not a time`,
		"to=1":          `the query parameter \"to\" is not a time`,
		"limit=0":       "from 1 to 500",
		"cursor=x.y":    "is not one that a page named",
		"cursor=MTIuMA": "is not one that a page named", // 12.0
	} {
		rec := a.do(t, http.MethodGet, "/api/v1/events?"+query, "")
		require.Equal(t, http.StatusBadRequest, rec.Code, query)
		require.Contains(t, rec.Body.String(), words, query)
	}
	for _, id := range []string{"0", "-1", "+1", "x", "9223372036854775808", "replay"} {
		require.Equal(t, http.StatusBadRequest, a.do(t, http.MethodGet, "/api/v1/events/"+id, "").Code, id)
		require.Equal(t, http.StatusBadRequest, a.do(t, http.MethodPost, "/api/v1/events/"+id+"/replay", "{}").Code, id)
	}
	require.Equal(t, http.StatusNotFound, a.do(t, http.MethodGet, "/api/v1/events/12", "").Code)
}

func TestEventIsShownWithItsFieldsAnswersAndReplays(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.ledger.event = func(inbox int64) (ledger.LoggedFile, error) {
		return ledger.LoggedFile{
			Logged: loggedEvent(inbox), Body: []byte(`{"event":{"id":"6","type":"lead_signup"},"lead":{"id":9}}`),
			Answers: []ledger.Answered{{At: noon(), Answer: 202}, {At: noon(), Answer: 202, Duplicate: true}},
			Replays: []ledger.Replay{{At: noon(), By: "olga", Verified: true, Again: true, DoneAt: noon(), Outcome: "started", WorkflowID: "w"}},
		}, nil
	}
	shown := decode[map[string]any](t, a.do(t, http.MethodGet, "/api/v1/events/12", ""))
	require.EqualValues(t, 12, shown["id"])
	require.Equal(t, map[string]any{"event": map[string]any{"id": "6", "type": "lead_signup"}, "lead": map[string]any{"id": 9.0}}, shown["fields"])
	require.Len(t, shown["answers"], 2)
	require.Equal(t, []any{map[string]any{
		"at": "2026-11-23T12:00:00Z", "by": "olga", "verified": true, "again": true,
		"done_at": "2026-11-23T12:00:00Z", "outcome": "started", "workflow_id": "w",
	}}, shown["replays"])
}

// waker counts how often it was woken.
type waker struct{ times int }

func (w *waker) Wake() { w.times++ }

func TestReplayNamesItsCaller(t *testing.T) {
	t.Parallel()

	w := &waker{}
	a := newAPITest(t, withOperators, func(a *apiTest) { a.deps.Replays = w })
	var orders []ledger.Order
	a.ledger.replay = func(inbox int64, o ledger.Order) (ledger.ReplayState, error) {
		require.EqualValues(t, 12, inbox)
		orders = append(orders, o)
		return ledger.ReplayQueued, nil
	}
	a.ledger.replayRange = func(r ledger.ReplayRange, o ledger.Order, dryRun bool) (map[ledger.ReplayState]int, error) {
		require.Equal(t, ledger.ReplayRange{Type: "lead_signup", From: noon().Add(-time.Hour), To: noon(), Max: 10000}, r)
		orders = append(orders, o)
		return map[ledger.ReplayState]int{ledger.ReplayQueued: 3, ledger.ReplayWaiting: 2, ledger.ReplayEnded: 1, ledger.ReplayStoredOnly: 4}, nil
	}
	rec := a.do(t, http.MethodPost, "/api/v1/events/12/replay", `{}`, bearer(token("operator")))
	require.JSONEq(t, `{"id":12,"result":"queued"}`, rec.Body.String())
	require.Equal(t, 1, w.times)

	const day = `{"from":"2026-11-23T11:00:00Z","to":"2026-11-23T12:00:00Z","type":"lead_signup","again":true`
	rec = a.do(t, http.MethodPost, "/api/v1/events/replay", day+`,"dry_run":true}`, bearer(token("operator")))
	require.JSONEq(t, `{"dry_run":true,"events":10,"queued":3,"waiting":2,"ended":1,"stored_only":4}`, rec.Body.String())
	require.Equal(t, 1, w.times, "counting wakes nobody")
	rec = a.do(t, http.MethodPost, "/api/v1/events/replay", day+`}`, bearer(token("operator")))
	require.JSONEq(t, `{"dry_run":false,"events":10,"queued":3,"waiting":2,"ended":1,"stored_only":4}`, rec.Body.String())
	require.Equal(t, 2, w.times)
	by := ledger.Order{By: "operator", Verified: true, Again: true}
	require.Equal(t, []ledger.Order{{By: "operator", Verified: true}, by, by}, orders)
}

func TestReplayOfNoRangeIsRefused(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	for _, body := range []string{
		`{}`, ``, `[]`, `{"from":"2026-11-23T00:00:00Z"}`, `{"from":"2026-11-23T00:00:00Z","to":"2026-11-23T00:00:00Z"}`,
		`{"from":"2026-11-24T00:00:00Z","to":"2026-11-23T00:00:00Z"}`, `{"from":"yesterday","to":"2026-11-23T00:00:00Z"}`,
		`{"from":"2026-11-23T00:00:00Z","to":"2026-11-24T00:00:00Z","dryrun":true}`,
	} {
		require.Equal(t, http.StatusBadRequest, a.do(t, http.MethodPost, "/api/v1/events/replay", body).Code, body)
	}
	a.ledger.replayRange = func(ledger.ReplayRange, ledger.Order, bool) (map[ledger.ReplayState]int, error) {
		return nil, fault.New(fault.Invalid, "ledger.replay_range", "the range holds more than 10000 events")
	}
	rec := a.do(t, http.MethodPost, "/api/v1/events/replay", `{"from":"2026-11-23T00:00:00Z","to":"2026-11-24T00:00:00Z"}`)
	require.Equal(t, http.StatusBadRequest, rec.Code)
	require.Contains(t, rec.Body.String(), "more than 10000")
}

// counting is an api.Unstored that remembers.
type counting struct {
	counted []ledger.Unstored
	pending int
}

func (c *counting) Count(u ledger.Unstored) { c.counted = append(c.counted, u) }

func (c *counting) Pending(reward.ID) (int, time.Time) { return c.pending, noon() }

var _ api.Unstored = (*counting)(nil)

func TestRewardShowsWhatIsSpentOfItsRetries(t *testing.T) {
	t.Parallel()

	c := &counting{}
	a := newAPITest(t, func(a *apiTest) { a.deps.Unstored = c })
	a.ledger.reward = func(reward.ID) (ledger.Record, error) { return record(7, reward.Received), nil }
	a.ledger.budget = func(id reward.ID) (ledger.Budget, error) {
		return ledger.Budget{RewardID: id, Spent: 2, LastError: noon().Add(-time.Hour)}, nil
	}
	budget := func() any {
		return decode[map[string]any](t, a.do(t, http.MethodGet, "/api/v1/rewards/7", ""))["retry_budget"]
	}
	require.Equal(t, map[string]any{"spent": 2.0, "of": 7.0, "last_error": "2026-11-23T11:00:00Z", "open": false}, budget())
	c.pending = 3
	require.Equal(t, map[string]any{"spent": 5.0, "of": 7.0, "last_error": "2026-11-23T12:00:00Z", "open": true}, budget(),
		"what is not written yet counts")

	a.ledger.reward = nil
	rec := a.do(t, http.MethodGet, "/api/v1/rewards/7", "")
	require.Equal(t, http.StatusNotFound, rec.Code)
	require.Contains(t, rec.Body.String(), "spent 5 of the 7 errors")
}

// Every answer that stores nothing is counted, with a reason and a type of the
// closed sets, and nothing that the sender wrote.
func TestUnstoredDeliveriesAreCounted(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		path, body string
		edit       func(*http.Request)
		taken      ledger.Taken
		err        error
		want       ledger.Unstored
	}{
		"wrong secret": {path: webhookURL + "x", body: "{}", want: ledger.Unstored{Answer: 401, Reason: ledger.ReasonUnauthenticated, Type: "unread"}},
		"no secret":    {path: "/webhooks/firstpromoter", body: "{}", want: ledger.Unstored{Answer: 401, Reason: ledger.ReasonUnauthenticated, Type: "unread"}},
		"cross origin": {
			path: webhookURL, body: "{}", edit: header("Sec-Fetch-Site", "cross-site"),
			want: ledger.Unstored{Answer: 403, Reason: ledger.ReasonCrossOrigin, Type: "unread"},
		},
		"too large": {path: webhookURL, body: strings.Repeat(" ", 1<<20+1), want: ledger.Unstored{Answer: 413, Reason: ledger.ReasonTooLarge, Type: "unread"}},
		"no JSON": {
			path: webhookURL, body: "secret", taken: ledger.Taken{Reason: ledger.ReasonNotJSON}, err: fault.New(fault.Invalid, "x", "x"),
			want: ledger.Unstored{Answer: 400, Reason: ledger.ReasonNotJSON, Type: "unread"},
		},
		"not stored": {
			path: webhookURL, body: "{}", taken: ledger.Taken{Type: "fulfilment_pending", Known: true, RewardID: 7, Reason: ledger.ReasonNotStored},
			err:  fault.New(fault.Unavailable, "x", "x"),
			want: ledger.Unstored{Answer: 503, Reason: ledger.ReasonNotStored, Type: "fulfilment_pending", RewardID: 7},
		},
		"unknown type": {
			path: webhookURL, body: "{}", taken: ledger.Taken{Type: "made_up", Reason: ledger.ReasonNotStored},
			err: fault.New(fault.Unavailable, "x", "x"), want: ledger.Unstored{Answer: 503, Reason: ledger.ReasonNotStored, Type: "unknown"},
		},
		"ours already": {
			path: webhookURL, body: "{}", taken: ledger.Taken{Type: "fulfilment_pending", Known: true, RewardID: 7, Reason: ledger.ReasonOurs},
			want: ledger.Unstored{Answer: 202, Reason: ledger.ReasonOurs, Type: "fulfilment_pending", RewardID: 7},
		},
		"stored": {path: webhookURL, body: "{}", taken: ledger.Taken{Type: "lead_signup", Known: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c := &counting{}
			a := newAPITest(t, func(a *apiTest) { a.deps.Unstored = c })
			a.intake.take = intakeAnswer(row.taken, row.err)
			edit := row.edit
			if edit == nil {
				edit = func(*http.Request) {}
			}
			a.do(t, http.MethodPost, row.path, row.body, edit)
			if row.want.Answer == 0 {
				require.Empty(t, c.counted)
				return
			}
			row.want.Count, row.want.FirstAt, row.want.LastAt = 1, noon(), noon()
			require.Equal(t, []ledger.Unstored{row.want}, c.counted)
		})
	}
}

func TestPanicIsCountedAsNotStored(t *testing.T) {
	t.Parallel()

	c := &counting{}
	a := newAPITest(t, func(a *apiTest) { a.deps.Unstored = c })
	a.intake.take = nil
	a.intake.accept = panics
	require.Equal(t, http.StatusServiceUnavailable, a.do(t, http.MethodPost, webhookURL, "{}").Code)
	require.Len(t, c.counted, 1)
	require.Equal(t, ledger.ReasonNotStored, c.counted[0].Reason)
}

func TestAnswersAreCountedByEventType(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.intake.take = intakeAnswer(ledger.Taken{Type: "lead_signup", Known: true}, nil)
	a.do(t, http.MethodPost, webhookURL, "{}")
	a.intake.take = intakeAnswer(ledger.Taken{Type: "made_up_by_somebody"}, nil)
	a.do(t, http.MethodPost, webhookURL, "{}")
	a.do(t, http.MethodPost, webhookURL+"x", "{}")
	for labels, want := range map[[2]string]int{
		{"202", "lead_signup"}: 1, {"202", "unknown"}: 1, {"401", "unread"}: 1, {"202", "fulfilment_pending"}: 0,
	} {
		require.Equal(t, want, a.counter(t, "rewardflow_webhook_answers_total", map[string]string{"code": labels[0], "event_type": labels[1]}), labels)
	}
	_, made := a.value(t, "rewardflow_webhook_answers_total", map[string]string{"code": "202", "event_type": "made_up_by_somebody"})
	require.False(t, made)
}
