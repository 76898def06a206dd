package lanes_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/slackapproval/slackdouble"
)

// TestConcurrentDecisionsOfAllLanesKeepTheRules has people decide at once, by
// all lanes and through two processes, about one reward after the other. The
// answers that they get must be those of some order of their decisions, the
// ledger must hold what they were told, and a reward is paid at most once.
func TestConcurrentDecisionsOfAllLanesKeepTheRules(t *testing.T) {
	w := newWorld(t, settings{})
	// An approved reward stays open, so that its workflow hears what is late.
	w.provider.Script(sandbox.CustID(settlesLater), sandbox.SettleLater(time.Hour).Always())
	other := *w
	other.start(app.Options{API: true})
	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	chance := rand.New(rand.NewPCG(seed, seed))
	for n := range 6 {
		c := &crowd{worlds: [2]*world{w, &other}, needed: 1 + chance.IntN(3), history: ledgertest.NewHistory()}
		c.draw(chance)
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()

			c.id = w.asked(t, map[int]int64{1: askOne, 2: askTwo, 3: askThree}[c.needed], settlesLater)
			c.digest = w.record(t, c.id).Digest
			c.message, _ = w.message(t, c.id, approveButton)
			c.decide(t)
			c.requireOrder(t)
			c.requireRecord(t)
		})
	}
}

// crowd is several people who decide about one reward at once.
type crowd struct {
	worlds  [2]*world
	needed  int
	clients [][]wish
	id      reward.ID
	digest  reward.Digest
	message slackdouble.Message
	history *ledgertest.History

	mu      sync.Mutex
	counted map[string]int // By who, lane and verdict, as they were told.
	heard   int
}

// wish is what somebody wants to decide, on a lane.
type wish struct {
	lane    lane
	who     person
	verdict reward.Verdict
	// stale says that it is about what was shown before.
	stale bool
	tag   string
}

// draw draws the clients: each is one person on one lane, who decides once or
// twice. The same person may be on several lanes at the same time.
func (c *crowd) draw(chance *rand.Rand) {
	c.counted = map[string]int{}
	for _, who := range []person{alice, bob, fay} {
		for _, l := range lanes() {
			if chance.IntN(2) == 0 {
				continue
			}
			var wishes []wish
			for range 1 + chance.IntN(2) {
				v := reward.Approve
				if chance.IntN(8) == 0 {
					v = reward.Reject
				}
				wishes = append(wishes, wish{lane: l, who: who, verdict: v, stale: chance.IntN(5) == 0, tag: uuid.NewString()})
			}
			c.clients = append(c.clients, wishes)
		}
	}
	chance.Shuffle(len(c.clients), func(i, j int) { c.clients[i], c.clients[j] = c.clients[j], c.clients[i] })
}

// decide lets everybody begin at once.
func (c *crowd) decide(t *testing.T) {
	t.Helper()
	var working sync.WaitGroup
	begin := make(chan struct{})
	for i, wishes := range c.clients {
		working.Go(func() {
			<-begin
			for _, wish := range wishes {
				c.send(t, i, wish)
			}
		})
	}
	close(begin)
	working.Wait()
	require.False(t, t.Failed())
}

func (c *crowd) send(t *testing.T, client int, wish wish) {
	w := c.worlds[client%2]
	q := question{who: wish.who, id: c.id, digest: c.digest, once: uuid.NewString(), comment: wish.tag}
	if wish.stale {
		q.digest = reward.Digest(strings.Repeat("0", 32))
	}
	if wish.lane.name == inSlack {
		q.message = c.message
		q.body = w.slack.Click(q.who.member(), c.message, approveButton, q.id.String()+"."+string(q.digest))
	}
	d := reward.Decision{
		ID: wish.tag, RewardID: c.id, By: string(wish.who), Verified: wish.lane.as != reward.LaneTemporal,
		Roles: strings.Split(roles()[wish.who], ", "), Lane: wish.lane.as, Verdict: wish.verdict, Digest: q.digest,
	}
	err := c.history.Record(client, ledgertest.Call{Decision: &d}, func() (ledgertest.Said, error) {
		ruling, err := c.rule(t, w, q, wish)
		c.mu.Lock()
		defer c.mu.Unlock()
		if ruling == ledgertest.Counts {
			c.counted[key(d)]++
		}
		if ruling != ledgertest.Unheard {
			c.heard++
		}
		return ledgertest.Said{Ruling: ruling}, err
	})
	if err != nil {
		t.Errorf("%s: %v", wish.lane.name, err)
	}
}

func key(d reward.Decision) string { return fmt.Sprintf("%s %s by %s", d.By, d.Verdict, d.Lane) }

// rule decides, and reads what became of it from what the person is told. A
// signal tells nothing, and the ledger is read.
func (c *crowd) rule(t *testing.T, w *world, q question, wish wish) (ledgertest.Ruling, error) {
	a := wish.lane.send(w, t, q, wish.verdict)
	if a.counted {
		return ledgertest.Counts, nil
	}
	if tooLate(a.words) {
		return ledgertest.Unheard, nil
	}
	if wish.lane.name == signal {
		for _, d := range w.decisions(t, c.id) {
			if d.Comment == wish.tag {
				return ledgertest.RulingOf(d.Refusal), nil
			}
		}
		return ledgertest.Unheard, nil
	}
	if _, refusal, found := strings.Cut(a.words, "recorded and does not count: "); found {
		return ledgertest.RulingOf(refusal), nil
	}
	if wish.lane.name == update {
		return ledgertest.RulingOf(a.words), nil
	}
	return "", fmt.Errorf("an answer that says neither yes nor why not: %d %q", a.code, a.words)
}

// tooLate says whether nobody was there to hear a decision: its fulfilment had
// ended, or ended before it accepted the update. A server says the latter of
// updates that no workflow has accepted, and of no others.
func tooLate(words string) bool {
	return slices.ContainsFunc([]string{
		"already completed",
		"aborted by closing workflow",
		"the reward has ended",
	}, func(said string) bool { return strings.Contains(words, said) })
}

// requireOrder looks for an order of what was said.
func (c *crowd) requireOrder(t *testing.T) {
	t.Helper()
	require.Empty(t, c.history.Check(ledgertest.Question{Digest: c.digest, Needed: c.needed}))
}

// requireRecord compares the ledger with what people were told, and the
// provider's books with the ledger.
func (c *crowd) requireRecord(t *testing.T) {
	t.Helper()
	w := c.worlds[0]
	made := w.decisions(t, c.id)
	require.Len(t, made, c.heard, "every decision that was heard is in the ledger, once")
	counted, approvals, rejected := map[string]int{}, 0, false
	for _, d := range made {
		if !d.Counted {
			continue
		}
		counted[key(d.Decision)]++
		if d.Verdict == reward.Approve {
			approvals++
		}
		rejected = rejected || d.Verdict == reward.Reject
	}
	require.Equal(t, c.counted, counted, "people were told what the ledger holds")

	status, effects := reward.AwaitingApproval, 0
	switch {
	case rejected:
		status = reward.Rejected
	case approvals == c.needed:
		status, effects = reward.Settling, 1
	}
	require.LessOrEqual(t, approvals, c.needed)
	w.await(t, c.id, status)
	require.Equal(t, effects, w.provider.Books().ByReward[c.id])
	require.Empty(t, w.provider.Books().Doubles)
}
