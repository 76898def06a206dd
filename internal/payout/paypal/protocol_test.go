package paypal_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/paypal"
)

const day = 24 * time.Hour

func TestABatchThatSucceededWithAnItemThatFailedIsNotPaid(t *testing.T) {
	t.Parallel()

	d := newDouble()
	p := serve(t, d)
	req := prepared(t, p)
	sent := p.Send(t.Context(), req)
	require.Equal(t, payout.ClassAccepted, sent.Class)
	require.False(t, sent.Settled)

	req.Reference = sent.Reference
	for _, step := range []struct {
		batch, item, reason string
		want                payout.Answer
	}{
		{"PENDING", "PENDING", "", payout.FoundPending},
		{"PROCESSING", "PENDING", "", payout.FoundPending},
		{"SUCCESS", "UNCLAIMED", "RECEIVER_UNREGISTERED", payout.FoundPending},
		{"SUCCESS", "ONHOLD", "REGULATORY_PENDING", payout.FoundPending},
		{"SUCCESS", "FAILED", "RISK_DECLINE", payout.FoundFailed},
		{"SUCCESS", "SUCCESS", "", payout.FoundSettled},
		{"SUCCESS", "REVERSED", "", payout.FoundReturned},
	} {
		d.become(step.batch, step.item, step.reason)
		found := p.Lookup(t.Context(), req)
		require.Equal(t, step.want, found.Answer, "%s/%s: %s", step.batch, step.item, found.Detail)
		require.Equal(t, sent.Reference, found.Reference)
		require.Contains(t, found.Detail, step.reason)
	}
}

func TestADuplicateOfAnotherAmountIsNotTakenForOurs(t *testing.T) {
	t.Parallel()

	d := newDouble()
	p := serve(t, d)
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), prepared(t, p)).Class)

	more := prepared(t, p)
	more.Body = []byte(strings.Replace(wantBody, "12.50", "13.50", 1))
	adopted := p.Send(t.Context(), more)
	require.Equal(t, payout.ClassAccepted, adopted.Class, "PayPal tells a duplicate by its key alone")
	more.Reference = adopted.Reference
	d.become("SUCCESS", "SUCCESS", "")
	found := p.Lookup(t.Context(), more)
	require.Equal(t, payout.CannotTell, found.Answer)
	require.Contains(t, found.Detail, "another amount")
	require.Equal(t, 1, d.Effects(key))
}

// The double forgets as PayPal does, so that a schedule which sends too late
// pays twice there: the traits are what forbids it.
func TestTheWindowEndsBeforePayPalForgets(t *testing.T) {
	t.Parallel()

	d := newDouble()
	p := serve(t, d)
	req := prepared(t, p)
	first := d.Now()
	d.script(lostAfter)
	require.Equal(t, payout.ClassUnknown, p.Send(t.Context(), req).Class)

	d.pass(25*day - time.Second)
	require.True(t, p.Traits().MayResend(first, d.Now()))
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), req).Class)
	require.Equal(t, 1, d.Effects(key))

	d.pass(time.Second)
	require.False(t, p.Traits().MayResend(first, d.Now()))
	d.pass(5 * day)
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), req).Class)
	require.Equal(t, 2, d.Effects(key), "the double does not forget, and proves nothing")
}

// TestNoScheduleOfFaultsPaysTwice follows the protocol's rules for one payout:
// it is sent again only after an outcome that allows it, and only while the
// traits do.
func TestNoScheduleOfFaultsPaysTwice(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		d := newDouble()
		d.linksOnTop = rapid.Bool().Draw(rt, "links on top")
		watched := keepContract(t, d)
		watched.lax = true
		server := httptest.NewServer(watched)
		defer server.Close()
		c := config(server.URL)
		c.Now = d.Now
		p := newProvider(t, c)
		req := prepared(t, p)

		var first time.Time
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"send", "send", "send", "pass", "revoke"}).Draw(rt, "step") {
			case "pass":
				d.pass(time.Duration(rapid.IntRange(1, 20*24).Draw(rt, "hours")) * time.Hour)
			case "revoke":
				d.revoke()
			case "send":
				if req.Reference != "" || !p.Traits().MayResend(first, d.Now()) {
					continue
				}
				if first.IsZero() {
					first = d.Now()
				}
				req.Reference = sendOnce(t, rt, d, p, req)
			}
			require.LessOrEqual(rt, d.Effects(key), 1)
		}
		if req.Reference != "" {
			d.become("SUCCESS", "SUCCESS", "")
			found := p.Lookup(t.Context(), req)
			if found.Answer == payout.CannotTell {
				found = p.Lookup(t.Context(), req) // The token had been revoked.
			}
			require.Equal(rt, payout.FoundSettled, found.Answer, found.Detail)
			require.Equal(rt, 1, d.Effects(key))
		}
	})
}

// sendOnce sends under one fault and returns the reference of what was
// accepted.
func sendOnce(t *testing.T, rt *rapid.T, d *double, p *paypal.Provider, req payout.Request) string {
	t.Helper()
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	mishaps := map[string]mishap{
		"none": nil, "500 before": before(500), "503 after": after(503), "429 before": before(429),
		"lost before": lostBefore, "lost after": lostAfter, "cut short": cutShort, "too slow": tooSlow(giveUp),
	}
	d.script(mishaps[rapid.SampledFrom([]string{
		"none", "500 before", "503 after", "429 before", "lost before", "lost after", "cut short", "too slow",
	}).Draw(rt, "mishap")])
	out := p.Send(ctx, req)
	d.script()
	require.Contains(rt, []payout.Class{payout.ClassAccepted, payout.ClassNotSent, payout.ClassUnknown}, out.Class)
	if out.Class == payout.ClassNotSent {
		require.NotEmpty(rt, out.Kind)
	}
	return out.Reference
}
