package e2e_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// mostMemory is what an API and a worker may have resident together, without
// the embedded engine, however many rewards wait for people: 200 MB.
const mostMemory = 200e6

// TestMemoryWhileManyWait reads it from the processes. The environment variable
// of the full load has 10,000 rewards wait, where 1,000 do otherwise.
func TestMemoryWhileManyWait(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what another process has in memory")
	}
	n := 1000
	if os.Getenv("REWARDFLOW_E2E_FULL_LOAD") != "" {
		n = 10_000
	}
	program := build(t, nil) // The lean one: the test's own holds a server.
	address := fmt.Sprintf("127.0.0.1:%d", laterPort(t))
	w := newWorld(t, settings{Policy: "  - {when: 'true', then: ask, approvals: 1}\n", Listen: address})
	w.start(spec{NoAPI: true, NoWorker: true})
	work := startLean(t, w, program, "worker", "worker.started")
	api := startLean(t, w, program, "api", "api.listening")
	w.fp.SetWebhookURLs(hook("http://"+address), hook("http://"+address))

	var sending sync.WaitGroup
	turns := make(chan struct{}, 8)
	for i := range n {
		turns <- struct{}{}
		sending.Go(func() {
			defer func() { <-turns }()
			owed := months()
			owed.Promoter.ID = 6_000_000 + int64(i)
			_, err := w.fp.CreateReward(t.Context(), owed)
			if err != nil {
				t.Errorf("creating a reward: %v", err)
			}
		})
	}
	sending.Wait()
	l, err := sqlite.Open(t.Context(), w.ledgerFile(), sqlite.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	eventually(t, 10*time.Minute, func() (string, bool) {
		o, err := l.Overview(t.Context(), ledger.Caller{}, time.Now())
		if err != nil {
			return err.Error(), false
		}
		waiting := o.Statuses[reward.AwaitingApproval]
		return fmt.Sprintf("%d of %d wait", waiting, n), waiting == n
	})
	// Read at rest: what the arrival of so many took for a moment goes back.
	eventually(t, 3*time.Minute, func() (string, bool) {
		ofAPI, ofWorker := residentMemory(t, api), residentMemory(t, work)
		return fmt.Sprintf("%d rewards wait; the API has %d MB resident, the worker %d MB", n, ofAPI/1e6, ofWorker/1e6), ofAPI+ofWorker <= mostMemory
	})
	ofAPI, ofWorker := residentMemory(t, api), residentMemory(t, work)
	work.stop(t)
	api.stop(t)
	t.Logf("%d rewards wait; the API has %d MB resident, the worker %d MB", n, ofAPI/1e6, ofWorker/1e6)
}

// residentMemory reads what a process has in memory now, in bytes, as Linux
// tells it (proc_pid_status(5)).
func residentMemory(t *testing.T, p *process) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(status), "VmRSS:")
	require.True(t, found, "there is no VmRSS")
	var kilobytes int64
	_, err = fmt.Sscan(rest, &kilobytes)
	require.NoError(t, err)
	return kilobytes << 10
}
