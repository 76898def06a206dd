package ledger

import (
	"context"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Recorded is a decision as the ledger holds it.
type Recorded struct {
	reward.Decision
	// Counted says that it was accepted when it came in. It counts for as long
	// as its digest is the reward's current one.
	Counted bool
	// Refusal says in words why it was not accepted; empty when it was.
	Refusal string
}

// Tally is where the approval of a reward stands.
type Tally struct {
	// Decision is the decision that was recorded, as the ledger holds it.
	Decision Recorded
	// Repeated says that it had been recorded before.
	Repeated bool
	// Approvals counts approvals under the current digest.
	Approvals int
	Needed    int
	// Approved and Rejected say that the decisions settle the matter.
	Approved bool
	Rejected bool
}

// SamePerson compares names as people type them: without regard to case, and to
// spaces around them.
func SamePerson(one, other string) bool {
	return strings.EqualFold(strings.TrimSpace(one), strings.TrimSpace(other))
}

// Decisions records what people decided.
type Decisions interface {
	// Decide records a decision, refused ones too, and is the one authoriser of
	// every lane. In one transaction it checks, in this order, that
	//   - the ID is new (else the recorded decision is returned, Repeated),
	//   - the reward waits for approval or is held by time (else refused:
	//     the refusal names the status, or who decided and when),
	//   - an unverified decision is accepted only with acceptUnverified,
	//   - a verified one holds the role that the policy asked for ("admin" is
	//     not a substitute), or any of approver and finance when it asked for none,
	//   - the person is not one whom the rule excludes, by name,
	//   - the digest is the current one (an unverified decision may leave it out),
	//   - the person has not decided under this digest before.
	// A refused decision is committed and returned with Counted false; it is
	// not an error.
	Decide(ctx context.Context, d reward.Decision, acceptUnverified bool) (Tally, error)
	// TallyOf returns where the approval stands now, without a new decision.
	TallyOf(ctx context.Context, id reward.ID) (Tally, error)
	// DecisionsOf returns the reward's decisions, oldest first.
	DecisionsOf(ctx context.Context, id reward.ID) ([]Recorded, error)
	// Undelivered returns counted decisions that the workflow has not heard of,
	// made before the given time, oldest first, at most n. Decisions about
	// rewards that have ended are left out: their workflows hear nothing more.
	Undelivered(ctx context.Context, before time.Time, n int) ([]Recorded, error)
	// MarkDelivered records that the workflow heard of a decision.
	MarkDelivered(ctx context.Context, decisionID string) error
	// RecordResolution commits a person's instruction before the workflow hears
	// of it. A repeated ID changes nothing.
	RecordResolution(ctx context.Context, r reward.Resolution) error
	// Resolution returns a recorded instruction, or fault.NotFound.
	Resolution(ctx context.Context, id string) (reward.Resolution, error)
	// ResolutionsOf returns the reward's instructions, oldest first.
	ResolutionsOf(ctx context.Context, id reward.ID) ([]reward.Resolution, error)
}
