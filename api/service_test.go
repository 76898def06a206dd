package api_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func TestDocumentIsValid(t *testing.T) {
	t.Parallel()

	require.NoError(t, newAPITest(t).document.Validate(t.Context()))
}

func TestDocumentAndRouteTableAgree(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	var served []string
	for row, roles := range api.RouteTable(a.cfg, a.deps) {
		method, path, _ := strings.Cut(row, " ")
		segments := strings.Split(path, "/")
		for i, s := range segments {
			if strings.HasPrefix(s, ":") || strings.HasPrefix(s, "*") {
				segments[i] = "{" + s[1:] + "}"
			}
		}
		path = strings.Join(segments, "/")
		served = append(served, method+" "+path)

		operation := a.document.Paths.Value(path).GetOperation(method)
		require.NotNil(t, operation, "%s is not in the document", row)
		open := operation.Security != nil
		require.Equal(t, roles == nil, open, "%s: the document and the table differ on who may come in", row)
	}
	var documented []string
	for path, item := range a.document.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	slices.Sort(served)
	slices.Sort(documented)
	require.Equal(t, served, documented)
}

func TestDocumentKnowsTheDomain(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	var statuses, actions []any
	for _, s := range reward.Statuses() {
		statuses = append(statuses, string(s))
	}
	for _, action := range reward.Actions() {
		actions = append(actions, string(action))
	}
	require.Equal(t, statuses, a.document.Components.Schemas["Status"].Value.Enum)
	require.Equal(t, actions, a.document.Components.Schemas["Action"].Value.Enum)
}

func TestLiveSaysNothingOfOthers(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.ledger.ping = func(context.Context) error { return errors.New("down") }
	a.engine.healthy = func() (bool, string) { return false, "down" }
	rec := a.do(t, http.MethodGet, "/livez", "")
	require.Equal(t, http.StatusOK, rec.Code)
	require.JSONEq(t, `{"live":true}`, rec.Body.String())
}

