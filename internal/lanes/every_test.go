package lanes_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// settlesLater is a customer whose payouts are accepted and not finished.
const settlesLater = "settles-later"

// TestEveryLaneKeepsEveryRule plays every cell of the table.
func TestEveryLaneKeepsEveryRule(t *testing.T) {
	requireComplete(t)
	for where, set := range map[string]settings{usual: {}, strict: {Unverified: "ignore"}} {
		t.Run(where, func(t *testing.T) {
			w := newWorld(t, set)
			w.provider.Script(sandbox.CustID(settlesLater), sandbox.SettleLater(time.Hour).Always())
			for name, r := range rules() {
				if r.world == where {
					w.play(t, name, r)
				}
			}
		})
	}
}

// play puts a rule to every lane that has it.
func (w *world) play(t *testing.T, name string, r rule) {
	t.Helper()
	for _, l := range lanes() {
		c := table()[name][l.name]
		if c.none != "" {
			continue
		}
		t.Run(name+"/"+l.name, func(t *testing.T) {
			t.Parallel()

			s := &scene{world: w, t: t, lane: l}
			c.require(s, r.play(s))
		})
	}
}

// requireComplete fails when a lane or a rule has no cell.
func requireComplete(t *testing.T) {
	t.Helper()
	var covered []reward.Lane
	var names []string
	for _, l := range lanes() {
		covered, names = append(covered, l.as), append(names, l.name)
	}
	slices.Sort(covered)
	require.ElementsMatch(t, reward.Lanes(), slices.Compact(covered), "the ledger's lanes, and those that are tested here")
	all := table()
	require.ElementsMatch(t, slices.Collect(maps.Keys(rules())), slices.Collect(maps.Keys(all)), "the rules, and those of the table")
	for rule, cells := range all {
		require.ElementsMatch(t, names, slices.Collect(maps.Keys(cells)), "the lanes, and those of %q", rule)
		for lane, c := range cells {
			require.NotEqual(t, cell{}, c, "%s on %s", rule, lane)
			require.True(t, c.none == "" || c == cell{none: c.none}, "%s on %s is both expected and impossible", rule, lane)
		}
	}
}

// require compares what the lane said, what the ledger holds and what was paid
// with the cell.
func (c cell) require(s *scene, a answer) {
	s.t.Helper()
	require.Equal(s.t, c.code, a.code, a.words)
	require.Contains(s.t, a.words, c.says)
	if c.says == "" && c.code < 400 {
		require.Empty(s.t, a.words)
	}
	made := s.decisions(s.t, s.id)
	if c.keeps.nothing != "" {
		require.Len(s.t, made, c.keeps.earlier, c.keeps.nothing)
	} else {
		require.Len(s.t, made, c.keeps.earlier+1)
		c.keeps.require(s, a, made[c.keeps.earlier])
	}
	require.Equal(s.t, c.keeps.effects, s.provider.Books().ByReward[s.id], "how often it is paid")
}

// require compares the decision that was made last.
func (e entry) require(s *scene, a answer, last ledger.Recorded) {
	s.t.Helper()
	require.Equal(s.t, s.lane.as, last.Lane)
	require.Equal(s.t, s.lane.as != reward.LaneTemporal, last.Verified)
	require.Equal(s.t, string(s.who), last.By)
	require.Equal(s.t, reward.Approve, last.Verdict)
	require.Equal(s.t, e.refusal == "", last.Counted)
	require.Contains(s.t, last.Refusal, e.refusal)
	if last.Counted {
		require.Empty(s.t, last.Refusal)
		require.True(s.t, a.counted || s.lane.name == signal, "the person is told that it counts")
		s.await(s.t, s.id, reward.Fulfilled)
		return
	}
	require.False(s.t, a.counted, "the person is told that it does not count")
	require.Contains(s.t, []reward.Status{reward.AwaitingApproval, reward.Verifying, reward.Settling}, s.record(s.t, s.id).Status)
}
