package firstpromoter_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func TestPayoutReadsTheRecord(t *testing.T) {
	t.Parallel()

	server := newFake(t, answers(http.StatusOK, string(fixture(t, "payouts_list"))))
	got, err := server.client().Payout(t.Context(), 6100033, 3150771)
	require.NoError(t, err)
	require.Equal(t, firstpromoter.Payout{
		ID:        3150771,
		Status:    firstpromoter.StatusPending,
		Quantity:  reward.Quantity{Amount: 40, Unit: reward.Credits},
		Promoter:  reward.Promoter{ID: 6100033, CustID: "cus_0042", Email: "ines@example.net"},
		Campaign:  reward.Campaign{ID: 4711, Name: "Spring"},
		CreatedAt: time.Date(2025, 3, 2, 8, 0, 0, 250e6, time.UTC),
		Known: firstpromoter.PromoterFacts{
			Status: "active", JoinedAt: time.Date(2025, 1, 14, 9, 30, 0, 125e6, time.UTC),
			Earned:  map[reward.Unit]int64{reward.Cash: 120, reward.Credits: 40},
			Balance: map[reward.Unit]int64{reward.Cash: -20, reward.Credits: 40},
		},
	}, got)
	require.NotContains(t, fmt.Sprintf("%+v", got), canary)

	require.Equal(t, []request{{
		method: http.MethodGet, path: "/api/v1/payouts/list", key: testKey,
		query: url.Values{"promoter_id": {"6100033"}, "status": {"pending"}, "page": {"1"}}, form: url.Values{},
	}}, server.requests())

	paid, err := server.client().Payout(t.Context(), 6100033, 3150700)
	require.NoError(t, err)
	require.Equal(t, firstpromoter.StatusCompleted, paid.Status)
	require.Equal(t, reward.Quantity{Amount: 3000, Unit: reward.Cash}, paid.Quantity)
	require.Equal(t, time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC), paid.DatePaid)
}

func TestPayoutReadsOnUntilTheListEnds(t *testing.T) {
	t.Parallel()

	pages := func(all []int, perPage int, total bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			page, _ := strconv.Atoi(r.URL.Query().Get("page"))
			if total {
				w.Header().Set("Total", strconv.Itoa(len(all)))
				w.Header().Set("Per-Page", strconv.Itoa(perPage))
			}
			from := min((page-1)*perPage, len(all))
			_, _ = w.Write([]byte(list(all[from:min(from+perPage, len(all))]...)))
		}
	}
	// filtered knows the parameter status; the servers of the other cases
	// answer as if it were not there.
	filtered := func(all []int, pending int) http.HandlerFunc {
		whole := pages(all, 50, true)
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("status") == "pending" {
				w.Header().Set("Total", "1")
				_, _ = w.Write([]byte(list(pending)))
				return
			}
			whole(w, r)
		}
	}
	for name, tc := range map[string]struct {
		handler  http.HandlerFunc
		want     reward.ID
		requests int
		kind     fault.Kind
	}{
		"PendingAmongMany":         {filtered(span(1, 121), 120), 120, 1, ""},
		"NotPendingAmongMany":      {filtered(span(1, 121), 119), 120, 4, ""},
		"OnTheThirdPage":           {pages(span(1, 121), 50, true), 120, 3, ""},
		"OnTheSecondPageUncounted": {pages(span(1, 121), 50, false), 60, 2, ""},
		"AbsentByTotal":            {pages(span(1, 121), 50, true), 999, 6, fault.NotFound},
		"AbsentByEmptyPage":        {pages(span(1, 121), 50, false), 999, 8, fault.NotFound},
		"AbsentFromAnEmptyList":    {pages(nil, 50, true), 999, 2, fault.NotFound},
		"AbsentWithSmallPages":     {pages(span(1, 46), 20, false), 999, 8, fault.NotFound},
		"PageIgnored":              {answers(http.StatusOK, list(span(1, 31)...)), 999, 4, fault.NotFound},
		"PageIgnoredAtAFullPage":   {answers(http.StatusOK, list(span(1, 51)...)), 999, 4, fault.Unavailable},
		"FewerThanCounted": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Total", "4")
			answers(http.StatusOK, list(1, 2, 3))(w, r)
		}, 999, 4, fault.Unavailable},
		"AnEntryWithoutID":       {answers(http.StatusOK, `[{"id":"?"}]`), 999, 2, fault.Unavailable},
		"BesideAnEntryWithoutID": {answers(http.StatusOK, `[{"id":"?"},7,`+list(8)[1:]), 8, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			server := newFake(t, tc.handler)
			got, err := server.client().Payout(t.Context(), 5, tc.want)
			require.Equal(t, tc.kind, fault.KindOf(err), err)
			require.Len(t, server.requests(), tc.requests)
			if tc.kind == "" {
				require.Equal(t, tc.want, got.ID)
			}
		})
	}
}

