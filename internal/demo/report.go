package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Report is what came of the rewards that one start sent, and what the
// doubles' own books say of everything.
type Report struct {
	Sent               int `json:"sent"`
	Fulfilled          int `json:"fulfilled"`
	FulfilledElsewhere int `json:"fulfilled_elsewhere"`
	Rejected           int `json:"rejected"`
	Quarantined        int `json:"quarantined"`
	Attention          int `json:"attention"`
	// ByHand counts those of Fulfilled that a person delivered.
	ByHand          int `json:"by_hand"`
	ProviderEffects int `json:"provider_effects"`
	PaidTwice       int `json:"paid_twice"`

	FirstPromoter  FirstPromoterReport `json:"firstpromoter"`
	ElapsedSeconds float64             `json:"elapsed_seconds"`

	broken []error
}

// FirstPromoterReport is what FirstPromoter's double says.
type FirstPromoterReport struct {
	Completed         int `json:"completed"`
	DoubleCompletions int `json:"double_completions"`
	HasIssues         int `json:"has_issues"`
}

// InvariantError names a promise that was broken.
type InvariantError struct {
	Invariant string
	Words     string
}

// Error returns the invariant's name and what was seen.
func (e *InvariantError) Error() string { return e.Invariant + ": " + e.Words }

// check returns the broken invariants.
func (r *Report) check() error { return errors.Join(r.broken...) }

func (r *Report) breaks(invariant, format string, args ...any) {
	r.broken = append(r.broken, &InvariantError{Invariant: invariant, Words: fmt.Sprintf(format, args...)})
}

// report counts, and holds the ledger against the doubles' books.
func (d *Demo) report(ctx context.Context) (*Report, error) {
	records, err := d.everything(ctx)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	mine := slices.Clone(d.mine)
	d.mu.Unlock()

	r := &Report{Sent: len(mine), ElapsedSeconds: math.Round(time.Since(d.started).Seconds()*100) / 100}
	effects, books := d.provider.Books(), d.fp.Books()
	known := map[reward.ID]bool{}
	for _, rec := range records {
		known[rec.Reward.ID] = true
		p, err := d.process.Ledger().Payout(ctx, rec.Reward.ID)
		byHand := err == nil && p.Provider == "people"
		if slices.Contains(mine, rec.Reward.ID) {
			r.count(rec, byHand)
			r.ProviderEffects += effects.ByReward[rec.Reward.ID]
			if books.Rewards[rec.Reward.ID].Status == "completed" {
				r.FirstPromoter.Completed++
			}
		}
		r.hold(rec, byHand, effects.ByReward[rec.Reward.ID], books.Rewards[rec.Reward.ID].Status)
	}
	for _, id := range mine {
		if !known[id] {
			r.breaks("event_lost", "reward %s was sent, and the ledger does not know it", id)
		}
	}
	r.PaidTwice = len(effects.Doubles)
	r.FirstPromoter.DoubleCompletions, r.FirstPromoter.HasIssues = books.DoubleCompletions, books.HasIssues
	if r.PaidTwice > 0 {
		r.breaks("paid_twice", "the provider paid these rewards more than once: %v", effects.Doubles)
	}
	if books.DoubleCompletions > 0 {
		r.breaks("double_completion", "FirstPromoter counted %d", books.DoubleCompletions)
	}
	if books.HasIssues > 0 {
		r.breaks("has_issues", "FirstPromoter gave up on %d rewards", books.HasIssues)
	}
	if books.ForgedAnswered200 > 0 {
		r.breaks("forged_event_answered_200", "%d times", books.ForgedAnswered200)
	}
	return r, nil
}

func (r *Report) count(rec ledger.Record, byHand bool) {
	switch rec.Status {
	case reward.Fulfilled:
		r.Fulfilled++
		if byHand {
			r.ByHand++
		}
	case reward.FulfilledElsewhere:
		r.FulfilledElsewhere++
	case reward.Rejected:
		r.Rejected++
	case reward.Quarantined:
		r.Quarantined++
	case reward.Attention:
		r.Attention++
	default:
		r.breaks("not_at_rest", "reward %s is %s: %s", rec.Reward.ID, rec.Status, rec.Reason)
	}
}

// hold compares one reward of the ledger with what the doubles saw.
func (r *Report) hold(rec ledger.Record, byHand bool, effects int, atFirstPromoter string) {
	id, completed := rec.Reward.ID, atFirstPromoter == "completed"
	switch {
	case rec.Status == reward.Fulfilled && !byHand && effects != 1:
		r.breaks("fulfilled_without_effect", "reward %s is fulfilled, and the provider paid it %d times", id, effects)
	case rec.Status == reward.Fulfilled && !completed:
		r.breaks("fulfilled_without_completion", "reward %s is fulfilled, and FirstPromoter says %q", id, atFirstPromoter)
	case rec.Status != reward.Fulfilled && rec.Status.Final() && effects > 0:
		r.breaks("paid_without_approval", "reward %s is %s, and the provider paid it", id, rec.Status)
	case rec.Status == reward.Quarantined && effects > 0:
		r.breaks("forged_event_paid", "reward %s is quarantined, and the provider paid it", id)
	case completed && effects == 0 && !byHand:
		r.breaks("completed_without_payment", "FirstPromoter holds reward %s as completed, and nobody paid it", id)
	}
}

// print writes the report for a person or for a program.
func (d *Demo) print(r *Report) error {
	if d.opts.JSON {
		out := json.NewEncoder(d.opts.Out)
		out.SetIndent("", "  ")
		return out.Encode(r)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d events sent: %d fulfilled (%d by hand), %d rejected by the policy, %d quarantined as forged, %d refused by the provider and waiting for a person.\n",
		r.Sent, r.Fulfilled, r.ByHand, r.Rejected, r.Quarantined, r.Attention)
	fmt.Fprintf(&b, "The provider's own books: %d payments, %d rewards paid twice. FirstPromoter's: %d completed, %d completed twice, %d with issues. %.1f s.\n",
		r.ProviderEffects, r.PaidTwice, r.FirstPromoter.Completed, r.FirstPromoter.DoubleCompletions, r.FirstPromoter.HasIssues, r.ElapsedSeconds)
	_, err := d.opts.Out.Write([]byte(b.String()))
	return err
}
