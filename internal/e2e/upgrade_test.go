package e2e_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// nonDeterministic is the code by which the SDK says that a workflow does not
// replay.
const nonDeterministic = "TMPRL1100"

// waitingRewards wait for people while the workflow's code changes.
const waitingRewards = 50

// TestWorkflowCodeChangesWhileRewardsWait deploys two changed programs while 50
// workflows wait for approval. The first does not replay what is open: nothing
// moves, and nothing is lost. The second has a plan of its own for new runs, as
// docs/upgrading.md asks: everything finishes, by the old plan and by the new.
func TestWorkflowCodeChangesWhileRewardsWait(t *testing.T) {
	t.Parallel()

	// The change: before a payout is submitted, the workflow says so in the ledger.
	const before = "	ctx = sendMoney(ctx)\n"
	const step = `if err := r.record(ctx, reward.Approved, "it is about to be paid", time.Time{}, ""); err != nil {
		return err
	}
`
	bad := build(t, map[string][]string{
		"workflows/fulfilment.go": {"if r.in.Plan >= planShort && r.tries == 1 && !r.retry {", "if false {"},
	})
	good := build(t, map[string][]string{
		"workflows/contract.go": {"	planNewest = planNudged", "	planSaid\n\n	planNewest = planSaid"},
		"workflows/payout.go": {
			before, "	if r.in.Plan >= planSaid {\n" + step + "	}\n" + before,
			"import (\n", "import (\n	\"time\"\n	\"github.com/rewardflow/rewardflow/internal/reward\"\n",
		},
	})

	w := newWorld(t, settings{Policy: `  - {when: 'amount == 3', then: ask}
  - {then: pay}`})
	server := w.start(spec{NoWorker: true})

	first := w.launch(spec{Temporal: server.Temporal, NoAPI: true})
	first.awaitReady(t)
	w.process = server
	var waiting []reward.ID
	for range waitingRewards {
		waiting = append(waiting, w.send(months()))
	}
	w.awaitAll(time.Minute, waiting, reward.AwaitingApproval)
	first.stop(t)

	second := startWorker(t, w, bad)
	for _, id := range waiting[:5] {
		require.Equal(t, 200, w.decide(id, reward.Approve, "").status)
	}
	eventually(t, soon, func() (string, bool) {
		return second.log.last(5), strings.Contains(second.log.String(), nonDeterministic)
	})
	require.Zero(t, len(w.provider.Books().ByReward), "a program that does not fit moves nothing that waits")
	second.stop(t)

	third := startWorker(t, w, good)
	fresh := w.send(simulator.Spec{Amount: 5, Unit: reward.Credits})
	for _, id := range waiting[5:] {
		require.Equal(t, 200, w.decide(id, reward.Approve, "").status)
	}
	w.awaitAll(2*time.Minute, append(waiting, fresh), reward.Fulfilled)
	w.requireOnce(append(waiting, fresh)...)
	third.stop(t)
	server.stop(t)
}

// build builds the lean program with changed files: each path has pairs of what
// is replaced and by what.
func build(t *testing.T, changes map[string][]string) string {
	t.Helper()
	began := time.Now()
	defer func() { t.Logf("a changed program was built in %s", time.Since(began).Round(time.Second)) }()
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	overlay := map[string]map[string]string{"Replace": {}}
	for path, pairs := range changes {
		source, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		text := string(source)
		for i := 0; i < len(pairs); i += 2 {
			require.Equal(t, 1, strings.Count(text, pairs[i]), "the change does not fit %s any more: %q", path, pairs[i])
			text = strings.Replace(text, pairs[i], pairs[i+1], 1)
		}
		changed := filepath.Join(dir, filepath.Base(path))
		require.NoError(t, os.WriteFile(changed, []byte(text), 0o600))
		overlay["Replace"][filepath.Join(root, path)] = changed
	}
	encoded, err := json.Marshal(overlay)
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, encoded, 0o600))
	program := filepath.Join(dir, "rewardflow")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-overlay", file, "-o", program, "./cmd/rewardflow")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// startWorker runs a program's worker on the world, and returns when it works.
func startWorker(t *testing.T, w *world, program string) *process {
	t.Helper()
	return startLean(t, w, program, "worker", "worker.started")
}

// startLean runs a role of the lean program on the world, and returns when its
// log says that it has begun.
func startLean(t *testing.T, w *world, program, role, begun string) *process {
	t.Helper()
	p := &process{
		cmd: exec.CommandContext(context.WithoutCancel(t.Context()), program, role, "--config", w.configFile()),
		log: &tail{}, ended: make(chan struct{}),
	}
	p.cmd.Env = []string{"TEMPORAL_ADDRESS=" + w.process.Temporal, "HOME=" + w.dir}
	p.cmd.Stderr = p.log
	require.NoError(t, p.cmd.Start())
	go func() { p.err = p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the log of a %s:\n%s", role, p.log.last(40))
		}
	})
	eventually(t, startWithin, func() (string, bool) { return p.log.last(3), strings.Contains(p.log.String(), begun) })
	return p
}
