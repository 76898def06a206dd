package payout_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
)

// table is the whole state table as literals: what is not in it is forbidden.
func table() map[[2]string]string {
	return map[[2]string]string{
		{"reserved", "claim"}:   "submitting",
		{"reserved", "by_hand"}: "paid",

		{"submitting", "settled"}:  "paid",
		{"submitting", "accepted"}: "settling",
		{"submitting", "refused"}:  "refused",
		{"submitting", "not_sent"}: "reserved",
		{"submitting", "unknown"}:  "unknown",
		{"submitting", "conflict"}: "conflict",

		{"unknown", "settled"}:  "paid",
		{"unknown", "accepted"}: "settling",
		{"unknown", "refused"}:  "refused",
		{"unknown", "not_sent"}: "reserved",
		{"unknown", "conflict"}: "conflict",
		{"unknown", "returned"}: "returned",
		{"unknown", "by_hand"}:  "paid",

		{"settling", "settled"}:  "paid",
		{"settling", "refused"}:  "refused",
		{"settling", "returned"}: "returned",
		{"settling", "by_hand"}:  "paid",

		{"paid", "returned"}: "returned",

		{"refused", "generation"}: "reserved",
		{"refused", "by_hand"}:    "paid",

		{"conflict", "settled"}: "paid",
		{"conflict", "by_hand"}: "paid",

		{"returned", "by_hand"}: "paid",
	}
}

func allStates() []string {
	return []string{"reserved", "submitting", "unknown", "settling", "paid", "refused", "conflict", "returned"}
}

func allMoves() []string {
	return []string{
		"claim", "settled", "accepted", "refused", "not_sent", "unknown", "conflict", "returned", "by_hand", "generation",
	}
}

func TestNextIsTheTable(t *testing.T) {
	t.Parallel()

	for _, from := range append(allStates(), "", "PAID", "elsewhere") {
		for _, move := range append(allMoves(), "", "elsewhere") {
			want, allowed := table()[[2]string{from, move}]
			to, ok := payout.Next(payout.State(from), payout.Move(move))
			require.Equal(t, allowed, ok, "%s, %s", from, move)
			require.Equal(t, want, string(to), "%s, %s", from, move)
		}
	}
}

func TestStatesAreTheTablesStates(t *testing.T) {
	t.Parallel()

	var states []string
	for _, s := range payout.States() {
		states = append(states, string(s))
	}
	require.Equal(t, allStates(), states)
}

// Nothing that may have been paid, or is paid, leads back to a state in which
// something is sent, unless it goes through a proof.
func TestNothingIsSentTwiceWithoutAProof(t *testing.T) {
	t.Parallel()

	for edge, to := range table() {
		from, move := edge[0], edge[1]
		if to == "submitting" {
			require.Equal(t, [2]string{"reserved", "claim"}, edge, "only a reservation is claimed")
		}
		if to == "reserved" {
			require.Contains(t, [][2]string{
				{"submitting", "not_sent"}, {"unknown", "not_sent"}, {"refused", "generation"},
			}, edge, "%s, %s", from, move)
		}
	}
}
