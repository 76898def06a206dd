package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func TestEveryKindOfFailureHasItsAnswer(t *testing.T) {
	t.Parallel()

	want := map[fault.Kind]int{
		fault.Invalid: 400, fault.NotFound: 404, fault.Conflict: 409, fault.Denied: 403, fault.Declined: 409,
		fault.Throttled: 429, fault.Unavailable: 503, fault.Ambiguous: 503, fault.Internal: 500,
	}
	require.Len(t, want, len(fault.Kinds()))
	for _, kind := range fault.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()

			a := newAPITest(t)
			a.desk.resolve = func(reward.Resolution) (reward.Status, error) {
				return "", fmt.Errorf("resolving: %w",
					fault.Wrap(kind, "sqlite.record", "words for people", errors.New("SECRET CAUSE")))
			}
			rec := a.do(t, http.MethodPost, "/api/v1/rewards/1/resolve", `{"action":"retry"}`)

			require.Equal(t, want[kind], rec.Code)
			p := a.requireProblem(t, rec)
			require.Equal(t, string(kind), p.Code)
			require.Equal(t, "urn:rewardflow:problem:"+string(kind), p.Type)
			require.NotContains(t, rec.Body.String(), "SECRET CAUSE")
			require.NotContains(t, rec.Body.String(), "sqlite")
			if kind == fault.Internal {
				require.NotContains(t, p.Detail, "words for people")
			} else {
				require.Equal(t, "words for people", p.Detail)
			}
			require.Equal(t, rec.Code >= 500, strings.Contains(a.logs.String(), "request.failed"))
			require.NotContains(t, a.logs.String(), "SECRET CAUSE")
		})
	}
}

func TestUnclassifiedErrorIsOpaqueAndInTheLog(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.ledger.list = func(ledger.Filter) ([]ledger.Record, error) { return nil, errors.New("no such table: rewards") }
	rec := a.do(t, http.MethodGet, "/api/v1/rewards", "", header("X-Request-ID", "request-0815"))

	require.Equal(t, http.StatusInternalServerError, rec.Code)
	require.NotContains(t, rec.Body.String(), "table")
	require.Equal(t, "request-0815", decode[problem](t, rec).RequestID)
	failed := a.lines(t)[len(a.lines(t))-2]
	require.Equal(t, "request.failed", failed["msg"])
	require.Equal(t, "no such table: rewards", failed["error"])
	require.Equal(t, "request-0815", failed["request_id"])
}

func TestPanicIsAnOpaqueAnswer(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.ledger.list = func(ledger.Filter) ([]ledger.Record, error) { panic("assignment to entry in nil map") }
	rec := a.do(t, http.MethodGet, "/api/v1/rewards", "")

	require.Equal(t, http.StatusInternalServerError, rec.Code)
	require.NotContains(t, rec.Body.String(), "nil map")
	require.Contains(t, a.logs.String(), "assignment to entry in nil map")
	require.Contains(t, a.logs.String(), "problem_test.go")
	require.Equal(t, http.StatusOK, a.do(t, http.MethodGet, "/api/v1/summary", "").Code, "the surface lives on")
}

func TestAbortedHandlerCutsTheConnection(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.ledger.list = func(ledger.Filter) ([]ledger.Record, error) { panic(http.ErrAbortHandler) }
	require.PanicsWithError(t, http.ErrAbortHandler.Error(), func() {
		a.do(t, http.MethodGet, "/api/v1/rewards", "")
	})
}

func TestRetryAfterIsTheOtherSidesWish(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.ledger.list = func(ledger.Filter) ([]ledger.Record, error) {
		return nil, &fault.Error{Kind: fault.Throttled, Message: "slowly", RetryAfter: 1500 * time.Millisecond}
	}
	require.Equal(t, "2", a.do(t, http.MethodGet, "/api/v1/rewards", "").Header().Get("Retry-After"))
}

func TestUnknownAddressAndMethodAreProblems(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	rec := a.do(t, http.MethodGet, "/api/v1/nothing", "")
	require.Equal(t, http.StatusNotFound, rec.Code)
	require.Equal(t, "no_such_route", decode[problem](t, rec).Code)

	rec = a.do(t, http.MethodDelete, "/api/v1/brake", "")
	require.Equal(t, http.StatusMethodNotAllowed, rec.Code)
	require.Equal(t, "method_not_allowed", decode[problem](t, rec).Code)
	require.ElementsMatch(t, []string{"GET", "PUT"}, strings.Split(rec.Header().Get("Allow"), ", "))

	rec = a.do(t, http.MethodGet, "/api/v1/rewards/", "")
	require.Equal(t, http.StatusNotFound, rec.Code, "a slash too many is not redirected")
}

func TestRequestIDIsTheCallersWhenItIsFit(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	for given, kept := range map[string]bool{
		"abcdefgh":              true,
		"A-1_b2c3":              true,
		strings.Repeat("x", 64): true,
		strings.Repeat("x", 65): false,
		"short":                 false,
		"":                      false,
		"with blank":            false,
		"line\nbreak":           false,
		"ümlaut-ümlaut":         false,
		`"quoted-id"`:           false,
	} {
		rec := a.do(t, http.MethodGet, "/livez", "", func(r *http.Request) { r.Header["X-Request-Id"] = []string{given} })
		got := rec.Header().Get("X-Request-ID")
		if kept {
			require.Equal(t, given, got)
			continue
		}
		id, err := uuid.Parse(got)
		require.NoError(t, err)
		require.Equal(t, uuid.Version(7), id.Version())
	}
}

func TestAccessLogHoldsTheRouteAndNoPersonalData(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withOperators)
	a.ledger.reward = func(reward.ID) (ledger.Record, error) { return record(2429153, reward.Held), nil }
	a.do(t, http.MethodGet, "/api/v1/rewards/2429153", "", bearer(token("viewer")), header("X-Request-ID", "request-0815"))

	line := a.lines(t)[len(a.lines(t))-1]
	delete(line, "time")
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "request.answered", "method": "GET", "route": "/api/v1/rewards/:id", "status": 200.0,
		"duration": 0.0, "request_id": "request-0815", "principal": "viewer", "reward_id": 2429153.0,
	}, line)
	require.NotContains(t, a.logs.String(), "jane@example.com")

	a.do(t, http.MethodGet, "/livez", "")
	require.Equal(t, "DEBUG", a.lines(t)[len(a.lines(t))-1]["level"])
	a.do(t, "BREW", "/jane@example.com", "")
	line = a.lines(t)[len(a.lines(t))-1]
	require.Equal(t, "unmatched", line["route"])
	require.Equal(t, "_OTHER", line["method"])
	require.NotContains(t, a.logs.String(), "jane@example.com")
}

func TestSpanNamesTheRoute(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.ledger.list = func(ledger.Filter) ([]ledger.Record, error) { return nil, errors.New("boom") }
	a.do(t, http.MethodGet, "/api/v1/rewards?unit=credits", "")

	spans := a.spans.Ended()
	span := spans[len(spans)-1]
	require.Equal(t, "GET /api/v1/rewards", span.Name())
	attributes := map[string]string{}
	for _, kv := range span.Attributes() {
		attributes[string(kv.Key)] = kv.Value.String()
	}
	require.NotEmpty(t, attributes["rewardflow.request_id"])
	delete(attributes, "rewardflow.request_id")
	require.Equal(t, map[string]string{
		"http.request.method": "GET", "http.route": "/api/v1/rewards", "http.response.status_code": "500",
	}, attributes)
	require.Equal(t, "Error", span.Status().Code.String())
	require.Empty(t, span.Status().Description)
}
