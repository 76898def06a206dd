package payouttest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/silentport"
)

func keyIsShortASCII(t *testing.T, b *bench) {
	key := b.prepare(t).Key
	require.NotEmpty(t, key)
	require.LessOrEqual(t, len(key), 63)
	for _, c := range []byte(key) {
		require.True(t, c > ' ' && c < 0x7f, "the key %q is not printable ASCII", key)
	}
}

func prepareIsDeterministic(t *testing.T, b *bench) {
	first, again := b.prepare(t), b.prepare(t)
	require.Equal(t, first, again)
}

func prepareHasNoEffect(t *testing.T, b *bench) {
	req := b.prepare(t)
	require.Zero(t, b.Effects(req.Key))
	require.Empty(t, b.proxy.takeSends())
}

func prepareRefusesWhatCannotBePaid(t *testing.T, b *bench) {
	for name, spoil := range map[string]func(*payout.Order){
		"zero":     func(o *payout.Order) { o.Reward.Quantity.Amount = 0 },
		"negative": func(o *payout.Order) { o.Reward.Quantity.Amount = -1 },
		"unitless": func(o *payout.Order) { o.Reward.Quantity.Unit = "" },
	} {
		order := b.order
		spoil(&order)
		_, err := b.provider.Prepare(t.Context(), order)
		require.Error(t, err, name)
		require.Contains(t, []fault.Kind{fault.Invalid, fault.Declined}, fault.KindOf(err), name)
		b.requireSafe(t, err.Error())
	}
}

func sameKeyPaysOnce(t *testing.T, b *bench) {
	req := b.prepare(t)
	first := b.send(t, req)
	require.Equal(t, payout.ClassAccepted, first.Class, first.Detail)
	require.Equal(t, 1, b.Effects(req.Key))

	again := b.send(t, req)
	require.Equal(t, payout.ClassAccepted, again.Class, again.Detail)
	require.Equal(t, first.Reference, again.Reference)
	require.Equal(t, 1, b.Effects(req.Key))

	other := b.Connect(t, b.proxy.url, patience).Send(t.Context(), req)
	b.requireSound(t, other)
	require.Equal(t, payout.ClassAccepted, other.Class, "another process adopts it too: %s", other.Detail)
	require.Equal(t, first.Reference, other.Reference)
	require.Equal(t, 1, b.Effects(req.Key))
}

func sameKeyAtTheSameTimePaysOnce(t *testing.T, b *bench) {
	req := b.prepare(t)
	outcomes := make([]payout.Outcome, 6)
	var sends sync.WaitGroup
	for i := range outcomes {
		sends.Go(func() { outcomes[i] = b.provider.Send(t.Context(), req) })
	}
	sends.Wait()
	for _, out := range outcomes {
		b.requireSound(t, out)
		require.NotEqual(t, payout.ClassRefused, out.Class, out.Detail)
	}
	require.Equal(t, 1, b.Effects(req.Key))
}

func everyTryHasTheSameBytes(t *testing.T, b *bench) {
	req := b.prepare(t)
	before := string(req.Body)
	b.proxy.breakSends(status(http.StatusServiceUnavailable, b.ErrorBody(http.StatusServiceUnavailable)))
	b.send(t, req)
	first := b.proxy.takeSends()
	require.NotEmpty(t, first, "the suite saw no send: check Subject.IsSend")

	b.proxy.breakSends(nil)
	stored := payout.Request{Key: req.Key, Destination: req.Destination, Body: []byte(before)}
	b.Connect(t, b.proxy.url, patience).Send(t.Context(), stored)
	require.Equal(t, first, b.proxy.takeSends()[:len(first)])
	require.Equal(t, before, string(req.Body), "sending changed the frozen request")
}

func anotherBodyPaysNothing(t *testing.T, b *bench) {
	if b.Another == nil {
		t.Skip("a request of this provider holds nothing else than its key")
	}
	req := b.prepare(t)
	require.Equal(t, payout.ClassAccepted, b.send(t, req).Class)

	other := b.Another(req)
	require.Equal(t, req.Key, other.Key)
	require.Equal(t, payout.ClassConflict, b.send(t, other).Class)
	require.Equal(t, 1, b.Effects(req.Key))
}

func lookupBeforeSending(t *testing.T, b *bench) {
	req := b.prepare(t)
	found := b.lookup(t, req)
	want := payout.Absent
	if b.BlindLookup {
		want = payout.CannotTell
	}
	require.Equal(t, want, found.Answer, found.Detail)
	require.Zero(t, b.Effects(req.Key), "a look-up has no effect")
}

func lookupWithoutAnAnswerCannotTell(t *testing.T, b *bench) {
	req := b.prepare(t)
	for name, breaks := range map[string]breakage{
		"hung up":   hangUp,
		"reset":     Reset,
		"garbage":   garbage,
		"throttled": status(http.StatusTooManyRequests, b.ErrorBody(http.StatusTooManyRequests)),
		"denied":    status(http.StatusUnauthorized, b.ErrorBody(http.StatusUnauthorized)),
		"forbidden": status(http.StatusForbidden, b.ErrorBody(http.StatusForbidden)),
		"500":       status(http.StatusInternalServerError, b.ErrorBody(http.StatusInternalServerError)),
		"503":       status(http.StatusServiceUnavailable, b.ErrorBody(http.StatusServiceUnavailable)),
	} {
		b.proxy.breakAll(breaks)
		found := b.lookup(t, req)
		require.Equal(t, payout.CannotTell, found.Answer, "%s: %s", name, found.Detail)
	}
	b.proxy.breakAll(nil)
	gone := b.Connect(t, "http://"+silentport.Address(t), patience).Lookup(t.Context(), req)
	require.Equal(t, payout.CannotTell, gone.Answer, gone.Detail)
}

