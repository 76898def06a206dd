package cli_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/cli"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// state is one place where a reward can stand, and what is said about it.
type state struct {
	status reward.Status
	// reach brings the reward there, through the ledger.
	reach func(ctx context.Context, w *world, id reward.ID) error

	answer   string // Continues "Reward 7 (5 points for promoter 5272969)".
	waits    string // What it waits for; empty for nothing.
	byItself string // What happens without anybody, and when.
	// next are what can be typed, and by whom.
	next []string
}

// why runs rewardflow why, and returns its lines by their label, with the
// answer under "" and the steps under "next".
func (w *world) why(t *testing.T, url string, id reward.ID) map[string]string {
	t.Helper()
	var out, failed bytes.Buffer
	code := cli.New(cli.Env{
		Args: []string{"why", id.String(), "--url", url}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &failed,
		Lookup: func(string) (string, bool) { return "", false }, Environ: func() []string { return nil }, Version: "test", Now: noon,
	}).Execute(t.Context())
	require.Zero(t, code, failed.String())
	t.Log("\n" + out.String())

	said := map[string]string{}
	parts := strings.SplitN(out.String(), "\n\n", 3)
	said[""] = parts[0]
	label := ""
	for line := range strings.Lines(parts[1]) {
		row := regexp.MustCompile(`^(\S.*?|)\s{2,}(.*)\n?$`).FindStringSubmatch(line)
		require.NotNil(t, row, line)
		if strings.TrimSpace(row[1]) != "" {
			label = row[1]
			said[label] = row[2]
			continue
		}
		said[label] += "; " + row[2]
	}
	if len(parts) == 3 {
		said["next"] = parts[2]
	}
	return said
}

// TestWhyAnswersInEveryState reads the answer for each place where a reward can
// stand: what it waits for, who can move it, what happens next and when.
func TestWhyAnswersInEveryState(t *testing.T) {
	t.Parallel()

	w := &world{}
	box, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{Now: w.now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, box.Close()) })
	t.Cleanup(w.close)
	w.ledger, w.desk = box, &desk{ledger: box}
	url, err := w.serve(nil)
	require.NoError(t, err)

	covered := map[reward.Status]bool{}
	id := reward.ID(0)
	for name, s := range states() {
		covered[s.status] = true
		id++
		require.NoError(t, w.owe(t.Context(), id, 5, reward.Points), name)
		require.NoError(t, s.reach(t.Context(), w, id), name)
		rec, err := box.Reward(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, s.status, rec.Status, name)
		t.Run(name, func(t *testing.T) { s.require(t, w.why(t, url, rec.Reward.ID), rec.Reward.ID) })
	}
	for _, status := range reward.Statuses() {
		require.True(t, covered[status], "no state has the status %s", status)
	}
}

func (s state) require(t *testing.T, said map[string]string, id reward.ID) {
	t.Helper()
	require.Equal(t, "Reward "+id.String()+" (5 points for promoter 5272969) "+s.answer+".", said[""])
	require.Equal(t, string(s.status), said["status"])
	require.Equal(t, strings.ReplaceAll(s.waits, "ID", id.String()), strings.TrimSuffix(said["waiting for"], "-"))
	require.Equal(t, s.byItself, said["by itself"])
	require.Equal(t, s.status.Final(), said["next"] == "", "whoever can do something is told what")
	steps := said["next"]
	for _, want := range s.next {
		want = strings.ReplaceAll(want, "ID", id.String())
		require.Contains(t, strings.Join(strings.Fields(steps), " "), want)
	}
	require.NotContains(t, steps, "  -", "a step says what it does")
}

// sent is a reward whose payout was sent, with an outcome.
func sent(provider string, out payout.Outcome) func(context.Context, *world, reward.ID) error {
	return func(ctx context.Context, w *world, id reward.ID) error {
		if out.Reference != "" {
			out.Reference += "-" + id.String()
		}
		return errors.Join(w.allow(ctx, id, provider, 5, reward.Points), w.attempt(ctx, id, provider, out))
	}
}

func delivered() payout.Outcome {
	return payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "inv_1"}
}

// closing is a paid reward of which FirstPromoter is told.
func closing(ctx context.Context, w *world, id reward.ID) (ledger.CloseState, error) {
	if err := sent("team", delivered())(ctx, w, id); err != nil {
		return ledger.CloseState{}, err
	}
	closing, _, err := w.ledger.ClaimClose(ctx, id, w.now().Add(time.Minute))
	return closing, err
}

// assessedAs is a reward of which verify and decide found this.
func assessedAs(status reward.Status, reason string, edits ...func(*ledger.Assessment)) func(context.Context, *world, reward.ID) error {
	return func(ctx context.Context, w *world, id reward.ID) error {
		a := assessed(owed(id, 5, reward.Points), "team")
		a.Status, a.Reason, a.Rule = status, reason, "rule 1 (line 9)"
		for _, edit := range edits {
			edit(&a)
		}
		return w.ledger.Assess(ctx, a, "policy")
	}
}

// moved moves what was reached before.
func moved(reach func(context.Context, *world, reward.ID) error, to ledger.Transition) func(context.Context, *world, reward.ID) error {
	return func(ctx context.Context, w *world, id reward.ID) error {
		to.ID, to.Actor = id, "workflow"
		return errors.Join(reach(ctx, w, id), w.ledger.Move(ctx, to))
	}
}
