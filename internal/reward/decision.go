package reward

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Verdict is what a person decided.
type Verdict string

// The two verdicts.
const (
	Approve Verdict = "approve"
	Reject  Verdict = "reject"
)

// TypedAbove is how many rewards a person decides together by a plain yes. For
// more, the person types how many they are, whichever the lane.
const TypedAbove = 10

// Lane is the way on which a decision came in.
type Lane string

// The lanes.
const (
	LaneAPI      Lane = "api"
	LaneConsole  Lane = "console"
	LaneSlack    Lane = "slack"
	LaneTemporal Lane = "temporal"
)

// Lanes returns all lanes.
func Lanes() []Lane { return []Lane{LaneAPI, LaneConsole, LaneSlack, LaneTemporal} }

// Decision is one person's approve or reject, bound by its digest to what the
// person was shown.
type Decision struct {
	// ID is unique and makes a repeated decision harmless.
	ID       string
	RewardID ID
	// By names the person. It is proven only when Verified is true.
	By       string
	Verified bool
	// Roles are the roles that the person held when deciding.
	Roles   []string
	Lane    Lane
	Verdict Verdict
	Comment string
	// Digest names what was shown. Empty means "whatever is current", which
	// only an unverified decision may say.
	Digest Digest
	At     time.Time
}

// Digest names what a person is shown before deciding: reward, quantity,
// promoter, destination, policy version, and the rule that asks. When one of
// them changes, the digest changes, and decisions bound to the old one no
// longer count.
type Digest string

// Shown is everything that a digest binds.
type Shown struct {
	Reward Reward
	// Provider is the configured name of the provider that would pay.
	Provider string
	// PolicyVersion names the rules that asked.
	PolicyVersion string
	// Rule is the rule among them: it says how many people are asked, and whom.
	// A rule may look at what was paid meanwhile, and then another one asks.
	Rule string
}

// Digest returns 32 hexadecimal digits. The same Shown gives the same digest
// in every process and version.
func (s Shown) Digest() Digest {
	fields := []string{
		"rewardflow/digest/2",
		s.Reward.ID.String(),
		strconv.FormatInt(s.Reward.Quantity.Amount, 10), string(s.Reward.Quantity.Unit), s.Reward.Quantity.Currency,
		strconv.FormatInt(s.Reward.Promoter.ID, 10), s.Reward.Promoter.CustID, s.Reward.Promoter.Email,
		strconv.FormatInt(s.Reward.Campaign.ID, 10),
		s.Provider, s.PolicyVersion, s.Rule,
	}
	var b strings.Builder
	for _, f := range fields {
		// The length keeps two neighbouring fields from reading as others.
		b.WriteString(strconv.Itoa(len(f)))
		b.WriteByte(':')
		b.WriteString(f)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return Digest(hex.EncodeToString(sum[:16]))
}

// Action is what a person wants to be done about a reward that does not go on
// by itself.
type Action string

// The actions of a resolution.
const (
	// ActionRetry takes the reward up again where it stands: verify again, look
	// the payout up again, or, after a proven refusal, pay by a new payout.
	ActionRetry Action = "retry"
	// ActionReroute pays by another provider after a proven refusal.
	ActionReroute Action = "reroute"
	// ActionPaid says that the reward was delivered by hand, with a reference.
	ActionPaid Action = "paid"
	// ActionReject ends the reward unpaid, by decision.
	ActionReject Action = "reject"
	// ActionAbandon ends the reward as it is, paid or not, without a close.
	ActionAbandon Action = "abandon"
)

// Actions returns all actions.
func Actions() []Action {
	return []Action{ActionRetry, ActionReroute, ActionPaid, ActionReject, ActionAbandon}
}

// Resolution is a person's instruction for a reward that waits for one.
type Resolution struct {
	// ID is unique and makes a repeated resolution harmless.
	ID       string
	RewardID ID
	Action   Action
	// Provider is the configured name to pay by; only for reroute.
	Provider string
	// Reference is the proof of a payment by hand; only for paid.
	Reference string
	// Evidence says where the proof is kept: a statement, a ticket; only for
	// paid, and may be empty.
	Evidence string
	Comment  string
	// By names the person. It is proven only when Verified is true.
	By       string
	Verified bool
	At       time.Time
}