func lostAnswersAreUnknownAndFoundAgain(t *testing.T, b *bench) {
	req := b.prepare(t)
	b.proxy.breakSends(b.proxy.after(Reset))
	lost := b.send(t, req)
	require.Equal(t, payout.ClassUnknown, lost.Class, lost.Detail)
	require.Equal(t, 1, b.Effects(req.Key))
	b.proxy.breakSends(nil)

	if !b.BlindLookup {
		found := b.lookup(t, req)
		require.Contains(t, []payout.Answer{payout.FoundSettled, payout.FoundPending}, found.Answer, found.Detail)
		require.NotEmpty(t, found.Reference)
		adopted := b.send(t, req)
		require.Equal(t, payout.ClassAccepted, adopted.Class, adopted.Detail)
		require.Equal(t, found.Reference, adopted.Reference)
	} else {
		require.True(t, b.provider.Traits().ResendBlind, "nothing leads out of an unknown outcome")
		adopted := b.send(t, req)
		require.Equal(t, payout.ClassAccepted, adopted.Class, adopted.Detail)
	}
	require.Equal(t, 1, b.Effects(req.Key))
}

func brokenAnswersAreUnknown(t *testing.T, b *bench) {
	before := map[string]breakage{
		"hung up before the effect": hangUp,
		"reset before the effect":   Reset,
		"no content":                status(http.StatusNoContent, ""),
	}
	after := map[string]breakage{
		"hung up after the effect": b.proxy.after(hangUp),
		"truncated":                b.proxy.truncate,
		"garbage":                  b.proxy.after(garbage),
	}
	for _, code := range []int{500, 502, 503, 504, 529} {
		before["before the effect: "+strconv.Itoa(code)] = status(code, b.ErrorBody(code))
		after["after the effect: "+strconv.Itoa(code)] = b.proxy.after(status(code, b.ErrorBody(code)))
	}
	req := b.prepare(t)
	for effects, breaks := range []map[string]breakage{before, after} {
		for name, f := range breaks {
			if b.Effects(req.Key) > 0 {
				// An adapter that looks before it pays would rightly adopt this one.
				b.order.Reward.ID++
				b.order.Key = payout.Key(b.order.Reward.ID, 1)
				req = b.prepare(t)
			}
			b.proxy.breakSends(f)
			out := b.send(t, req)
			b.proxy.breakSends(nil)
			require.Equal(t, payout.ClassUnknown, out.Class, "%s: %s", name, out.Detail)
			require.Equal(t, effects, b.Effects(req.Key), name)
		}
	}
}

func timeoutIsUnknown(t *testing.T, b *bench) {
	req := b.prepare(t)
	b.proxy.breakSends(b.proxy.after(silence))
	out := b.Connect(t, b.proxy.url, impatience).Send(t.Context(), req)
	b.requireSound(t, out)
	require.Equal(t, payout.ClassUnknown, out.Class, out.Detail)
	require.Equal(t, 1, b.Effects(req.Key))
}

func cancelledContextIsUnknown(t *testing.T, b *bench) {
	req := b.prepare(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.proxy.breakSends(b.proxy.after(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		silence(w, r)
	}))
	out := b.provider.Send(ctx, req)
	b.requireSound(t, out)
	require.Equal(t, payout.ClassUnknown, out.Class, out.Detail)
	require.Equal(t, 1, b.Effects(req.Key))
}

func refusedConnectionIsNotSent(t *testing.T, b *bench) {
	req := b.prepare(t)
	out := b.Connect(t, "http://"+silentport.Address(t), patience).Send(t.Context(), req)
	b.requireSound(t, out)
	require.Equal(t, payout.ClassNotSent, out.Class, out.Detail)
	require.Equal(t, fault.Unavailable, out.Kind)
	require.Zero(t, b.Effects(req.Key))
}

func throttledIsNotSent(t *testing.T, b *bench) {
	req := b.prepare(t)
	b.proxy.breakSends(status(http.StatusTooManyRequests, b.ErrorBody(http.StatusTooManyRequests)))
	out := b.send(t, req)
	require.Equal(t, payout.ClassNotSent, out.Class, out.Detail)
	require.Equal(t, fault.Throttled, out.Kind)
	require.Equal(t, 7*time.Second, out.RetryAfter)
}

func deniedIsNotSent(t *testing.T, b *bench) {
	req := b.prepare(t)
	for _, code := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		b.proxy.breakSends(status(code, b.ErrorBody(code)))
		out := b.send(t, req)
		require.Equal(t, payout.ClassNotSent, out.Class, "%d: %s", code, out.Detail)
		require.Equal(t, fault.Denied, out.Kind, "%d", code)
	}
}

func redirectIsNotFollowed(t *testing.T, b *bench) {
	var followed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		followed.Add(1)
		b.Fake.ServeHTTP(w, r)
	}))
	t.Cleanup(elsewhere.Close)
	req := b.prepare(t)
	b.proxy.breakSends(redirectTo(elsewhere.URL))
	out := b.send(t, req)
	require.Equal(t, payout.ClassUnknown, out.Class, out.Detail)

	b.proxy.breakAll(redirectTo(elsewhere.URL))
	require.Equal(t, payout.CannotTell, b.lookup(t, req).Answer)
	require.Zero(t, followed.Load(), "a redirect carries credentials to another host")
	require.Zero(t, b.Effects(req.Key))
}
