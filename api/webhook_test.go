package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/fault"
)

// fulfilled is an intake that would have every event answered by 200.
func fulfilled(context.Context, []byte) (bool, string, error) {
	return true, "fulfilment-2429153", nil
}

func TestWebhookAnswersByTable(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		fulfilled bool
		err       error
		status    int
		body      string
	}{
		"taken in":          {status: 202, body: `{"fulfilled":false,"workflow_id":"fulfilment-1"}`},
		"paid and claimed":  {fulfilled: true, status: 200, body: `{"fulfilled":true,"workflow_id":"fulfilment-1"}`},
		"unusable":          {err: fault.New(fault.Invalid, "intake", "event.type is missing"), status: 400},
		"wrapped unusable":  {err: fmt.Errorf("accepting: %w", fault.New(fault.Invalid, "intake", "no")), status: 400},
		"inbox unavailable": {err: fault.New(fault.Unavailable, "ledger", "locked"), status: 503},
		"commit unknown":    {err: fault.New(fault.Ambiguous, "ledger", "lost"), status: 503},
		"not found":         {err: fault.New(fault.NotFound, "ledger", "no"), status: 503},
		"conflict":          {err: fault.New(fault.Conflict, "ledger", "no"), status: 503},
		"denied":            {err: fault.New(fault.Denied, "ledger", "no"), status: 503},
		"declined":          {err: fault.New(fault.Declined, "ledger", "no"), status: 503},
		"throttled":         {err: fault.New(fault.Throttled, "ledger", "no"), status: 503},
		"internal":          {err: fault.New(fault.Internal, "ledger", "no"), status: 503},
		"unclassified":      {err: errors.New("boom"), status: 503},
		"cancelled":         {err: context.Canceled, status: 503},
		// An error outweighs whatever stands beside it.
		"fulfilled and an error": {fulfilled: true, err: fault.New(fault.Ambiguous, "ledger", "lost"), status: 503},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			a := newAPITest(t)
			a.intake.accept = func(context.Context, []byte) (bool, string, error) {
				return row.fulfilled, "fulfilment-1", row.err
			}
			rec := a.do(t, http.MethodPost, webhookURL, `{"event":{}}`)

			require.Equal(t, row.status, rec.Code)
			if row.body != "" {
				require.JSONEq(t, row.body, rec.Body.String())
			}
			if row.status == http.StatusServiceUnavailable {
				require.Equal(t, "30", rec.Header().Get("Retry-After"))
				require.Equal(t, "the event was not stored: send it again", decode[problem](t, rec).Detail)
			}
			require.Equal(t, 1, a.counter(t, "rewardflow_webhook_answers_total", map[string]string{"code": fmt.Sprint(row.status), "event_type": "fulfilment_pending"}))
		})
	}
}

func TestWebhookHandsOverTheVeryBytes(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	var got []byte
	a.intake.accept = func(_ context.Context, body []byte) (bool, string, error) {
		got = body
		return false, "", nil
	}
	body := "{ \"event\" : {\"type\":\"x\"} }\r\n\x00"
	require.Equal(t, http.StatusAccepted, a.do(t, http.MethodPost, webhookURL, body).Code)
	require.Equal(t, body, string(got))
}

func TestWebhookCarriesTheTraceOn(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	var inside trace.SpanContext
	a.intake.accept = func(ctx context.Context, _ []byte) (bool, string, error) {
		inside = trace.SpanContextFromContext(ctx)
		return false, "", nil
	}
	a.do(t, http.MethodPost, webhookURL, "{}", header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))

	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", inside.TraceID().String())
	require.NotEqual(t, "00f067aa0ba902b7", inside.SpanID().String())
}

