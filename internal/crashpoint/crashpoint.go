// Package crashpoint lets a process end or stop itself at a named place, so
// that fault tests can be aimed at the moments that matter: between a commit and
// its answer, between a claim and its send.
//
// Nothing of it is there unless the variable NEMESIS_CRASH_POINT is set, whose
// name is no key of the configuration on purpose. A process that has it says so
// at every start, as an error.
package crashpoint

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// Variable is what arms a process: "POINT:N:HOW", as in "after_claim:2:kill". N
// counts the passages of the point from 1; the process goes on for the N-1
// before. HOW is "kill" or "stop".
const Variable = "NEMESIS_CRASH_POINT"

// Point is a place in the program.
type Point string

// The points, in the order of a reward's life.
const (
	// InMigration is before each step of the migration of the ledger's schema,
	// and so between two of them.
	InMigration Point = "in_migration"
	// AfterInboxCommit is when an event is in the inbox, and not answered.
	AfterInboxCommit Point = "after_inbox_commit"
	// AfterStart is when a workflow was started, and the inbox does not say so.
	AfterStart Point = "after_start"
	// InUpdate is in the handler of a workflow's update, before the workflow
	// acts on it.
	InUpdate Point = "in_update"
	// BeforeClaim is when a payout is reserved and its claim is about to begin.
	BeforeClaim Point = "before_claim"
	// AfterClaim is when a payout's attempt is committed, and nothing was sent.
	AfterClaim Point = "after_claim"
	// BeforeSend is right before a provider is called.
	BeforeSend Point = "before_send"
	// AfterEffect is when a provider has answered, and nobody has heard it.
	AfterEffect Point = "after_effect"
	// AfterSettle is when the ledger holds the outcome, and Temporal does not.
	AfterSettle Point = "after_settle"
	// AfterCloseClaim is between the claim of a close and its call.
	AfterCloseClaim Point = "after_close_claim"
	// AfterCloseCall is when FirstPromoter has answered the close, and the
	// ledger does not say so.
	AfterCloseCall Point = "after_close_call"
)

// Points returns every point.
func Points() []Point {
	return []Point{
		InMigration, AfterInboxCommit, AfterStart, InUpdate, BeforeClaim, AfterClaim,
		BeforeSend, AfterEffect, AfterSettle, AfterCloseClaim, AfterCloseCall,
	}
}

// How is what a process does to itself.
type How string

// The ways.
const (
	Kill How = "kill" // SIGKILL: it is gone, with everything it did not write.
	Stop How = "stop" // SIGSTOP: it stands still until somebody sends SIGCONT.
)

// Armed is a point at which this process will act. The nil Armed acts nowhere,
// which is what every process has in production.
type Armed struct {
	point Point
	how   How
	left  atomic.Int64
	act   func(How) error
}

// Read returns what the environment asks for; nil when it asks for nothing. What
// it does not understand is an error: a process that was meant to be armed and is
// not would prove nothing.
func Read(lookup func(string) (string, bool)) (*Armed, error) {
	text, ok := lookup(Variable)
	if !ok || text == "" {
		return nil, nil
	}
	return parse(text)
}

func parse(text string) (*Armed, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%s is %q, and not POINT:N:HOW; it is for fault tests: unset it", Variable, text)
	}
	a := &Armed{point: Point(parts[0]), how: How(parts[2]), act: signalSelf}
	n, err := strconv.ParseInt(parts[1], 10, 32)
	switch {
	case !slices.Contains(Points(), a.point):
		return nil, fmt.Errorf("%s names the point %q, which is not one of %v; it is for fault tests: unset it", Variable, a.point, Points())
	case err != nil || n < 1:
		return nil, fmt.Errorf("%s counts %q, which is not a number above zero; it is for fault tests: unset it", Variable, parts[1])
	case a.how != Kill && a.how != Stop:
		return nil, fmt.Errorf("%s asks for %q, which is neither kill nor stop; it is for fault tests: unset it", Variable, a.how)
	}
	a.left.Store(n)
	return a, nil
}

// Setting renders what arms a process, for its environment.
func Setting(p Point, n int, how How) string { return fmt.Sprintf("%s=%s:%d:%s", Variable, p, n, how) }

// String says where the process will act, for its log.
func (a *Armed) String() string {
	return fmt.Sprintf("this process will %s itself at %s, passage %d", a.how, a.point, a.left.Load())
}

// Pass says that the process is at a point. It returns, unless the process ends
// there.
func (a *Armed) Pass(p Point) {
	if a == nil || a.point != p || a.left.Add(-1) != 0 {
		return
	}
	if err := a.act(a.how); err != nil {
		// It must not go on as if it had passed.
		fmt.Fprintf(os.Stderr, "crashpoint: %s at %s: %v\n", a.how, p, err)
		os.Exit(3)
	}
}
