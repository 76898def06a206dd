package tremendous_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/tremendous"
)

// serve starts a double behind the contract and returns a provider for it.
func serve(t *testing.T, d *double) *tremendous.Provider {
	t.Helper()
	server := httptest.NewServer(keepContract(t, d))
	t.Cleanup(server.Close)
	return newProvider(t, config(server.URL))
}

func TestAnOrderIsPaidWhenItsEmailIsDelivered(t *testing.T) {
	t.Parallel()

	d := &double{approvals: true}
	p := serve(t, d)
	req := prepared(t, p)
	sent := p.Send(t.Context(), req)
	require.Equal(t, payout.ClassAccepted, sent.Class)
	require.False(t, sent.Settled, "an order that waits for an approval is not paid")
	require.Contains(t, sent.Detail, "waits for an approval")

	req.Reference = sent.Reference
	for _, step := range []struct {
		order, delivery string
		want            payout.Answer
	}{
		{"PENDING APPROVAL", "SCHEDULED", payout.FoundPending},
		{"PENDING SETTLEMENT", "SCHEDULED", payout.FoundPending},
		{"EXECUTED", "PENDING", payout.FoundPending},
		{"EXECUTED", "SUCCEEDED", payout.FoundSettled},
		{"EXECUTED", "FAILED", payout.FoundReturned},
		{"CANCELED", "SCHEDULED", payout.FoundFailed},
	} {
		d.become(step.order, step.delivery)
		found := p.Lookup(t.Context(), req)
		require.Equal(t, step.want, found.Answer, "%s/%s: %s", step.order, step.delivery, found.Detail)
		require.Equal(t, sent.Reference, found.Reference)
	}
}

// A refusal would let a person order a second payout, of a reward that exists
// and can still be redeemed.
func TestADeliveryThatFailedIsNoRefusal(t *testing.T) {
	t.Parallel()

	d := &double{}
	p := serve(t, d)
	req := prepared(t, p)
	req.Reference = p.Send(t.Context(), req).Reference
	d.become("EXECUTED", "FAILED")

	again := p.Send(t.Context(), req)
	require.Equal(t, payout.ClassAccepted, again.Class)
	require.False(t, again.Settled)
	move, ok := p.Lookup(t.Context(), req).Move()
	require.True(t, ok)
	for _, from := range []payout.State{payout.Settling, payout.Unknown} {
		to, ok := payout.Next(from, move)
		require.True(t, ok)
		require.Equal(t, payout.Returned, to)
		_, ok = payout.Next(to, payout.MoveGeneration)
		require.False(t, ok, "another payout would be a second one")
	}

	d.refundNewest("13")
	require.Equal(t, payout.FoundReturned, p.Lookup(t.Context(), req).Answer)
}

func TestAnAccountWithoutFundsPaysNothingAndLater(t *testing.T) {
	t.Parallel()

	for _, keepsFailed := range []bool{false, true} {
		d := &double{keepsFailed: keepsFailed}
		p := serve(t, d)
		req := prepared(t, p)
		d.empty(true)
		out := p.Send(t.Context(), req)
		require.Equal(t, payout.ClassNotSent, out.Class)
		require.Equal(t, fault.Denied, out.Kind)
		require.Contains(t, out.Detail, "top it up")
		require.Zero(t, d.Effects(key))

		d.empty(false)
		out = p.Send(t.Context(), req)
		if keepsFailed {
			require.Equal(t, payout.ClassRefused, out.Class, "the key belongs to the order that failed")
			require.Equal(t, payout.FoundFailed, p.Lookup(t.Context(), req).Answer)
			require.Zero(t, d.Effects(key))
			continue
		}
		require.Equal(t, payout.ClassAccepted, out.Class)
		require.Equal(t, 1, d.Effects(key))
	}
}

func TestAnOrderOfSomebodyElseUnderOurKeyIsAConflict(t *testing.T) {
	t.Parallel()

	for _, replays := range []bool{false, true} {
		d := &double{replays: replays}
		p := serve(t, d)
		require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), prepared(t, p)).Class)
		for from, to := range map[string]string{"12.50": "13.50", `"USD"`: `"EUR"`, email: "other@example.com"} {
			other := prepared(t, p)
			other.Body = []byte(strings.Replace(wantBody, from, to, 1))
			require.Equal(t, payout.ClassConflict, p.Send(t.Context(), other).Class, to)
			require.Equal(t, payout.CannotTell, p.Lookup(t.Context(), other).Answer, to)
			require.Equal(t, 1, d.Effects(key))
		}
	}
}

