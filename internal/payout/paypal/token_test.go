package paypal_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/paypal"
)

// serve runs a double and returns a provider that shares its clock.
func serve(t *testing.T, d *double) *paypal.Provider {
	t.Helper()
	server := httptest.NewServer(keepContract(t, d))
	t.Cleanup(server.Close)
	c := config(server.URL)
	c.Now = d.Now
	return newProvider(t, c)
}

func TestOneTokenServesUntilShortlyBeforeItEnds(t *testing.T) {
	t.Parallel()

	d := newDouble()
	p := serve(t, d)
	req := prepared(t, p)
	for range 3 {
		require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), req).Class)
	}
	require.Equal(t, 1, d.Issued())

	d.pass(d.lifetime - time.Minute - time.Second)
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), req).Class)
	require.Equal(t, 1, d.Issued())

	d.pass(time.Second)
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), req).Class)
	require.Equal(t, 2, d.Issued())
}

func TestManySendsAskForOneToken(t *testing.T) {
	t.Parallel()

	d := newDouble()
	p := serve(t, d)
	req := prepared(t, p)
	var sends sync.WaitGroup
	for range 16 {
		sends.Go(func() { p.Send(t.Context(), req) })
	}
	sends.Wait()
	require.Equal(t, 1, d.Issued())
	require.Equal(t, 1, d.Effects(key))
}

func TestARevokedTokenIsReplacedOnTheNextTry(t *testing.T) {
	t.Parallel()

	d := newDouble()
	p := serve(t, d)
	req := prepared(t, p)
	accepted := p.Send(t.Context(), req)
	require.Equal(t, payout.ClassAccepted, accepted.Class)

	d.revoke()
	out := p.Send(t.Context(), req)
	require.Equal(t, payout.ClassNotSent, out.Class)
	require.Equal(t, fault.Unavailable, out.Kind, "no person is called for a token that has ended early")
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), req).Class)

	d.revoke()
	req.Reference = accepted.Reference
	require.Equal(t, payout.CannotTell, p.Lookup(t.Context(), req).Answer)
	require.Equal(t, payout.FoundPending, p.Lookup(t.Context(), req).Answer)
	require.Equal(t, 3, d.Issued())
}

func TestANewTokenThatIsNotTakenIsForAPerson(t *testing.T) {
	t.Parallel()

	s := newStub(t, http.StatusUnauthorized, refusal("AUTHENTICATION_FAILURE"))
	p := newProvider(t, config(s.url))
	for range 2 {
		out := p.Send(t.Context(), prepared(t, p))
		require.Equal(t, payout.ClassNotSent, out.Class)
		require.Equal(t, fault.Denied, out.Kind)
	}
}

func TestTokenRequestsAreAsDocumented(t *testing.T) {
	t.Parallel()

	asked := make(chan *http.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked <- r
		reply(w, http.StatusInternalServerError, nil)
	}))
	t.Cleanup(server.Close)
	p := newProvider(t, config(server.URL))
	out := p.Send(t.Context(), prepared(t, p))

	require.Len(t, asked, 1, out.Detail)
	r := <-asked
	id, secret, ok := r.BasicAuth()
	require.True(t, ok)
	require.Equal(t, []string{clientID, clientSecret}, []string{id, secret})
	require.Equal(t, http.MethodPost, r.Method)
	require.Equal(t, "/v1/oauth2/token", r.RequestURI)
	require.Equal(t, "application/x-www-form-urlencoded", r.Header.Get("Content-Type"))
	require.Equal(t, "client_credentials", r.PostForm.Get("grant_type"))
	require.Len(t, r.PostForm, 1)
}

func TestWithoutATokenNothingIsSent(t *testing.T) {
	t.Parallel()

	const granted = `{"access_token":"A21AAaccesstoken","expires_in":32400}`
	for _, c := range []struct {
		status int
		body   string
		want   fault.Kind
	}{
		{401, `{"error":"invalid_client","error_description":"Client Authentication failed for AbCdClientIdOfTheApp"}`, fault.Denied},
		{400, `{"error":"invalid_client"}`, fault.Denied},
		{400, `{"error":"unsupported_grant_type"}`, fault.Denied},
		{403, `<html>`, fault.Denied},
		{404, ``, fault.Denied},
		{429, `{"name":"RATE_LIMIT_REACHED"}`, fault.Throttled},
		{408, ``, fault.Unavailable},
		{500, ``, fault.Unavailable},
		{503, granted, fault.Unavailable},
		{302, granted, fault.Unavailable},
		{204, ``, fault.Unavailable},
		{200, ``, fault.Unavailable},
		{200, granted[:20], fault.Unavailable},
		{200, `{"expires_in":32400}`, fault.Unavailable},
		{200, `{"access_token":"two\r\nlines","expires_in":32400}`, fault.Unavailable},
		{200, `{"access_token":5,"expires_in":32400}`, fault.Unavailable},
	} {
		var payouts atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/oauth2/token" {
				payouts.Add(1)
			}
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		p := newProvider(t, config(server.URL))
		req := prepared(t, p)
		out := p.Send(t.Context(), req)
		require.Equal(t, payout.ClassNotSent, out.Class, "%d %s", c.status, c.body)
		require.Equal(t, c.want, out.Kind, "%d %s", c.status, c.body)
		requireSafe(t, out.Detail)
		if c.status != http.StatusOK {
			require.Equal(t, 7*time.Second, out.RetryAfter)
		}

		req.Reference = batchID
		found := p.Lookup(t.Context(), req)
		require.Equal(t, payout.CannotTell, found.Answer)
		requireSafe(t, found.Detail)
		require.Zero(t, payouts.Load(), "a payout was sent without a token")
		server.Close()
	}
}

func TestATokenThatTakesTooLongIsNotSent(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(asked)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	p := newProvider(t, config(server.URL))
	req := prepared(t, p)
	first := make(chan payout.Outcome, 1)
	go func() { first <- p.Send(ctx, req) }()
	select {
	case <-asked:
	case out := <-first:
		require.Fail(t, "no token was asked for", out.Detail)
	}

	waiting, stop := context.WithCancel(t.Context())
	stop()
	second := p.Send(waiting, req)
	require.Equal(t, payout.ClassNotSent, second.Class, "whoever waits for the other's token gives up, too")
	require.Equal(t, fault.Unavailable, second.Kind)

	cancel()
	out := <-first
	require.Equal(t, payout.ClassNotSent, out.Class)
	require.Equal(t, fault.Unavailable, out.Kind)
}

func TestATokenWithoutALifetimeServesOnce(t *testing.T) {
	t.Parallel()

	var tokens atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/oauth2/token" {
			tokens.Add(1)
			reply(w, http.StatusOK, map[string]any{"access_token": tokenPrefix})
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, created(key))
	}))
	t.Cleanup(server.Close)
	p := newProvider(t, config(server.URL))
	for range 2 {
		require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), prepared(t, p)).Class)
	}
	require.EqualValues(t, 2, tokens.Load())
}
