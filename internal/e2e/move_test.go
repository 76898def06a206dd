package e2e_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/postgrestest"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// TestAnInstallationMovesToPostgreSQL runs everything on files, copies the ledger
// into PostgreSQL, and goes on there with another Temporal, which is in
// PostgreSQL as well. What was waiting goes on, and the old files pay nothing if
// somebody starts them again.
func TestAnInstallationMovesToPostgreSQL(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{})
	w := newWorld(t, settings{Policy: `  - {when: 'unit == "credits"', then: ask, approvals: 2}
  - {then: pay}`, More: operators(map[string]string{"alice": "approver, operator", "bob": "approver"})})
	alice, bob := token("alice"), token("bob")
	w.provider.Script(sandbox.CustID("slow"), sandbox.SettleLater(12*time.Second))
	w.provider.Script(sandbox.CustID("refused"), sandbox.Refuse("no such customer"))
	w.start(spec{})
	done, slow, refused := w.send(months()), w.send(to("slow")), w.send(to("refused"))
	half, late := w.send(simulator.Spec{Amount: 900, Unit: reward.Credits}), w.send(simulator.Spec{Amount: 901, Unit: reward.Credits})
	for id, status := range map[reward.ID]reward.Status{
		done: reward.Fulfilled, slow: reward.Settling, refused: reward.Attention,
		half: reward.AwaitingApproval, late: reward.AwaitingApproval,
	} {
		w.await(soon, id, status, alice)
	}
	require.Equal(t, http.StatusOK, w.decide(half, reward.Approve, alice).status)
	w.process.stop(t)

	files := filepath.Join(w.dir, "files.yaml")
	require.NoError(t, os.Rename(w.configFile(), files))
	w.set.Database = server.Database(t)
	w.configure()
	var configs [2]*config.Config
	for i, path := range []string{files, w.configFile()} {
		var err error
		configs[i], err = config.Load(path, func(string) (string, bool) { return "", false })
		require.NoError(t, err)
	}
	_, err := app.MigrateLedger(t.Context(), configs[1], slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	copied, err := app.CopyLedger(t.Context(), configs[0], configs[1], slog.New(slog.DiscardHandler), "a test")
	require.NoError(t, err)
	require.Equal(t, 5, copied.Rewards)

	w.start(spec{Engine: server.URL("temporal")})
	w.await(time.Minute, slow, reward.Fulfilled, alice)
	require.Equal(t, 1, w.reward(half, alice).Approvals, "what people said came along")
	require.Equal(t, http.StatusConflict, w.decide(half, reward.Approve, alice).status, "and counts once")
	require.Equal(t, http.StatusOK, w.decide(half, reward.Approve, bob).status)
	w.await(soon, half, reward.Fulfilled, alice)
	w.resolve(refused, alice, map[string]any{"action": "abandon", "comment": "they left"})
	w.await(soon, refused, reward.Abandoned, alice)
	fresh := w.send(months())
	w.await(soon, fresh, reward.Fulfilled, alice)
	w.process.stop(t)
	w.requireOnce(done, slow, half, fresh)

	// By mistake. Its Temporal still has the workflows, and people approve there.
	w.start(spec{Config: files})
	for _, who := range []string{alice, bob} {
		require.Equal(t, http.StatusOK, w.decide(late, reward.Approve, who).status)
	}
	require.Contains(t, w.await(soon, late, reward.Held, alice).Reason, "paused")
	w.process.stop(t)
	w.requireOnce(done, slow, half, fresh)
}
