package app

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/telemetry"
)

// register is a ledger that answers as it is told; everything else of it is not
// called.
type register struct {
	ledger.Ledger

	payout  ledger.Payout
	claim   ledger.Claim
	tally   ledger.Tally
	changes []ledger.Change
	err     error
}

func (r *register) Finish(context.Context, ledger.Attempt, payout.Outcome) (ledger.Payout, error) {
	return r.payout, r.err
}

func (r *register) Found(context.Context, reward.ID, int64, payout.Finding, time.Time) (ledger.Payout, error) {
	return r.payout, r.err
}

func (r *register) PayByHand(context.Context, reward.ID, string, string, time.Time) (ledger.Payout, error) {
	return r.payout, r.err
}

func (r *register) Claim(context.Context, reward.ID, ledger.Caps, time.Time, time.Time) (ledger.Claim, error) {
	return r.claim, r.err
}

func (r *register) Decide(context.Context, reward.Decision, bool) (ledger.Tally, error) {
	return r.tally, r.err
}

func (r *register) Changes(context.Context, reward.ID) ([]ledger.Change, error) {
	return r.changes, nil
}

func observedRegister(t *testing.T) (*register, observedLedger, func() []string) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	m, err := newMoneyMetrics(registry)
	require.NoError(t, err)
	m.know("team")
	r := &register{}
	return r, observedLedger{r, m}, func() []string {
		return scrapeOf(t, m.paid, m.amount, m.returned, m.braked, m.waits, m.attempts, m.lookups, m.calls, m.sending)
	}
}

// TestPaidIsCountedOnce holds what counts as a payment, and that the same one does
// not count again at a later look.
func TestPaidIsCountedOnce(t *testing.T) {
	t.Parallel()

	r, l, scrape := observedRegister(t)
	ctx, now := t.Context(), time.Now()
	months := reward.Quantity{Amount: 3, Unit: reward.FreeMonths}
	settled := payout.Outcome{Class: payout.ClassAccepted, Settled: true}

	r.payout = ledger.Payout{Provider: "team", Quantity: months, State: payout.Paid, Fence: 4, PaidAt: now, UpdatedAt: now}
	_, err := l.Finish(ctx, ledger.Attempt{Number: 4}, settled)
	require.NoError(t, err)
	_, _ = l.Finish(ctx, ledger.Attempt{Number: 3}, settled)                                    // An attempt that is not the payout's.
	_, _ = l.Finish(ctx, ledger.Attempt{Number: 4}, payout.Outcome{Class: payout.ClassUnknown}) // It was found before.
	_, _ = l.Found(ctx, 1, 4, payout.Finding{Answer: payout.FoundSettled}, now.Add(time.Hour))  // A later look.
	r.err = fault.New(fault.Unavailable, "test", "no ledger")
	_, err = l.Finish(ctx, ledger.Attempt{Number: 4}, settled)
	require.Error(t, err)
	r.err = nil
	require.Contains(t, scrape(), `rewardflow_payouts_paid_total{provider="team",unit="free_months"} 1`)
	require.Contains(t, scrape(), `rewardflow_paid_amount_total{provider="team",unit="free_months"} 3`)

	r.payout.Quantity = reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"}
	_, _ = l.Found(ctx, 1, 4, payout.Finding{Answer: payout.FoundSettled}, now)
	_, _ = l.PayByHand(ctx, 1, "alice", "ref", now)
	require.Contains(t, scrape(), `rewardflow_payouts_paid_total{provider="team",unit="USD"} 2`)
	require.Contains(t, scrape(), `rewardflow_paid_amount_total{provider="team",unit="USD"} 2500`)

	r.payout.State = payout.Returned
	_, _ = l.Found(ctx, 1, 4, payout.Finding{Answer: payout.FoundReturned}, now)
	_, _ = l.Found(ctx, 1, 4, payout.Finding{Answer: payout.FoundReturned}, now.Add(time.Hour))
	require.Contains(t, scrape(), `rewardflow_payouts_returned_total{provider="team",unit="USD"} 1`)
}

