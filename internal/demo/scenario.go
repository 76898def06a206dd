package demo

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The customers by whose IDs the provider's double chooses its bad days.
const (
	custRefused = "cus_unknown"
	custSlow    = "cus_slow"
	custLost    = "cus_lost"
	custFlaky   = "cus_flaky"
)

// newProvider returns the double of a team's own reward service.
func newProvider(books, secret string, logger *slog.Logger) (*sandbox.Sandbox, error) {
	provider, err := sandbox.New(sandbox.Config{Secret: secret, BooksPath: books, Logger: logger})
	if err != nil {
		return nil, err
	}
	provider.Script(sandbox.CustID(custRefused), sandbox.Refuse("no customer with this ID").Always())
	provider.Script(sandbox.CustID(custSlow), sandbox.SettleLater(3*time.Second))
	provider.Script(sandbox.CustID(custLost), sandbox.LoseAnswer())
	provider.Script(sandbox.CustID(custFlaky), sandbox.Throttle(time.Second))
	return provider, nil
}

// scene is one reward of the demo.
type scene struct {
	amount int64
	unit   reward.Unit
	cust   string
	forged bool
}

// scenes go through every path; a demo repeats them in this order.
func scenes() []scene {
	return []scene{
		{amount: 2, unit: reward.FreeMonths, cust: "cus_101"},   // Paid by policy.
		{amount: 800, unit: reward.Credits, cust: "cus_102"},    // One approval.
		{amount: 50, unit: reward.Points, cust: custLost},       // The provider's answer gets lost.
		{amount: 999, unit: reward.Credits, forged: true},       // An event that FirstPromoter did not send.
		{amount: 12500, unit: reward.Cash, cust: "cus_103"},     // Two approvals.
		{amount: 20, unit: reward.DiscountPer, cust: custSlow},  // Settles later.
		{amount: 3, unit: reward.FreeMonths, cust: custRefused}, // The provider refuses.
		{amount: 15, unit: reward.DiscountMon, cust: "cus_104"}, // A person delivers it.
		{amount: 5000, unit: reward.Points, cust: "cus_105"},    // The policy refuses.
		{amount: 120, unit: reward.Credits, cust: custFlaky},    // The provider is busy at first.
		{amount: 1, unit: reward.FreeMonths, cust: "cus_106"},   // Paid by policy.
		{amount: 30, unit: reward.DiscountPer, cust: "cus_107"}, // Paid by policy.
		{amount: 4200, unit: reward.Cash, cust: "cus_108"},      // Two approvals.
		{amount: 650, unit: reward.Credits, cust: custSlow},     // One approval, settles later.
		{amount: 200, unit: reward.Points, cust: "cus_109"},     // Paid by policy.
		{amount: 5, unit: reward.FreeMonths, cust: custLost},    // Lost answer.
	}
}

// send sends n rewards, with a pause between them, and now and then another
// event.
func (d *Demo) send(ctx context.Context, n int, pause time.Duration) error {
	for range n {
		if ctx.Err() != nil {
			return nil
		}
		if err := d.sendOne(ctx); err != nil {
			return err
		}
		if pause > 0 {
			wait(ctx, pause)
		}
	}
	return nil
}

func (d *Demo) sendOne(ctx context.Context) error {
	number := len(d.fp.Books().Rewards) + d.sent(true)
	all := scenes()
	s := all[number%len(all)]
	spec := simulator.Spec{
		Amount: s.amount, Unit: s.unit,
		Promoter: reward.Promoter{CustID: s.cust, Email: fmt.Sprintf("promoter%d@example.com", number)},
		Campaign: reward.Campaign{ID: 17476, Name: "Demo"},
	}
	if number%4 == 0 {
		if _, err := d.fp.Fire(ctx, simulator.Occasion{Type: "lead_signup", LeadEmail: fmt.Sprintf("lead%d@example.com", number)}); err != nil {
			return fmt.Errorf("sending a lead: %w", err)
		}
	}
	if s.forged {
		delivery, err := d.fp.FireForged(ctx, simulator.Forgery{Spec: spec, Reward: forgedID(number)})
		if err != nil {
			return fmt.Errorf("forging an event: %w", err)
		}
		d.note(delivery.Reward)
		return nil
	}
	id, err := d.fp.CreateReward(ctx, spec)
	if err != nil {
		return fmt.Errorf("sending a reward: %w", err)
	}
	d.note(id)
	return nil
}

// forgedBase keeps forged IDs away from genuine ones.
const forgedBase = 90_000_000

func forgedID(number int) reward.ID { return reward.ID(forgedBase + number) }

func (d *Demo) note(id reward.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mine = append(d.mine, id)
}

// sent counts what this start sent; forgedOnly counts its forged events.
func (d *Demo) sent(forgedOnly bool) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !forgedOnly {
		return len(d.mine)
	}
	n := 0
	for _, id := range d.mine {
		if id >= forgedBase {
			n++
		}
	}
	return n
}

// wait pauses until the context ends.
func wait(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
