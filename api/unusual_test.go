package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/intake"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
)

// withRealLedger puts the real intake and a real ledger behind the surface.
func withRealLedger(tb testing.TB, dir string) (*sqlite.Ledger, func(*apiTest)) {
	tb.Helper()
	l, err := sqlite.Open(context.Background(), filepath.Join(dir, "ledger.db"), sqlite.Options{})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, l.Close()) })
	in, err := intake.New(l, intake.Config{
		CloseByAnswerAfter: time.Hour, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(tb, err)
	return l, func(a *apiTest) { a.deps.Intake, a.deps.Ledger = in, l }
}

// unusual is an event, and what is shown of it.
type unusual struct {
	body               string
	eventType, eventID string
	known              bool
	rewardID           int64
	fields             string
}

func unusualEvents() map[string]unusual {
	const beyondInt32 = "9007199254740993" // Beyond a float's whole numbers, too.
	return map[string]unusual{
		"unknown type": {
			`{"event":{"id":31,"type":"galaxy_visited","created_at":"2026-11-23T09:00:00.123Z"},"data":{"email":"x@example.com","secret":"s3cret"}}`,
			"galaxy_visited", "31", false, 0,
			`{"event":{"id":"31","type":"galaxy_visited","created_at":"2026-11-23T09:00:00.123Z"}}`,
		},
		"a new field": {
			`{"event":{"id":32,"type":"lead_signup","tenant":"new"},"data":{"id":9,"state":"signup","email":"l@example.com","fresh":{"deep":[1]},
				"promoter":{"id":5,"new_token":"s3cret"}}}`,
			"lead_signup", "32", true, 0,
			`{"event":{"id":"32","type":"lead_signup"},"promoter":{"id":5},"lead":{"id":9,"state":"signup","email":"l@example.com"}}`,
		},
		"no optional parts": {
			`{"event":{"type":"promoter_accepted"}}`, "promoter_accepted",
			"", true, 0, `{"event":{"type":"promoter_accepted"}}`,
		},
		"reward without optional parts": {
			`{"event":{"id":33,"type":"fulfilment_pending"},"data":{"id":2429153}}`, "fulfilment_pending", "33", true, 2429153,
			`{"event":{"id":"33","type":"fulfilment_pending"},"reward":{"id":2429153}}`,
		},
		"null parts": {
			`{"event":{"id":34,"type":"reward_created"},"data":{"id":1,"lead":null,"promoter":null,"campaign":null,"amount":null}}`,
			"reward_created", "34", true, 0, `{"event":{"id":"34","type":"reward_created"},"reward":{"id":1}}`,
		},
		"IDs beyond int32": {
			`{"event":{"id":` + beyondInt32 + `,"type":"fulfilment_pending"},"data":{"id":` + beyondInt32 + `,"amount":3,"unit":"credits","promoter":{"id":` + beyondInt32 + `}}}`,
			"fulfilment_pending", beyondInt32, true, 9007199254740993,
			`{"event":{"id":"` + beyondInt32 + `","type":"fulfilment_pending"},"promoter":{"id":` + beyondInt32 + `},
				"reward":{"id":` + beyondInt32 + `,"amount":3,"unit":"credits"}}`,
		},
		"escaped Unicode and emoji": {
			`{"event":{"id":35,"type":"lead_signup"},"data":{"id":9,"state":"signup","email":"j\u00fcrgen\ud83d\ude80@example.com",
				"promotion":{"campaign_id":6,"campaign_name":"F\u00fcr alle 🎉 \ud83d\udc69\u200d\ud83d\udcbb"},"promoter":{"id":5,"cust_id":"\u4e2d\u6587-\u05d0"}}}`,
			"lead_signup", "35", true, 0,
			`{"event":{"id":"35","type":"lead_signup"},"promoter":{"id":5,"cust_id":"中文-א"},
				"lead":{"id":9,"state":"signup","email":"jürgen🚀@example.com"},"campaign":{"id":6,"name":"Für alle 🎉 👩‍💻"}}`,
		},
		"half of a surrogate pair": {
			`{"event":{"id":36,"type":"lead_signup"},"data":{"id":9,"state":"x\ud83d"}}`, "lead_signup", "36", true, 0,
			`{"event":{"id":"36","type":"lead_signup"},"lead":{"id":9,"state":"x` + "\ufffd" + `"}}`,
		},
	}
}

// Whatever FirstPromoter sends that is an event at all is stored, answered 202,
// and shown.
func TestUnusualEventsAreStoredAnsweredAndShown(t *testing.T) {
	t.Parallel()

	for name, row := range unusualEvents() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, real := withRealLedger(t, t.TempDir())
			a := newAPITest(t, real)
			require.Equal(t, http.StatusAccepted, a.do(t, http.MethodPost, webhookURL, row.body).Code)
			require.Equal(t, http.StatusAccepted, a.do(t, http.MethodPost, webhookURL, row.body).Code, "and again")

			page := decode[struct {
				Events []eventShown `json:"events"`
			}](t, a.do(t, http.MethodGet, "/api/v1/events?type="+row.eventType, ""))
			require.Len(t, page.Events, 1)
			listed := page.Events[0]
			require.Equal(t, row.eventType, listed.Type)
			require.Equal(t, row.known, listed.Known)
			require.Equal(t, row.rewardID, listed.RewardID)
			require.Equal(t, 2, listed.Deliveries)
			require.Equal(t, http.StatusAccepted, listed.Answer)
			if row.eventID != "" {
				require.Equal(t, row.eventID, listed.EventID)
			}

			rec := a.do(t, http.MethodGet, fmt.Sprintf("/api/v1/events/%d", listed.ID), "")
			require.NotContains(t, rec.Body.String(), "s3cret")
			require.JSONEq(t, row.fields, string(decode[eventShown](t, rec).Fields))
			if row.rewardID != 0 {
				require.Equal(t, http.StatusOK, a.do(t, http.MethodGet, fmt.Sprintf("/api/v1/rewards/%d", row.rewardID), "").Code)
			}
		})
	}
}

