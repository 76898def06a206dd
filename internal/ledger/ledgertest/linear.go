package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func linearChecks() []check {
	return []check{{"DecisionsAreLinearizable", decisionsAreLinearizable}}
}

// History is what concurrent callers asked and were answered, with the times of
// a clock that only goes on. It is safe for concurrent use.
type History struct {
	mu    sync.Mutex
	began time.Time
	all   []porcupine.Operation
}

// NewHistory begins a history.
func NewHistory() *History { return &History{began: time.Now()} }

// Record makes a call and keeps it with its answer. A call whose answer is an
// error is not kept: then nobody was told anything.
func (h *History) Record(client int, call Call, do func() (Said, error)) error {
	from := time.Since(h.began)
	said, err := do()
	to := time.Since(h.began)
	if err != nil {
		return err
	}
	h.Add(client, call, said, from, to)
	return nil
}

// Add keeps a call that was made elsewhere, from and to times of one clock.
func (h *History) Add(client int, call Call, said Said, from, to time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, porcupine.Operation{
		ClientId: client, Input: call, Output: said, Call: from.Nanoseconds(), Return: to.Nanoseconds(),
	})
}

// Check says in words what is wrong with the history; empty when it keeps the
// rules.
func (h *History) Check(first Question) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch porcupine.CheckOperationsTimeout(ApprovalModel(first), h.all, 20*time.Second) {
	case porcupine.Ok:
		return ""
	case porcupine.Unknown:
		return "it took too long to find an order of the calls"
	case porcupine.Illegal:
	}
	var b strings.Builder
	fmt.Fprintf(&b, "no order of these calls keeps the rules of %+v:\n", first)
	model := ApprovalModel(first)
	for _, op := range h.all {
		fmt.Fprintf(&b, "%10d to %10d  client %d  %s\n", op.Call, op.Return, op.ClientId, model.DescribeOperation(op.Input, op.Output))
	}
	return b.String()
}

// schedules is how many random schedules of decisions are played.
const schedules = 40

// decisionsAreLinearizable has people decide at once, on two handles, about
// rewards whose questions change under their hands.
func decisionsAreLinearizable(t *testing.T, b *bundle) {
	handles := b.handles(t)
	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	chance := rand.New(rand.NewPCG(seed, seed))
	for n := range schedules {
		id := reward.ID(n + 1)
		first := Question{Digest: "digest-1", Needed: 1 + chance.IntN(3)}
		b.accept(t, pending(id, 1))
		require.NoError(t, ask(b.ctx, b, id, first))
		clients := make([][]Call, 2+chance.IntN(5))
		for i := range clients {
			for n := range 1 + chance.IntN(4) {
				clients[i] = append(clients[i], drawCall(chance, id, fmt.Sprintf("%d-%d-%d", id, i, n)))
			}
		}
		h, errs := NewHistory(), make([]error, len(clients))
		race(len(clients), func(i int) {
			for _, call := range clients[i] {
				errs[i] = errors.Join(errs[i], b.make(handles[i%2], h, i, id, call))
			}
		})
		require.NoError(t, errors.Join(errs...))
		require.Empty(t, h.Check(first))
	}
}

// drawCall draws what a client does. One ID is shared, so that the same
// decision comes by two clients at once.
func drawCall(chance *rand.Rand, id reward.ID, own string) Call {
	oneOf := func(list ...string) string { return list[chance.IntN(len(list))] }
	switch chance.IntN(10) {
	case 0:
		return Call{}
	case 1:
		return Call{Ask: &Question{Digest: reward.Digest("digest-" + oneOf("2", "3", "4")), Needed: 1 + chance.IntN(3)}}
	}
	d := decision(own, id)
	d.By = oneOf("alice", "Alice", "bob", "carol", "dave")
	d.Digest = reward.Digest("digest-" + oneOf("1", "1", "1", "2", "3", "4"))
	if chance.IntN(4) == 0 {
		d.Verdict = reward.Reject
	}
	if chance.IntN(8) == 0 {
		d.Roles = []string{"viewer"}
	}
	if chance.IntN(8) == 0 {
		// Whoever comes first, the ID stands for one decision.
		d = decision(fmt.Sprintf("%d-shared", id), id)
	}
	return Call{Decision: &d}
}

// ask asks people anew.
func ask(ctx context.Context, on ledger.Ledger, id reward.ID, q Question) error {
	a := assessment(id, reward.AwaitingApproval)
	a.Digest, a.Approvals, a.Role, a.Excluded = q.Digest, q.Needed, q.Role, q.Excluded
	return on.Assess(ctx, a, "policy")
}

// make makes one call on a handle.
func (b *bundle) make(on ledger.Ledger, h *History, client int, id reward.ID, call Call) error {
	return h.Record(client, call, func() (Said, error) {
		switch {
		case call.Ask != nil:
			return Said{}, ask(b.ctx, on, id, *call.Ask)
		case call.Decision == nil:
			tally, err := on.TallyOf(b.ctx, id)
			return Said{Tally: CountOf(tally)}, err
		}
		tally, err := on.Decide(b.ctx, *call.Decision, false)
		return Said{Ruling: RulingOf(tally.Decision.Refusal), Repeated: tally.Repeated, Tally: CountOf(tally)}, err
	})
}
