package ledgertest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// told is one call and its answer, at the times of a clock that a test sets.
type told struct {
	call     ledgertest.Call
	said     ledgertest.Said
	from, to time.Duration
}

// vote is a decision that is answered at once, after everything before it.
func vote(id, by string, v reward.Verdict, digest reward.Digest, said ledgertest.Said) told {
	return told{call: ledgertest.Call{Decision: &reward.Decision{
		ID: id, By: by, Verified: true, Roles: []string{"approver"}, Verdict: v, Digest: digest,
	}}, said: said}
}

func count(approvals int, approved, rejected bool) *ledgertest.Count {
	return &ledgertest.Count{Approvals: approvals, Approved: approved, Rejected: rejected}
}

// TestCheckerTellsRightFromWrong has the checker judge histories of which it is
// known whether they keep the rules: a check that cannot fail proves nothing.
func TestCheckerTellsRightFromWrong(t *testing.T) {
	t.Parallel()

	two := ledgertest.Question{Digest: "d1", Needed: 2, Excluded: []string{"mallory"}}
	counts := func(c *ledgertest.Count) ledgertest.Said { return ledgertest.Said{Ruling: ledgertest.Counts, Tally: c} }
	says := func(r ledgertest.Ruling) ledgertest.Said { return ledgertest.Said{Ruling: r} }
	look := func(c *ledgertest.Count) told { return told{said: ledgertest.Said{Tally: c}} }
	anew := told{call: ledgertest.Call{Ask: &ledgertest.Question{Digest: "d2", Needed: 1}}}
	alice := vote("1", "alice", reward.Approve, "d1", counts(count(1, false, false)))
	during := func(from, to time.Duration, c told) told { c.from, c.to = from, to; return c }

	for name, test := range map[string]struct {
		history []told
		wrong   bool
	}{
		"two people":                          {history: []told{alice, vote("2", "bob", reward.Approve, "d1", counts(count(2, true, false))), look(count(2, true, false))}},
		"one person twice":                    {wrong: true, history: []told{alice, vote("2", "Alice", reward.Approve, "d1", says(ledgertest.Counts))}},
		"one person refused the second time":  {history: []told{alice, vote("2", "Alice", reward.Reject, "d1", says(ledgertest.Again))}},
		"a new person refused as if repeated": {wrong: true, history: []told{alice, vote("2", "bob", reward.Approve, "d1", says(ledgertest.Again))}},
		"one ID twice":                        {history: []told{alice, vote("1", "alice", reward.Approve, "d1", ledgertest.Said{Ruling: ledgertest.Counts, Repeated: true, Tally: count(1, false, false)})}},
		"one ID twice, and two votes":         {wrong: true, history: []told{alice, vote("1", "alice", reward.Approve, "d1", says(ledgertest.Counts))}},
		"a vote that is forgotten":            {wrong: true, history: []told{alice, look(count(0, false, false))}},
		"a look while somebody votes":         {history: []told{during(0, 10, alice), during(5, 6, look(count(0, false, false)))}},
		"a look back in time":                 {wrong: true, history: []told{during(0, 10, alice), during(2, 3, look(count(1, false, false))), during(4, 5, look(count(0, false, false)))}},
		"an approval after a rejection": {wrong: true, history: []told{
			vote("1", "bob", reward.Reject, "d1", counts(count(0, false, true))), vote("2", "alice", reward.Approve, "d1", says(ledgertest.Counts)),
		}},
		"a rejection after the last approval": {wrong: true, history: []told{
			alice, vote("2", "bob", reward.Approve, "d1", says(ledgertest.Counts)), vote("3", "carol", reward.Reject, "d1", says(ledgertest.Counts)),
		}},
		"both at once, one of which is first": {history: []told{
			during(0, 9, vote("9", "bob", reward.Reject, "d1", says(ledgertest.Settled))), during(0, 9, alice),
			during(0, 9, vote("2", "carol", reward.Approve, "d1", counts(count(2, true, false)))),
		}},
		"both at once, and both count": {wrong: true, history: []told{
			during(0, 9, vote("9", "bob", reward.Reject, "d1", says(ledgertest.Counts))), during(0, 9, alice),
			during(0, 9, vote("2", "carol", reward.Approve, "d1", counts(count(2, true, false)))),
		}},
		"what was shown before":              {wrong: true, history: []told{anew, vote("1", "alice", reward.Approve, "d1", says(ledgertest.Counts))}},
		"what was shown before, refused":     {history: []told{anew, vote("1", "alice", reward.Approve, "d1", says(ledgertest.OldDigest))}},
		"a vote while it changes":            {history: []told{during(0, 9, anew), during(0, 9, alice)}},
		"whom the policy excludes":           {wrong: true, history: []told{vote("1", "Mallory", reward.Approve, "d1", says(ledgertest.Counts))}},
		"unheard of what is open":            {wrong: true, history: []told{vote("1", "alice", reward.Approve, "d1", says(ledgertest.Unheard))}},
		"a question that comes back":         {history: []told{alice, anew, {call: ledgertest.Call{Ask: &two}}, look(count(1, false, false))}},
		"a tally that is approved too early": {wrong: true, history: []told{alice, look(count(1, true, false))}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := ledgertest.NewHistory()
			for i, c := range test.history {
				if c.to == 0 {
					c.from, c.to = time.Duration(100*i+100), time.Duration(100*i+150)
				}
				h.Add(i, c.call, c.said, c.from, c.to)
			}
			require.Equal(t, test.wrong, h.Check(two) != "", h.Check(two))
		})
	}
}

func TestRulingIsReadFromTheLedgersWords(t *testing.T) {
	t.Parallel()

	for words, want := range map[string]ledgertest.Ruling{
		"": ledgertest.Counts,
		"the role approver or finance is needed to decide":                                       ledgertest.NoRole,
		"the policy asks for the role finance":                                                   ledgertest.NoRole,
		"bob may not decide about this reward: the policy leaves it to others":                   ledgertest.Excluded,
		"the reward is not what was shown any more: look again and decide on the current digest": ledgertest.OldDigest,
		"alice has decided already: approved on 2026-11-23 12:00 UTC":                            ledgertest.Again,
		"the reward is awaiting_approval: alice approved it on 2026-11-23 12:00 UTC. And more":   ledgertest.Settled,
		"the reward is rejected: bob rejected it on 2026-11-23 12:00 UTC":                        ledgertest.Settled,
		"the reward is paying and waits for no decision":                                         "the reward is paying and waits for no decision",
	} {
		require.Equal(t, want, ledgertest.RulingOf(words), words)
	}
	require.Equal(t, &ledgertest.Count{Approvals: 1, Approved: true}, ledgertest.CountOf(ledger.Tally{Approvals: 1, Needed: 1, Approved: true}))
}
