// Package protocoltest holds the one property that everything else is for: no
// schedule of faults, deaths, clocks and people pays a reward twice, or says
// that it was paid when it was not.
//
// It drives the real workflow, the real activities, the real ledger in SQLite
// and the real adapter of a provider, over real HTTP, against that provider's
// stateful double. Only time is not real: the workflow, the activities, the
// ledger and the double share one clock, so that a key is forgotten when the
// provider would have forgotten it.
//
// A schedule is plain data that rapid draws before anything happens, so that
// it shrinks well and can be read as a story. Play plays one that was written
// down. To go through thousands:
//
//	TMPDIR=/dev/shm go test -run Protocol ./internal/payout/... -rapid.checks=5000
package protocoltest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
)

// Subject is one adapter with a fresh double of its provider: that of the
// conformance suite, and what the protocol needs to know beyond it. The
// double's books count what was paid under a key and not known to have failed;
// what came back later was paid.
type Subject struct {
	payouttest.Subject

	// Key returns the idempotency key of a send; body is what it carries.
	Key func(r *http.Request, body []byte) string
	// Mishaps are bad days that only this provider has: an answer that it keeps
	// for the key, a refusal, a payout that settles later. They serve the
	// request in the place of the double.
	Mishaps []Mishap
	// News is what may happen at the provider to payouts that it has accepted.
	News []News
	// Deliver lets everything be delivered that the provider has under way.
	Deliver func()
}

// Mishap is a bad day of one provider.
type Mishap struct {
	Name  string
	Serve http.HandlerFunc
}

// News is something that happens at a provider.
type News struct {
	Name   string
	Happen func()
}

// Make returns a fresh subject, whose double and adapter take their time from
// now.
type Make func(now func() time.Time) Subject

// Run checks the property for schedules that rapid draws, each for one of the
// subjects: a provider that has several kinds of payouts names one for each.
func Run(t *testing.T, fresh ...Make) {
	t.Helper()
	ground := newGround(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(ground, fresh[rapid.IntRange(0, len(fresh)-1).Draw(rt, "subject")])
		defer w.close()
		w.play(schedules(w.traits, w.subject).Draw(rt, "schedule"))
		if len(w.broken) > 0 {
			rt.Log("what happened:\n" + strings.Join(w.diary, "\n"))
			rt.Fatalf("broken: %s", strings.Join(w.broken, "\nbroken: "))
		}
	})
}

// Played is what a schedule came to.
type Played struct {
	// Broken says in words which rules were broken; empty when none was.
	Broken []string
	// Diary tells what happened, in its order.
	Diary []string
	// Payout is the state of the payout at the end; empty when there is none.
	Payout payout.State
	// Effects counts what the provider paid for the reward, over all keys.
	Effects int
}

// Play plays one schedule.
func Play(t *testing.T, fresh Make, s Schedule) Played {
	t.Helper()
	w := newWorld(newGround(t), fresh)
	defer w.close()
	w.play(s)
	p, _ := w.payout()
	return Played{Broken: w.broken, Diary: w.diary, Payout: p.State, Effects: w.effects()}
}