// A request that failed, and is at work all the same: the look-up finds nothing,
// the same key goes out again, and then the first one comes through.
func TestARequestThatComesThroughLatePaysOnce(t *testing.T) {
	t.Parallel()

	d := &double{}
	p := serve(t, d)
	req := prepared(t, p)
	let, done := make(chan struct{}), make(chan struct{})
	d.script(late(let, done))
	require.Equal(t, payout.ClassUnknown, p.Send(t.Context(), req).Class)
	require.Equal(t, payout.Absent, p.Lookup(t.Context(), req).Answer)

	again := p.Send(t.Context(), req)
	require.Equal(t, payout.ClassAccepted, again.Class)
	close(let)
	<-done
	require.Equal(t, 1, d.Effects(key))
	require.Equal(t, again.Reference, p.Lookup(t.Context(), req).Reference)
}

// TestNoScheduleOfFaultsPaysTwice follows the protocol's rules for one payout: it
// is sent again only when nothing was done, or when a look-up found nothing.
func TestNoScheduleOfFaultsPaysTwice(t *testing.T) {
	t.Parallel()

	mishaps := map[string]mishap{
		"none": nil, "500 before": before(500), "503 after": after(503), "429 before": before(429), "401 before": before(401),
		"502 before": before(502), "lost before": lostBefore, "lost after": lostAfter, "cut short": cutShort,
	}
	names := []string{"none", "500 before", "503 after", "429 before", "401 before", "502 before", "lost before", "lost after", "cut short"}
	rapid.Check(t, func(rt *rapid.T) {
		d := &double{replays: rapid.Bool().Draw(rt, "replays"), approvals: rapid.Bool().Draw(rt, "approvals")}
		watched := keepContract(t, d)
		watched.lax = true
		server := httptest.NewServer(watched)
		defer server.Close()
		p := newProvider(t, config(server.URL))
		req := prepared(t, p)

		mayHaveBeenDone := false
		for range rapid.IntRange(1, 10).Draw(rt, "tries") {
			if mayHaveBeenDone {
				found := p.Lookup(t.Context(), req)
				if found.Answer != payout.Absent {
					require.Equal(rt, payout.FoundPending, found.Answer, found.Detail)
					require.Equal(rt, 1, d.Effects(key))
					req.Reference = found.Reference
					break
				}
				require.Zero(rt, d.Effects(key), "absent is what is not there")
			}
			d.script(mishaps[rapid.SampledFrom(names).Draw(rt, "mishap")])
			out := p.Send(t.Context(), req)
			require.Contains(rt, []payout.Class{payout.ClassAccepted, payout.ClassNotSent, payout.ClassUnknown}, out.Class, out.Detail)
			require.LessOrEqual(rt, d.Effects(key), 1)
			mayHaveBeenDone = out.Class == payout.ClassUnknown
			if req.Reference = out.Reference; req.Reference != "" {
				break
			}
		}
		if req.Reference == "" {
			return
		}
		d.become("EXECUTED", "SUCCEEDED")
		found := p.Lookup(t.Context(), req)
		require.Equal(rt, payout.FoundSettled, found.Answer, found.Detail)
		require.Equal(rt, req.Reference, found.Reference)
		require.Equal(rt, 1, d.Effects(key))
	})
}

func TestAWrongAPIKeyIsDeniedAndProvesNothing(t *testing.T) {
	t.Parallel()

	d := &double{}
	server := httptest.NewServer(keepContract(t, d))
	t.Cleanup(server.Close)
	c := config(server.URL)
	c.APIKey = "TEST_another"
	p := newProvider(t, c)
	out := p.Send(t.Context(), prepared(t, p))
	require.Equal(t, payout.ClassNotSent, out.Class)
	require.Equal(t, fault.Denied, out.Kind)
	require.Contains(t, out.Detail, http.StatusText(http.StatusUnauthorized))
	require.NotContains(t, out.Detail, c.APIKey)
	require.Equal(t, payout.CannotTell, p.Lookup(t.Context(), prepared(t, p)).Answer)
	require.Zero(t, d.Effects(key))
}