func TestOnlyWhatTheBrakeStoppedIsCounted(t *testing.T) {
	t.Parallel()

	r, l, scrape := observedRegister(t)
	r.claim = ledger.Claim{Payout: ledger.Payout{Provider: "team"}}
	_, _ = l.Claim(t.Context(), 1, ledger.Caps{}, time.Now(), time.Now())
	r.claim.Braked = true
	_, _ = l.Claim(t.Context(), 1, ledger.Caps{}, time.Now(), time.Now())
	require.Contains(t, scrape(), `rewardflow_payouts_braked_total{provider="team"} 1`)
}

// TestAWaitIsMeasuredWhenItIsSettled holds that a decision which leaves others to
// be asked, is refused or repeated measures nothing.
func TestAWaitIsMeasuredWhenItIsSettled(t *testing.T) {
	t.Parallel()

	r, l, scrape := observedRegister(t)
	asked := time.Now()
	r.changes = []ledger.Change{
		{To: reward.Received, At: asked.Add(-time.Hour)},
		{To: reward.AwaitingApproval, At: asked},
		{To: reward.Held, At: asked.Add(time.Hour)},
		{To: reward.AwaitingApproval, At: asked.Add(2 * time.Hour)},
	}
	decide := func(tally ledger.Tally) {
		tally.Decision.Decision = reward.Decision{Verdict: reward.Approve, At: asked.Add(3 * time.Hour)}
		r.tally = tally
		_, err := l.Decide(t.Context(), reward.Decision{RewardID: 1}, false)
		require.NoError(t, err)
	}
	decide(ledger.Tally{Decision: ledger.Recorded{Counted: true}})
	decide(ledger.Tally{Approved: true})
	decide(ledger.Tally{Approved: true, Repeated: true, Decision: ledger.Recorded{Counted: true}})
	require.Contains(t, scrape(), `rewardflow_approval_wait_seconds_count{verdict="approve"} 0`)
	decide(ledger.Tally{Approved: true, Decision: ledger.Recorded{Counted: true}})
	require.Contains(t, scrape(), `rewardflow_approval_wait_seconds_count{verdict="approve"} 1`)
	require.Contains(t, scrape(), `rewardflow_approval_wait_seconds_sum{verdict="approve"} 10800`)
}

// scripted is a provider that answers as it is told.
type scripted struct {
	payout.Provider

	out   payout.Outcome
	found payout.Finding
}

func (s *scripted) Name() string                                          { return "team" }
func (s *scripted) Send(context.Context, payout.Request) payout.Outcome   { return s.out }
func (s *scripted) Lookup(context.Context, payout.Request) payout.Finding { return s.found }

func TestAProvidersCallsAreCounted(t *testing.T) {
	t.Parallel()

	_, l, scrape := observedRegister(t)
	tel, err := telemetry.New(t.Context(), telemetry.Config{})
	require.NoError(t, err)
	s := &scripted{out: payout.Outcome{Class: payout.ClassRefused, Detail: "no"}}
	p := observed(map[string]payout.Provider{"team": s}, tel.Tracer("test"), l.metrics)["team"]
	require.Equal(t, s.out, p.Send(t.Context(), payout.Request{}), "the outcome is the provider's")
	s.out = payout.Outcome{Class: "made up"}
	require.Equal(t, s.out, p.Send(t.Context(), payout.Request{}))
	s.found = payout.Finding{Answer: payout.Absent}
	require.Equal(t, s.found, p.Lookup(t.Context(), payout.Request{}))
	l.metrics.called(callComplete, fault.New(fault.Denied, "test", "no"))
	for _, want := range []string{
		`rewardflow_payout_attempts_total{outcome="refused",provider="team"} 1`,
		`rewardflow_payout_attempts_total{outcome="unknown",provider="team"} 1`,
		`rewardflow_payout_attempts_total{outcome="accepted",provider="team"} 0`,
		`rewardflow_payout_lookups_total{answer="absent",provider="team"} 1`,
		`rewardflow_payout_send_duration_seconds_count{provider="team"} 2`,
		`rewardflow_firstpromoter_calls_total{call="complete",result="denied"} 1`,
		`rewardflow_firstpromoter_calls_total{call="read",result="ok"} 0`,
	} {
		require.Contains(t, scrape(), want)
	}
}
