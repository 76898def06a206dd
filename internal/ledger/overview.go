package ledger

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Caller is somebody who may decide, as far as lists and counts must know.
type Caller struct {
	// Person is the name that stands in decisions.
	Person string
	// Roles are the values of Record.Role about which the person may decide,
	// the empty one (any role that decides) among them where that holds.
	Roles []string
}

// Asked selects rewards about which people are still asked.
type Asked struct {
	Caller Caller
	// Others selects those that wait for somebody else: of another role, or
	// decided by the caller already, or kept from the caller by the policy. Without
	// it, those that wait for the caller.
	Others bool
}

// Overview is the whole at a glance. Reading it costs the same however many
// rewards there are.
type Overview struct {
	// ForCaller and ForOthers count the rewards about which people are asked.
	ForCaller int
	ForOthers int
	Statuses  map[reward.Status]int
	// Asking counts the rewards about which people are asked by the hour in
	// which they came in, oldest first.
	Asking []HourCount
	// Paid sums what was paid by UTC day, oldest first.
	Paid []DayTotal
}

// HourCount counts rewards that came in within the hour that begins at Hour.
type HourCount struct {
	Hour  time.Time
	Count int
}

// DayTotal sums what was paid on a UTC day and not returned since.
type DayTotal struct {
	Day time.Time
	// Unit is the unit, or the currency of cash.
	Unit   string
	Count  int
	Amount int64
}

// Overviews counts without looking at every reward.
type Overviews interface {
	// Overview counts for one caller. Paid begins with the UTC day of since.
	Overview(ctx context.Context, who Caller, since time.Time) (Overview, error)
}

// Age is how many wait, and since when the first of them does; the zero time
// when none waits.
type Age struct {
	Count  int
	Oldest time.Time
}

// Vitals are what a monitor watches. Reading them costs the same however many
// rewards have ended.
type Vitals struct {
	// Statuses holds every status that some reward has. Oldest is when the first
	// of those that have it now got it, and zero for a final status.
	Statuses map[reward.Status]Age
	// Unknown are payouts whose outcome nobody knows, by their first send.
	Unknown Age
	// Unclosed are rewards that are paid and that FirstPromoter is not known to
	// hold as completed, by when they were paid. It counts no further than
	// MaxDepth.
	Unclosed Age
	// Paid sums what was paid on the UTC day of the asking.
	Paid []DayTotal
}

// Monitor tells what a monitor watches.
type Monitor interface {
	// Vitals counts as of now.
	Vitals(ctx context.Context, now time.Time) (Vitals, error)
}