// Every cause of a 401 has the same answer, so that nobody learns how near
// they came.
func TestWebhookRefusesAlikeWhateverIsWrong(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, func(a *apiTest) { a.cfg.BasicAuth = "first:promoter" })
	a.intake.accept = fulfilled
	basic := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	require.Equal(t, http.StatusOK, a.do(t, http.MethodPost, webhookURL, "{}", basic("first", "promoter")).Code)

	var first []byte
	refused := 0
	for name, row := range map[string]struct {
		path string
		edit func(*http.Request)
	}{
		"no secret":              {"/webhooks/firstpromoter", basic("first", "promoter")},
		"empty secret":           {"/webhooks/firstpromoter/", basic("first", "promoter")},
		"one character":          {"/webhooks/firstpromoter/x", basic("first", "promoter")},
		"first half":             {"/webhooks/firstpromoter/" + secret[:16], basic("first", "promoter")},
		"one too many":           {webhookURL + "x", basic("first", "promoter")},
		"other case":             {"/webhooks/firstpromoter/" + strings.ToUpper(secret), basic("first", "promoter")},
		"a slash behind":         {webhookURL + "/", basic("first", "promoter")},
		"a slash before":         {"/webhooks/firstpromoter//" + secret, basic("first", "promoter")},
		"a segment behind":       {webhookURL + "/x", basic("first", "promoter")},
		"an encoded slash":       {webhookURL + "%2f", basic("first", "promoter")},
		"an encoded zero":        {webhookURL + "%00", basic("first", "promoter")},
		"very long":              {"/webhooks/firstpromoter/" + strings.Repeat("x", 100_000), basic("first", "promoter")},
		"no basic auth":          {webhookURL, func(*http.Request) {}},
		"wrong password":         {webhookURL, basic("first", "x")},
		"wrong user":             {webhookURL, basic("x", "promoter")},
		"empty basic auth":       {webhookURL, basic("", "")},
		"bearer instead":         {webhookURL, bearer("first:promoter")},
		"garbled basic auth":     {webhookURL, header("Authorization", "Basic !!!")},
		"everything wrong":       {"/webhooks/firstpromoter/x", basic("x", "x")},
		"secret in a query only": {"/webhooks/firstpromoter/?secret=" + secret, basic("first", "promoter")},
	} {
		rec := a.do(t, http.MethodPost, row.path, "{}", row.edit)
		refused++
		require.Equal(t, http.StatusUnauthorized, rec.Code, name)
		require.Equal(t, `Basic realm="rewardflow"`, rec.Header().Get("WWW-Authenticate"), name)
		if first == nil {
			first = rec.Body.Bytes()
		}
		require.Equal(t, string(first), rec.Body.String(), name)
	}
	require.Equal(t, refused, a.counter(t, "rewardflow_webhook_unauthorized_total", nil))
}

func TestWebhookWithTheSecretEscapedIsGenuine(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	escaped := strings.ReplaceAll(webhookURL, "-", "%2D")
	require.Equal(t, http.StatusAccepted, a.do(t, http.MethodPost, escaped, "{}").Code)
}

func TestWebhookAuthenticatesBeforeItReads(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	r := localRequest(http.MethodPost, "/webhooks/firstpromoter/wrong", "")
	r.Body = io.NopCloser(iotest.ErrReader(errors.New("the body must not be read")))
	require.Equal(t, http.StatusUnauthorized, a.send(t, r).Code)
}

func TestBodyOverOneMebibyteIsRefusedOnEveryRoute(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	fits := strings.Repeat(" ", 1<<20)
	require.Equal(t, http.StatusAccepted, a.do(t, http.MethodPost, webhookURL, fits).Code)
	for _, target := range []string{webhookURL, "/api/v1/rewards/1/decision", "/api/v1/rewards/1/resolve"} {
		rec := a.do(t, http.MethodPost, target, fits+" ")
		require.Equal(t, http.StatusRequestEntityTooLarge, rec.Code, target)
		require.Equal(t, "body_too_large", decode[problem](t, rec).Code)
	}
	rec := a.do(t, http.MethodPut, "/api/v1/brake", fits+" ")
	require.Equal(t, http.StatusRequestEntityTooLarge, rec.Code)
}

func TestWebhookThatPanicsAsksToBeSentAgain(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.intake.accept = func(context.Context, []byte) (bool, string, error) { panic("index out of range") }
	rec := a.do(t, http.MethodPost, webhookURL, "{}")

	require.Equal(t, http.StatusServiceUnavailable, rec.Code)
	require.NotContains(t, rec.Body.String(), "index out of range")
	require.Contains(t, a.logs.String(), "index out of range")
	require.Contains(t, a.logs.String(), "webhook_test.go", "the stack is in the log")
}