func TestPayoutGivesUpOnAListWithoutEnd(t *testing.T) {
	t.Parallel()

	next := 0
	server := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		next++
		_, _ = w.Write([]byte(list(next)))
	})
	_, err := server.client().Payout(t.Context(), 5, 1_000_000)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Len(t, server.requests(), 400)
}

func TestReadsAreClassifiedAndRepeated(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		kind    fault.Kind
		words   string
		tries   int
	}{
		"BadKey":         {answers(401, `Bad credentials`), fault.Denied, `check firstpromoter.api_key (status 401: "Bad credentials")`, 1},
		"BadKeyAsJSON":   {answers(401, `"Bad credentials"`), fault.Denied, `"Bad credentials"`, 1},
		"Forbidden":      {answers(403, `{"message":["no","rights"]}`), fault.Denied, `"no; rights"`, 1},
		"WrongAddress":   {answers(404, `<html>Not here</html>`), fault.Invalid, `check firstpromoter.base_url (status 404)`, 1},
		"NotFoundAsJSON": {answers(404, `{"error":"Not Found"}`), fault.Invalid, `"Not Found"`, 1},
		"Unprocessable":  {answers(422, `["one","two"]`), fault.Invalid, `"one; two"`, 1},
		"Teapot":         {answers(418, ``), fault.Invalid, `(status 418)`, 1},
		"Redirect":       {redirects, fault.Invalid, "redirects", 1},
		"ServerError":    {answers(500, `{"error":"boom"}`), fault.Unavailable, `"boom"`, 3},
		"BadGateway":     {answers(502, `<html>`), fault.Unavailable, `(status 502)`, 3},
		"Page":           {answers(200, `<html>maintenance</html>`), fault.Unavailable, "not a list", 3},
		"Object":         {answers(200, `{"error":"odd"}`), fault.Unavailable, `"odd"`, 3},
		"Null":           {answers(200, `null`), fault.Unavailable, "not a list", 3},
		"CutOff":         {cutOff, fault.Unavailable, "broke off", 3},
		"Reset":          {reset, fault.Unavailable, "no answer", 3},
		"Throttled":      {throttles("0"), fault.Throttled, "less often", 3},
		"ThrottledLong":  {throttles("90"), fault.Throttled, "less often", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			server := newFake(t, tc.handler)
			_, err := server.client().Payout(t.Context(), 5, 1)
			require.Equal(t, tc.kind, fault.KindOf(err), err)
			require.ErrorContains(t, err, tc.words)
			require.Len(t, server.requests(), tc.tries)
			requireHarmless(t, server, err)

			err = server.client().Check(t.Context())
			require.Equal(t, tc.kind, fault.KindOf(err), err)
			require.Len(t, server.requests(), tc.tries+1, "Check is not repeated")
		})
	}
}

func TestReadRecovers(t *testing.T) {
	t.Parallel()

	calls := 0
	server := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls < 3 {
			reset(w, r)
		}
		answers(http.StatusOK, list(1))(w, r)
	})
	_, err := server.client().Payout(t.Context(), 5, 1)
	require.NoError(t, err)
	require.Len(t, server.requests(), 3)
}

func TestCheckMakesOneCheapCall(t *testing.T) {
	t.Parallel()

	server := newFake(t, answers(http.StatusOK, `[]`))
	require.NoError(t, server.client().Check(t.Context()))
	require.Equal(t, url.Values{"per_page": {"1"}}, server.requests()[0].query)
}

func TestCompleteSendsOneForm(t *testing.T) {
	t.Parallel()

	server := newFake(t, answers(http.StatusOK, string(fixture(t, "payouts_update"))))
	got, err := server.client().Complete(t.Context(), 3150771)
	require.NoError(t, err)
	require.Equal(t, firstpromoter.StatusCompleted, got.Status)
	require.Equal(t, reward.ID(3150771), got.ID)
	require.Equal(t, []request{{
		method: http.MethodPut, path: "/api/v1/payouts/update", key: testKey,
		contentType: "application/x-www-form-urlencoded",
		query:       url.Values{}, form: url.Values{"id": {"3150771"}, "status": {"completed"}},
	}}, server.requests())
}

