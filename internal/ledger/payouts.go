package ledger

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Payout is the row of one payout, unique by reward ID.
type Payout struct {
	RewardID   reward.ID
	Generation int
	Provider   string
	Quantity   reward.Quantity
	Request    payout.Request
	State      payout.State
	// Fence rises with every claim. Whoever holds an older one changes nothing.
	Fence     int64
	Reference string
	// Detail is the words of the newest outcome.
	Detail     string
	ReservedAt time.Time
	// FirstSentAt is when the first attempt of this generation was claimed;
	// zero while it never was.
	FirstSentAt time.Time
	UpdatedAt   time.Time
	PaidAt      time.Time
	// NextLook is when a paid payout is looked at again; zero if never.
	NextLook time.Time
	// Doubt says whether this generation was sent before with an outcome that
	// nobody learned.
	Doubt Doubt
}

// Doubt is what is known about earlier sends of a payout that may be sent again.
type Doubt string

// The doubts.
const (
	// DoubtNone: every earlier send was proven not to have been done.
	DoubtNone Doubt = ""
	// DoubtAbsent: the outcome of an earlier send was not learned, and a
	// look-up said with authority that it was not done.
	DoubtAbsent Doubt = "absent"
	// DoubtBlind: the outcome of an earlier send was not learned, and no
	// look-up could tell. Only the provider's memory of the key keeps a send
	// from paying again.
	DoubtBlind Doubt = "blind"
)

// Attempt is one submission of one payout to a provider.
type Attempt struct {
	RewardID   reward.ID
	Generation int
	// Number counts the attempts of all generations from 1. It is the fence.
	Number    int64
	Kind      AttemptKind
	Provider  string
	Key       string
	StartedAt time.Time
	// Deadline is when the attempt's client has surely given up.
	Deadline   time.Time
	FinishedAt time.Time // Zero while it is on the wire, or when its worker died.
	Outcome    string    // A payout.Class of a send, a payout.Answer of a look-up.
	Reference  string
	Detail     string
}

// AttemptKind tells a send from a look-up.
type AttemptKind string

// The kinds of attempt.
const (
	AttemptSend   AttemptKind = "send"
	AttemptLookup AttemptKind = "lookup"
	AttemptByHand AttemptKind = "by_hand"
)

// Reservation is what reserve freezes.
type Reservation struct {
	RewardID reward.ID
	Provider string
	Quantity reward.Quantity
	Request  payout.Request
	// At is the time of reserve, the same that the request was made with.
	At time.Time
}

// Claim is the answer to an attempt to take the fence.
type Claim struct {
	// Taken says that the caller may send, once, as Attempt.
	Taken   bool
	Attempt Attempt
	// Braked says that the brake is on; Reason has its words.
	Braked bool
	Reason string
	// Payout is the row as it stands after the claim.
	Payout Payout
}

// Caps are the limits that the brake enforces. A unit without an entry has no
// cap. Cash is capped under its currency ("USD"), in minor units.
type Caps struct {
	MaxSingle            map[string]int64
	MaxPerDay            map[string]int64
	MaxPerPromoterPerDay map[string]int64
	MaxPerCampaignPerDay map[string]int64
}

// Payouts holds the fence of DESIGN section 5. Its moves obey payout.Next.
//
// A method that names a payout that is not there returns fault.NotFound.
type Payouts interface {
	// Reserve inserts the payout of generation 1, or returns the row that is
	// already there, whatever it holds: what is frozen stays frozen.
	Reserve(ctx context.Context, r Reservation) (Payout, error)
	Payout(ctx context.Context, id reward.ID) (Payout, error)
	// Claim moves reserved to submitting by one fenced statement, in the
	// transaction that checks that the reward's status is not final, the brake
	// and the caps, and commits the attempt's
	// row. A cap counts every payout of the UTC day of now that is or may be
	// paid (all states but reserved-and-never-claimed and refused), this one
	// included. The reward's status becomes paying when the claim is taken.
	// deadline is when the caller's client will surely have given up.
	Claim(ctx context.Context, id reward.ID, caps Caps, now, deadline time.Time) (Claim, error)
	// Finish records what the attempt came to and moves the payout by
	// outcome.Move. It changes the payout only while the attempt's number is
	// the payout's fence and the state is submitting; else it records the
	// attempt and returns the row as it stands. The reward's status follows:
	// paid -> paid, or fulfilled when FirstPromoter holds it as completed
	// already; settling -> settling, unknown -> resolving, others stay.
	// While the payout is in blind doubt, an outcome that proves only that this
	// attempt was not done (not sent, refused) proves nothing about the earlier
	// one: the payout becomes unknown.
	Finish(ctx context.Context, a Attempt, out payout.Outcome) (Payout, error)
	// Expire moves submitting to unknown when the newest attempt's deadline has
	// passed at now (its worker died), and returns the row as it stands.
	Expire(ctx context.Context, id reward.ID, now time.Time) (Payout, error)
	// Found records a look-up as an attempt of kind lookup, and moves the payout
	// by finding.Move when it makes one and the table allows it. The fence
	// given is the one that the caller read before looking: if it has moved on,
	// the look-up is recorded and the row is returned as it stands. A paid
	// payout that came back brings its reward to attention, out of fulfilled
	// too, and puts reward_attention into the inbox.
	Found(ctx context.Context, id reward.ID, fence int64, f payout.Finding, at time.Time) (Payout, error)
	// Rearm moves unknown to reserved, so that the same key and the same bytes
	// may be claimed again. The caller has proven that this is allowed: a
	// look-up was recorded under this fence, and the provider's window is open.
	// Without a recorded look-up since the newest send: fault.Conflict. What the
	// newest look-up said becomes the payout's doubt.
	Rearm(ctx context.Context, id reward.ID, fence int64, reason string) (Payout, error)
	// NewGeneration replaces a refused payout by a new reservation with the
	// next generation. Any other state: fault.Conflict. The old generation's
	// frozen request stays readable through its attempts.
	NewGeneration(ctx context.Context, r Reservation, actor string) (Payout, error)
	// PayByHand records a person's word that the reward is paid, with the
	// reference, and moves the payout to paid; a reward without a payout row
	// gets one with provider "by_hand". The reference must be new within the
	// provider: fault.Conflict.
	PayByHand(ctx context.Context, id reward.ID, actor, reference string, at time.Time) (Payout, error)
	// Attempts returns all attempts of the reward, oldest first.
	Attempts(ctx context.Context, id reward.ID) ([]Attempt, error)
}
