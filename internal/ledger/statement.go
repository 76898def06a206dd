package ledger

import (
	"context"
	"math/big"
	"time"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Money says what is known of a payout's value: whether it left.
type Money string

// What can be known of a payout's value.
const (
	// MoneyLeft: it was delivered.
	MoneyLeft Money = "left"
	// MoneyMayHaveLeft: it was sent, and nobody has learned yet what became of
	// it; or its provider has not finished.
	MoneyMayHaveLeft Money = "may_have_left"
	// MoneyCameBack: it left, and came back.
	MoneyCameBack Money = "came_back"
	// MoneyStayed: it was proven not to have left.
	MoneyStayed Money = "stayed"
)

// MoneyOf says what the state of a payout, and the doubt about its earlier
// sends, mean for its value.
func MoneyOf(state payout.State, doubt Doubt) Money {
	switch state {
	case payout.Paid:
		return MoneyLeft
	case payout.Returned:
		return MoneyCameBack
	case payout.Refused:
		return MoneyStayed
	case payout.Reserved:
		if doubt != DoubtBlind {
			return MoneyStayed
		}
	case payout.Submitting, payout.Unknown, payout.Settling, payout.Conflicted:
	}
	return MoneyMayHaveLeft
}

// Entry is one payout as a statement shows it.
type Entry struct {
	Payout Payout // Without the frozen request's body.
	// At is when the value left, as far as it is known: when it was paid; for
	// a payout that never was, when it was sent last.
	At time.Time
	// LastSentAt is when the newest attempt was claimed, or when a person said
	// that it is paid.
	LastSentAt time.Time
	// ReturnedAt is when the ledger learned last that it came back; zero if it
	// never did.
	ReturnedAt time.Time
	// ClosedAt is when FirstPromoter showed the reward as completed; zero
	// before.
	ClosedAt time.Time
	Money    Money

	Status   reward.Status
	Promoter reward.Promoter
	Campaign reward.Campaign
	// PolicyVersion and Rule name the rule that decided; empty where none did.
	PolicyVersion string
	Rule          string
	// Approvals are the approvals that count, oldest first; none where the
	// policy asked nobody.
	Approvals []Approval
	// ByHand says that Payout.Reference is what a person gave as the proof of a
	// payment by hand.
	ByHand bool
	// Resolution is a person's instruction: where ByHand is true the one that
	// says so, else the newest. Its zero value says that there is none.
	Resolution reward.Resolution
	// OtherReferences are references that the provider gave in this reward's
	// attempts beside the payout's own, oldest first, each once. A payout that
	// was refused or came back, and was made again, has some.
	OtherReferences []string
}

// Approval says who approved.
type Approval struct {
	By       string
	Verified bool
	At       time.Time
}

// PayoutFilter selects the entries of a statement. Only payouts that were ever
// sent, or paid by hand, are in it; each one at its Entry.At, so that periods
// which join up hold every payout once.
type PayoutFilter struct {
	// From and To bound Entry.At: From is in the period, To is not. Zero does
	// not bound.
	From time.Time
	To   time.Time
	// States selects payouts by their state. Empty selects those whose value
	// left or may have left: every MoneyOf but MoneyStayed.
	States   []payout.State
	Unit     reward.Unit // Empty selects every unit.
	Provider string      // Empty selects every provider.
}

// PayoutCursor is a place in a statement: behind the entry with this time and
// reward. The zero value is the start.
type PayoutCursor struct {
	At       time.Time
	RewardID reward.ID
}

// PayoutTotal sums the payouts of one unit, currency and state.
type PayoutTotal struct {
	State    payout.State
	Money    Money
	Unit     reward.Unit
	Currency string
	Count    int
	// Amount is a sum, and may be beyond int64.
	Amount *big.Int
}

// Statement tells what was paid, for people who check it.
type Statement interface {
	// ListPayouts returns entries of the statement, oldest first (by Entry.At,
	// then by reward ID), behind the cursor. Limit is at most 500; zero means 50.
	// The entries of one call are of one state of the ledger.
	ListPayouts(ctx context.Context, f PayoutFilter, after PayoutCursor, limit int) ([]Entry, error)
	// PayoutTotals sums everything that the filter selects, ordered by unit,
	// currency, the order of payout.States, and what is known of the value.
	PayoutTotals(ctx context.Context, f PayoutFilter) ([]PayoutTotal, error)
}