func TestCompleteIsClassifiedAndNeverRepeated(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		kind    fault.Kind
		words   string
	}{
		"Unknown":          {answers(404, `{"error":"Payment not found"}`), fault.NotFound, `"Payment not found"`},
		"BadKey":           {answers(401, `Bad credentials`), fault.Denied, "firstpromoter.api_key"},
		"Forbidden":        {answers(403, ``), fault.Denied, "firstpromoter.api_key"},
		"NoID":             {answers(422, `{"error":"You need to find the payout by id."}`), fault.Invalid, `"You need to find`},
		"BadRequest":       {answers(400, ``), fault.Invalid, "did not understand"},
		"WrongMethod":      {answers(405, ``), fault.Invalid, "firstpromoter.base_url"},
		"MovedOn":          {answers(409, ``), fault.Conflict, "moved on"},
		"Redirect":         {redirects, fault.Invalid, "never followed"},
		"Throttled":        {throttles("7"), fault.Throttled, "less often"},
		"RequestTimeout":   {answers(408, ``), fault.Ambiguous, "may or may not"},
		"ServerError":      {answers(500, ``), fault.Ambiguous, "may or may not"},
		"Unavailable":      {answers(503, ``), fault.Ambiguous, "may or may not"},
		"Odd":              {answers(418, ``), fault.Ambiguous, "may or may not"},
		"Reset":            {reset, fault.Ambiguous, "no answer"},
		"CutOff":           {cutOff, fault.Ambiguous, "broke off"},
		"Accepted":         {answers(202, string(fixture(t, "payouts_update"))), fault.Ambiguous, "status 202"},
		"NoContent":        {answers(204, ``), fault.Ambiguous, "status 204"},
		"Empty":            {answers(200, ``), fault.Ambiguous, "does not say"},
		"NotJSON":          {answers(200, `<html>`), fault.Ambiguous, "does not say"},
		"AnotherReward":    {answers(200, `{"id":3150772,"status":"completed"}`), fault.Ambiguous, "does not say"},
		"StillPending":     {answers(200, `{"id":3150771,"status":"pending"}`), fault.Ambiguous, "does not say"},
		"AList":            {answers(200, `[{"id":3150771,"status":"completed"}]`), fault.Ambiguous, "does not say"},
		"SuccessWithError": {answers(200, `{"error":"locked"}`), fault.Ambiguous, `"locked"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			server := newFake(t, tc.handler)
			_, err := server.client().Complete(t.Context(), 3150771)
			require.Equal(t, tc.kind, fault.KindOf(err), err)
			require.ErrorContains(t, err, tc.words)
			require.Len(t, server.requests(), 1)
			requireHarmless(t, server, err)
			if name == "Throttled" {
				require.Equal(t, 7*time.Second, fault.RetryAfter(err))
			}
		})
	}
}

func TestTimeoutOfAWriteIsAmbiguous(t *testing.T) {
	t.Parallel()

	release := make(chan struct{})
	server := newFake(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := server.client().Complete(ctx, 1)
	require.Equal(t, fault.Ambiguous, fault.KindOf(err))
	require.ErrorContains(t, err, "timed out")
	require.Len(t, server.requests(), 1)
}

func TestWhatWasNeverSentIsNotAmbiguous(t *testing.T) {
	t.Parallel()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())
	_, err = firstpromoter.NewClient(firstpromoter.Config{BaseURL: nobody, APIKey: testKey}).Complete(t.Context(), 1)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.NotContains(t, err.Error(), nobody)

	tls := httptest.NewUnstartedServer(answers(200, `[]`))
	tls.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	tls.StartTLS()
	t.Cleanup(tls.Close)
	_, err = firstpromoter.NewClient(firstpromoter.Config{BaseURL: tls.URL, APIKey: testKey}).Complete(t.Context(), 1)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "a certificate that nobody signed")

	server := newFake(t, answers(200, `{}`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = server.client().Complete(ctx, 1)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Empty(t, server.requests())
}

func TestRateLimitIsSharedAndRespectsTheDeadline(t *testing.T) {
	t.Parallel()

	server := newFake(t, answers(http.StatusOK, `[]`))
	client := firstpromoter.NewClient(firstpromoter.Config{BaseURL: server.URL, APIKey: testKey, RequestsPerMinute: 2})
	require.NoError(t, client.Check(t.Context()))

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	started := time.Now()
	_, err := client.Complete(ctx, 1)
	require.Equal(t, fault.Throttled, fault.KindOf(err))
	require.Greater(t, fault.RetryAfter(err), 25*time.Second)
	require.Less(t, time.Since(started), 4*time.Second, "it does not wait in vain")
	require.Len(t, server.requests(), 1)

	// The refused call gave its place back.
	_, err = client.Complete(ctx, 1)
	require.Positive(t, fault.RetryAfter(err))
	require.LessOrEqual(t, fault.RetryAfter(err), 30*time.Second)
}

func TestRateLimitWaitsForItsTurn(t *testing.T) {
	t.Parallel()

	server := newFake(t, answers(http.StatusOK, `[]`))
	client := firstpromoter.NewClient(firstpromoter.Config{BaseURL: server.URL, APIKey: testKey, RequestsPerMinute: 600})
	started := time.Now()
	for range 65 { // A burst of 60, then one every 100 ms.
		require.NoError(t, client.Check(t.Context()))
	}
	require.GreaterOrEqual(t, time.Since(started), 400*time.Millisecond)
}

func TestCallsNeedIDs(t *testing.T) {
	t.Parallel()

	server := newFake(t, answers(http.StatusOK, `[]`))
	_, err := server.client().Payout(t.Context(), 0, 1)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	_, err = server.client().Complete(t.Context(), 0)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	require.Empty(t, server.requests())
}