// eventShown is an event as the API shows it, so far as the tests look.
type eventShown struct {
	ID         int64           `json:"id"`
	Type       string          `json:"type"`
	EventID    string          `json:"event_id"`
	RewardID   int64           `json:"reward_id"`
	Known      bool            `json:"known"`
	Deliveries int             `json:"deliveries"`
	Answer     int             `json:"answer"`
	Fields     json.RawMessage `json:"fields"`
}

// A replay goes through the real router and ledger, and names its caller there.
func TestReplayIsQueuedInTheRealLedger(t *testing.T) {
	t.Parallel()

	l, real := withRealLedger(t, t.TempDir())
	a := newAPITest(t, real, withOperators)
	require.Equal(t, http.StatusAccepted, a.do(t, http.MethodPost, webhookURL, `{"event":{"id":1,"type":"lead_signup"},"data":{}}`).Code)
	require.NoError(t, l.MarkDispatched(t.Context(), []ledger.Dispatched{{Inbox: 1}}))
	for _, want := range []string{"queued", "waiting"} {
		rec := a.do(t, http.MethodPost, "/api/v1/events/1/replay", `{}`, bearer(token("operator")))
		require.JSONEq(t, `{"id":1,"result":"`+want+`"}`, rec.Body.String())
	}
	require.Equal(t, http.StatusForbidden, a.do(t, http.MethodPost, "/api/v1/events/1/replay", `{}`, bearer(token("viewer"))).Code)
	rec := a.do(t, http.MethodGet, "/api/v1/events/1", "", bearer(token("viewer")))
	require.Contains(t, rec.Body.String(), `"by":"operator"`)
}

// deliver sends a body as FirstPromoter does.
func (a *apiTest) deliver(path string, body []byte) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	a.handler.ServeHTTP(rec, localRequest(http.MethodPost, path, string(body)))
	return rec
}