func TestReadyWhileTheInboxCommits(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		edit   func(*apiTest)
		status int
		body   string
	}{
		"all is well": {
			func(*apiTest) {}, 200,
			`{"ready":true,"inbox":{"depth":0,"oldest_seconds":0},"temporal":{"reachable":true,"detail":""},"degraded":[]}`,
		},
		"temporal is down": {
			func(a *apiTest) { a.engine.healthy = func() (bool, string) { return false, "no answer" } }, 200,
			`{"ready":true,"inbox":{"depth":0,"oldest_seconds":0},"temporal":{"reachable":false,"detail":"no answer"},
				"degraded":[{"part":"temporal","detail":"no answer","since":"2026-11-23T12:00:00Z"}]}`,
		},
		"events wait": {
			func(a *apiTest) {
				a.ledger.depth = func() (int, time.Time, error) { return 12, noon().Add(-90 * time.Second), nil }
			}, 200,
			`{"ready":true,"inbox":{"depth":12,"oldest_seconds":90},"temporal":{"reachable":true,"detail":""},
				"degraded":[{"part":"dispatch","detail":"accepted events have waited for more than a minute","since":"2026-11-23T11:59:30Z"}]}`,
		},
		"the inbox cannot commit": {
			func(a *apiTest) {
				a.ledger.ping = func(context.Context) error { return errors.New("disk full at /secret/path") }
				a.ledger.depth = func() (int, time.Time, error) { return 0, time.Time{}, errors.New("disk full") }
			}, 503,
			`{"ready":false,"temporal":{"reachable":true,"detail":""},
				"degraded":[{"part":"inbox","detail":"it cannot commit: internal error","since":"2026-11-23T12:00:00Z"}]}`,
		},
		"about to stop": {
			func(a *apiTest) { a.deps.Draining = func() bool { return true } }, 503,
			`{"ready":false,"inbox":{"depth":0,"oldest_seconds":0},"temporal":{"reachable":true,"detail":""},"degraded":[]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			a := newAPITest(t, row.edit)
			rec := a.do(t, http.MethodGet, "/readyz", "")
			require.Equal(t, row.status, rec.Code)
			require.JSONEq(t, row.body, rec.Body.String())
		})
	}
}

// Anybody may ask for readiness, and it costs a write.
func TestReadinessIsLookedAtOnceASecond(t *testing.T) {
	t.Parallel()

	var elapsed, pings atomic.Int64
	var broken atomic.Bool
	a := newAPITest(t, func(a *apiTest) {
		a.cfg.Now = func() time.Time { return noon().Add(time.Duration(elapsed.Load())) }
	})
	a.ledger.ping = func(ctx context.Context) error {
		pings.Add(1)
		if _, ok := ctx.Deadline(); !ok {
			return errors.New("a look must end")
		}
		if broken.Load() {
			return errors.New("disk full")
		}
		return ctx.Err()
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			rec := a.do(t, http.MethodGet, "/readyz", "", func(r *http.Request) { *r = *r.WithContext(gone) })
			if rec.Code != http.StatusOK {
				t.Errorf("a caller that goes away must not spoil the answer of others: %d", rec.Code)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, pings.Load())

	broken.Store(true)
	require.Equal(t, http.StatusOK, a.do(t, http.MethodGet, "/readyz", "").Code)
	for range 3 {
		elapsed.Add(int64(time.Second))
		require.Equal(t, http.StatusServiceUnavailable, a.do(t, http.MethodGet, "/readyz", "").Code)
	}
	require.EqualValues(t, 4, pings.Load())
	require.Equal(t, 1, strings.Count(a.logs.String(), "inbox.unavailable"), "it is logged when it begins")
}

func TestSummaryIsShown(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	require.JSONEq(t, `{"statuses":[],"paid":[]}`, a.do(t, http.MethodGet, "/api/v1/summary", "").Body.String())
	a.ledger.summary = func() ([]ledger.Total, []ledger.PaidTotal, error) {
		return []ledger.Total{{Status: reward.Held, Count: 2, Oldest: noon()}},
			[]ledger.PaidTotal{{Unit: reward.Cash, Currency: "USD", Count: 3, Amount: 12500}, {Unit: reward.Credits, Count: 1, Amount: 9007199254740993}}, nil
	}
	require.Equal(t, `{"statuses":[{"status":"held","count":2,"oldest":"2026-11-23T12:00:00Z"}],`+
		`"paid":[{"unit":"cash","currency":"USD","count":3,"amount":12500},{"unit":"credits","count":1,"amount":9007199254740993}]}`,
		a.do(t, http.MethodGet, "/api/v1/summary", "").Body.String())
}

func TestStartPageLinksToWhatIsThere(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	rec := a.do(t, http.MethodGet, "/", "")
	start := decode[struct {
		Name    string            `json:"name"`
		Version string            `json:"version"`
		Links   map[string]string `json:"links"`
	}](t, rec)
	require.Equal(t, "rewardflow", start.Name)
	require.Equal(t, "v1.2.3", start.Version)
	require.NotEmpty(t, start.Links)
	for name, link := range start.Links {
		r := localRequest(http.MethodGet, link, "")
		rec := httptest.NewRecorder()
		a.handler.ServeHTTP(rec, r)
		require.Equal(t, http.StatusOK, rec.Code, name)
	}
}

// People get pages at the address that programs get JSON at.
func TestStartLeadsBrowsersToTheConsole(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	for accept, status := range map[string]int{
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": http.StatusSeeOther,
		"":                            http.StatusOK,
		"*/*":                         http.StatusOK,
		"application/json, text/html": http.StatusOK,
	} {
		rec := a.do(t, http.MethodGet, "/", "", header("Accept", accept))
		require.Equal(t, status, rec.Code, accept)
		require.Equal(t, "Accept", rec.Header().Get("Vary"))
		if status == http.StatusSeeOther {
			require.Equal(t, "/console/", rec.Header().Get("Location"))
		}
	}
}

func TestCountersExistFromTheStart(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	for _, kind := range append(firstpromoter.KnownTypes(), "unknown") {
		for _, code := range []string{"200", "202", "503"} {
			require.Zero(t, a.counter(t, "rewardflow_webhook_answers_total", map[string]string{"code": code, "event_type": kind}))
		}
	}
	for _, code := range []string{"400", "401", "403", "413", "503"} {
		require.Zero(t, a.counter(t, "rewardflow_webhook_answers_total", map[string]string{"code": code, "event_type": "unread"}))
	}
	require.Zero(t, a.counter(t, "rewardflow_webhook_unauthorized_total", nil))
	for _, decision := range []string{"approve", "reject"} {
		for _, result := range []string{"counted", "refused", "repeated"} {
			require.Zero(t, a.counter(t, "rewardflow_decisions_total", map[string]string{"decision": decision, "result": result}))
		}
	}
	require.Zero(t, a.counter(t, "rewardflow_http_requests_total", map[string]string{"route": "/readyz", "code": "503"}))

	rec := a.do(t, http.MethodGet, "/metrics", "")
	require.Equal(t, http.StatusOK, rec.Code)
	require.Contains(t, rec.Body.String(), `rewardflow_webhook_answers_total{code="202",event_type="lead_signup"} 0`)
}

// What a caller makes up must not become a label.
func TestLabelsAreAClosedSet(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	series := func() int {
		families, err := a.registry.Gather()
		require.NoError(t, err)
		n := 0
		for _, f := range families {
			n += len(f.GetMetric())
		}
		return n
	}
	a.do(t, http.MethodGet, "/made/up", "")
	a.do(t, http.MethodGet, "/api/v1/rewards/1", "")
	before := series()
	for _, path := range []string{"/made/up/too", "/x", "/api/v1/rewards/2", "/api/v1/rewards/3"} {
		a.do(t, http.MethodGet, path, "")
	}
	require.Equal(t, before, series())
}

func TestNewRefusesWhatWouldLeaveADoorOpen(t *testing.T) {
	t.Parallel()

	for words, spoil := range map[string]func(*apiTest){
		"the webhook secret is missing":              func(a *apiTest) { a.cfg.WebhookSecret = "" },
		`basic auth is not of the form`:              func(a *apiTest) { a.cfg.BasicAuth = "hunter2" },
		`is not of the form "user:password"`:         func(a *apiTest) { a.cfg.BasicAuth = ":" },
		"WorkflowID is missing":                      func(a *apiTest) { a.cfg.WorkflowID = nil },
		"MetricsHandler is missing":                  func(a *apiTest) { a.cfg.MetricsHandler = nil },
		"the address of the Temporal UI":             func(a *apiTest) { a.cfg.TemporalUIURL = "localhost" },
		"Intake is missing":                          func(a *apiTest) { a.deps.Intake = nil },
		"Ledger is missing":                          func(a *apiTest) { a.deps.Ledger = nil },
		"Desk is missing":                            func(a *apiTest) { a.deps.Desk = nil },
		"Engine is missing":                          func(a *apiTest) { a.deps.Engine = nil },
		"Registerer is missing":                      func(a *apiTest) { a.deps.Registerer = nil },
		"operator 1 has no name":                     func(a *apiTest) { a.cfg.Operators = []api.Operator{operator("", "viewer")} },
		`operator "alice" has no role`:               func(a *apiTest) { a.cfg.Operators = []api.Operator{operator("alice")} },
		`unknown role "root": the roles are viewer,`: func(a *apiTest) { a.cfg.Operators = []api.Operator{operator("alice", "root")} },
		`operator "alice" has no token`: func(a *apiTest) {
			a.cfg.Operators = []api.Operator{{Name: "alice", Roles: []string{"viewer"}}}
		},
		`operator "empty" has no token`: func(a *apiTest) {
			a.cfg.Operators = []api.Operator{{Name: "empty", TokenSHA256: sha256.Sum256(nil), Roles: []string{"viewer"}}}
		},
		`two operators are named "alice"`: func(a *apiTest) {
			a.cfg.Operators = []api.Operator{operator("alice", "viewer"), operator("alice", "viewer")}
		},
		`operators "alice" and "bob" have the same token`: func(a *apiTest) {
			bob := operator("alice", "viewer")
			bob.Name = "bob"
			a.cfg.Operators = []api.Operator{operator("alice", "viewer"), bob}
		},
	} {
		good := newAPITest(t)
		good.deps.Registerer = prometheus.NewRegistry()
		spoil(good)
		_, err := api.New(good.cfg, good.deps)
		require.ErrorContains(t, err, words)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestNewNamesEveryMistakeAtOnce(t *testing.T) {
	t.Parallel()

	_, err := api.New(api.Config{}, api.Deps{})
	for _, words := range []string{"webhook secret", "WorkflowID", "MetricsHandler", "Intake", "Ledger", "Desk", "Engine", "Registerer"} {
		require.ErrorContains(t, err, words)
	}
}

func TestNewNeedsAFreshRegisterer(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	_, err := api.New(a.cfg, a.deps)
	require.ErrorContains(t, err, "setting up the HTTP API")
}

func TestNewWarnsOfAnAPIThatOthersCanReachAndNobodyCanUse(t *testing.T) {
	t.Parallel()

	for listen, warned := range map[string]bool{
		"127.0.0.1:8080": false, "localhost:8080": false, "[::1]:8080": false,
		":8080": true, "0.0.0.0:8080": true, "[::]:8080": true, "rewards.example.com:80": true,
	} {
		a := newAPITest(t, func(a *apiTest) { a.cfg.Listen = listen })
		require.Equal(t, warned, strings.Contains(a.logs.String(), "no operators are configured"), listen)
	}
	a := newAPITest(t, withOperators, func(a *apiTest) { a.cfg.Listen = ":8080" })
	require.NotContains(t, a.logs.String(), "no operators are configured")
}

// Everything but the required fields may be left out.
func TestNewHasDefaults(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, func(a *apiTest) {
		a.cfg.Logger, a.cfg.TracerProvider, a.cfg.Now, a.cfg.Version = nil, nil, nil, ""
	})
	require.Equal(t, http.StatusOK, a.do(t, http.MethodGet, "/readyz", "").Code)
	require.Equal(t, http.StatusAccepted, a.do(t, http.MethodPost, webhookURL, "{}").Code)
}