// gin answers 200 for a handler that forgets to answer.
func TestHandlerThatAnswersNothingDoesNotSayFulfilled(t *testing.T) {
	t.Parallel()

	handler, err := api.Silent()
	require.NoError(t, err)
	for path, want := range map[string]int{"/webhooks/firstpromoter/x": 503, "/silent": 500} {
		method := map[int]string{503: http.MethodPost, 500: http.MethodGet}[want]
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, localRequest(method, path, ""))
		require.Equal(t, want, rec.Code, path)
	}
}

// oddRequests are what a scanner, a misconfigured proxy or a broken client
// sends. The intake would answer all of them by 200, and the status says what
// must come instead; zero stands for anything but 200.
func oddRequests() map[string]struct {
	method, target, body string
	edit                 func(*http.Request)
	status               int
} {
	type odd = struct {
		method, target, body string
		edit                 func(*http.Request)
		status               int
	}
	rows := map[string]odd{
		"get":               {method: "GET", target: webhookURL, status: 405},
		"put":               {method: "PUT", target: webhookURL, status: 405},
		"patch":             {method: "PATCH", target: webhookURL, status: 405},
		"delete":            {method: "DELETE", target: webhookURL, status: 405},
		"options":           {method: "OPTIONS", target: webhookURL, status: 405},
		"trace":             {method: "TRACE", target: webhookURL, status: 405},
		"connect":           {method: "CONNECT", target: webhookURL, status: 405},
		"propfind":          {method: "PROPFIND", target: webhookURL, status: 405},
		"lower case":        {method: "post", target: webhookURL, status: 405},
		"head":              {method: "HEAD", target: webhookURL, status: 405},
		"get, wrong secret": {method: "GET", target: "/webhooks/firstpromoter/x", status: 405},
		"get, no secret":    {method: "GET", target: "/webhooks/firstpromoter", status: 405},
		"other root":        {method: "POST", target: "/webhook/firstpromoter/" + secret, status: 404},
		"upper root":        {method: "POST", target: "/WEBHOOKS/firstpromoter/" + secret, status: 404},
		"double slash":      {method: "POST", target: "http://localhost//webhooks/firstpromoter/" + secret, status: 404},
		"other vendor":      {method: "POST", target: "/webhooks/stripe/" + secret, status: 404},
		"webhooks only":     {method: "POST", target: "/webhooks", status: 404},
		"webhooks slash":    {method: "POST", target: "/webhooks/", status: 404},
		"dot segments":      {method: "POST", target: "/webhooks/firstpromoter/../firstpromoter/" + secret, status: 401},
		"encoded dots":      {method: "POST", target: "/webhooks/firstpromoter/%2e%2e/" + secret, status: 401},
		"prefix":            {method: "POST", target: "/api/v1/webhooks/firstpromoter/" + secret, status: 404},
		"root":              {method: "POST", target: "/", status: 405},
		"cross site":        {method: "POST", target: webhookURL, edit: header("Sec-Fetch-Site", "cross-site"), status: 403},
		"foreign origin":    {method: "POST", target: webhookURL, edit: header("Origin", "https://evil.example"), status: 403},
		"null origin":       {method: "POST", target: webhookURL, edit: header("Origin", "null"), status: 403},
		"too large":         {method: "POST", target: webhookURL, body: strings.Repeat("x", 1<<20+1), status: 413},
		"body breaks off": {method: "POST", target: webhookURL, status: 400, edit: func(r *http.Request) {
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"event"`), iotest.ErrReader(io.ErrUnexpectedEOF)))
		}},
		"method override": {method: "GET", target: webhookURL, edit: header("X-HTTP-Method-Override", "POST"), status: 405},
	}
	for i, wrong := range []string{
		" ", "%20" + secret, secret + "%20", secret + "%0a", secret + "%0d%0a", "%2f" + secret, secret + ";x", secret + "%3fx",
		secret + "%23", "*", "*secret", ":secret", "{secret}", "%2a", "%ff%fe", "null", "undefined", "0", "-1", "true",
		"' OR 1=1 --", "<script>", strings.Repeat("%00", 64), strings.Repeat("a", len(secret)),
		secret + secret, strings.TrimSuffix(secret, "g"), "\u202e" + secret, secret + "\u200b",
	} {
		target := "/webhooks/firstpromoter/" + strings.NewReplacer(" ", "%20", "<", "%3c", ">", "%3e", "'", "%27").Replace(wrong)
		rows[fmt.Sprintf("wrong secret %d", i)] = odd{method: "POST", target: target, status: 401}
	}
	return rows
}

func TestOddRequestIsNeverAnsweredByFulfilled(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.intake.accept = fulfilled
	require.Equal(t, http.StatusOK, a.do(t, http.MethodPost, webhookURL, "{}").Code, "the intake is eager")

	rows := oddRequests()
	require.GreaterOrEqual(t, len(rows), 50)
	for name, row := range rows {
		r := localRequest(http.MethodPost, "/", row.body)
		odd, err := http.NewRequest(row.method, "http://localhost:8080"+strings.TrimPrefix(row.target, "http://localhost"), bytes.NewBufferString(row.body))
		require.NoError(t, err, name)
		odd.RemoteAddr, odd.Host = r.RemoteAddr, r.Host
		if row.edit != nil {
			row.edit(odd)
		}
		rec := httptest.NewRecorder()
		a.handler.ServeHTTP(rec, odd)

		require.Equal(t, row.status, rec.Code, "%s: %s", name, rec.Body)
		require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"), name)
		require.Empty(t, rec.Header().Get("Location"), name)
	}
}

// Whatever is answered, the secret stands in no log, no span and no metric,
// and in no answer.
func TestSecretIsNowhereWrittenDown(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, func(a *apiTest) { a.cfg.BasicAuth = "first:" + secret })
	// The parts of the secret that survive any escaping.
	core := strings.TrimPrefix(secret, "whsec-")
	auth := func(r *http.Request) { r.SetBasicAuth("first", secret) }
	outcomes := []func(context.Context, []byte) (bool, string, error){
		fulfilled,
		func(context.Context, []byte) (bool, string, error) { return false, "", nil },
		func(context.Context, []byte) (bool, string, error) { return false, "", errors.New("boom") },
		func(context.Context, []byte) (bool, string, error) {
			return false, "", fault.New(fault.Invalid, "intake", "no type")
		},
		func(context.Context, []byte) (bool, string, error) { panic("boom") },
	}
	for _, accept := range outcomes {
		a.intake.accept = accept
		for _, target := range []string{webhookURL, webhookURL + "/", "/webhooks/firstpromoter/x/" + secret, "/" + secret, "/api/v1/rewards/" + secret, "/api/v1/rewards?" + core + "=" + core} {
			for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
				rec := a.do(t, method, target, "{}", auth, header("Referer", "http://localhost"+webhookURL))
				for name, values := range rec.Header() {
					require.NotContains(t, strings.Join(values, " "), core, name)
				}
				if !strings.Contains(target, "?") { // A query is the caller's own, and is named back.
					require.NotContains(t, rec.Body.String(), core)
				}
			}
		}
	}

	require.NotContains(t, a.logs.String(), core)
	spans := a.spans.Ended()
	require.NotEmpty(t, spans)
	for _, s := range spans {
		require.NotContains(t, s.Name(), core)
		require.NotContains(t, s.Status().Description, core)
		for _, kv := range s.Attributes() {
			require.NotContains(t, kv.Value.String(), core, string(kv.Key))
		}
		require.Empty(t, s.Events())
	}
	require.NotContains(t, a.do(t, http.MethodGet, "/metrics", "").Body.String(), core)
}

// httptest's recorder is forgiving; net/http is what FirstPromoter meets.
func TestWebhookOverTheWire(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	server := httptest.NewServer(a.handler)
	t.Cleanup(server.Close)
	post := func(path string, body io.Reader) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, body)
		require.NoError(t, err)
		resp, err := server.Client().Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		return resp.StatusCode
	}

	require.Equal(t, http.StatusAccepted, post(webhookURL, strings.NewReader("{}")))
	require.Equal(t, http.StatusAccepted, post(webhookURL, http.NoBody))
	require.Equal(t, http.StatusUnauthorized, post("/webhooks/firstpromoter/x", strings.NewReader("{}")))
	require.Equal(t, http.StatusRequestEntityTooLarge, post(webhookURL, bytes.NewReader(make([]byte, 1<<20+1))))
	require.Equal(t, http.StatusServiceUnavailable, func() int {
		a.intake.accept = func(context.Context, []byte) (bool, string, error) { panic("boom") }
		return post(webhookURL, strings.NewReader("{}"))
	}())
}
