package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/silentport"
	"github.com/rewardflow/rewardflow/workflows"
)

// readiness is the answer of /readyz.
type readiness struct {
	Ready bool `json:"ready"`
	Inbox struct {
		Depth int `json:"depth"`
	} `json:"inbox"`
	Spool struct {
		Depth int `json:"depth"`
	} `json:"spool"`
	Temporal struct {
		Reachable bool   `json:"reachable"`
		Detail    string `json:"detail"`
	} `json:"temporal"`
}

// readyz asks whether the process is ready, which a slow disk may deny for a moment.
func (w *world) readyz() (r readiness, said string) {
	w.t.Helper()
	a, err := w.ask(http.MethodGet, "/readyz", "", nil)
	require.NoError(w.t, err)
	a.into(w, &r)
	return r, string(a.body)
}

// acceptsWithout sends rewards to a process whose Temporal does not answer.
func (w *world) acceptsWithout(n int) []reward.ID {
	w.t.Helper()
	var ids []reward.ID
	quickest := time.Hour // A disk may hold up any one of them.
	for range n {
		began := time.Now()
		ids = append(ids, w.send(months()))
		quickest = min(quickest, time.Since(began))
	}
	require.Less(w.t, quickest, 2*time.Second, "the answers wait for nothing")
	for _, d := range w.fp.Books().Deliveries {
		require.Equal(w.t, http.StatusAccepted, d.Answer)
	}
	eventually(w.t, soon, func() (string, bool) {
		r, said := w.readyz() // It serves, and says so.
		return said, r.Ready && r.Inbox.Depth == n && !r.Temporal.Reachable && r.Temporal.Detail != ""
	})
	require.Equal(w.t, reward.Received, w.reward(ids[0], "").Status)
	return ids
}

// worksOff waits until everything that was accepted without Temporal is done.
func (w *world) worksOff(api *process, ids []reward.ID) {
	w.t.Helper()
	w.process = api // The other process has no HTTP surface.
	w.awaitAll(time.Minute, ids, reward.Fulfilled)
	w.requireOnce(ids...)
	eventually(w.t, soon, func() (string, bool) {
		r, said := w.readyz()
		return said, r.Inbox.Depth == 0 && r.Temporal.Reachable
	})
}

func TestTemporalIsDown(t *testing.T) {
	t.Parallel()

	w := newWorld(t, settings{})
	port := laterPort(t)
	api := w.start(spec{Temporal: fmt.Sprintf("127.0.0.1:%d", port), NoWorker: true})
	ids := w.acceptsWithout(10)
	w.launch(spec{TemporalPort: port, NoAPI: true}).awaitReady(t)
	w.worksOff(api, ids)
}

func TestTemporalHangs(t *testing.T) {
	t.Parallel()

	w := newWorld(t, settings{})
	g := newGate(t)
	api := w.start(spec{Temporal: g.address(), NoWorker: true})
	ids := w.acceptsWithout(10)
	server := w.launch(spec{NoAPI: true})
	server.awaitReady(t)
	g.open(server.Temporal)
	w.worksOff(api, ids)
}

// TestDecidedWhileTemporalIsDown has a person decide while no workflow can be
// told: the decision is kept, and counts once Temporal is back, or was lost.
func TestDecidedWhileTemporalIsDown(t *testing.T) {
	t.Parallel()

	for name, lost := range map[string]bool{"ItComesBack": false, "ItIsLost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := running(t, settings{Policy: "  - {then: ask}"})
			id := w.send(months())
			w.await(soon, id, reward.AwaitingApproval, "")
			w.process.stop(t)

			w.start(spec{Temporal: silentport.Address(t), NoWorker: true})
			require.Equal(t, http.StatusOK, w.decide(id, reward.Approve, "").status)
			require.Equal(t, reward.AwaitingApproval, w.reward(id, "").Status)
			w.process.stop(t)
			if lost {
				removeDatabase(w)
			}

			w.start(spec{})
			s := w.await(time.Minute, id, reward.Fulfilled, "")
			require.Len(t, s.Decisions, 1)
			w.requireOnce(id)
			w.process.stop(t)
			w.requireNothingUndelivered()
		})
	}
}

// requireNothingUndelivered looks for decisions that would be delivered again
// and again to a workflow that has ended.
func (w *world) requireNothingUndelivered() {
	w.t.Helper()
	l, err := sqlite.Open(w.t.Context(), w.ledgerFile(), sqlite.Options{})
	require.NoError(w.t, err)
	defer l.Close()
	left, err := l.Undelivered(w.t.Context(), time.Now().Add(time.Hour), 10)
	require.NoError(w.t, err)
	require.Empty(w.t, left)
}

// TestTemporalFileDeleted deletes the Temporal database between two runs.
func TestTemporalFileDeleted(t *testing.T) {
	t.Parallel()

	t.Run("StoppedTheDirectory", func(t *testing.T) {
		t.Parallel()

		temporalFileDeleted(t, func(w *world) { w.process.stop(t) }, func(w *world) {
			require.NoError(t, os.RemoveAll(filepath.Join(w.dataDir(), "temporal")))
		})
	})
	t.Run("KilledTheDatabase", func(t *testing.T) {
		t.Parallel()

		temporalFileDeleted(t, func(w *world) { w.process.kill() }, removeDatabase)
	})
}

func removeDatabase(w *world) {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dataDir(), "temporal", "temporal.db*"))
	require.NoError(w.t, err)
	require.NotEmpty(w.t, files)
	for _, file := range files {
		require.NoError(w.t, os.Remove(file))
	}
}

func temporalFileDeleted(t *testing.T, end, remove func(w *world)) {
	t.Helper()
	w := newWorld(t, settings{Policy: `  - {when: 'unit == "cash"', then: ask, approvals: 2}
  - {when: 'unit == "credits"', then: ask}
  - {then: pay}`, More: operators(map[string]string{"alice": "approver", "bob": "approver"}), RetryEvery: time.Second})
	alice, bob := token("alice"), token("bob")
	w.provider.Script(sandbox.CustID("refused"), sandbox.Refuse("no such customer").Always())
	w.provider.Script(sandbox.CustID("slow"), sandbox.SettleLater(12*time.Second))
	w.start(spec{})

	done := w.send(months())
	half := w.send(simulator.Spec{Amount: 900, Unit: reward.Cash})
	asked := w.send(simulator.Spec{Amount: 900, Unit: reward.Credits})
	rejected := w.send(simulator.Spec{Amount: 901, Unit: reward.Credits})
	refused, slow := w.send(to("refused")), w.send(to("slow"))
	w.await(soon, done, reward.Fulfilled, alice)
	w.await(soon, half, reward.AwaitingApproval, alice)
	require.Equal(t, http.StatusOK, w.decide(half, reward.Approve, alice).status)
	w.await(soon, asked, reward.AwaitingApproval, alice)
	w.await(soon, rejected, reward.AwaitingApproval, alice)
	require.Equal(t, http.StatusOK, w.decide(rejected, reward.Reject, bob).status)
	w.await(soon, rejected, reward.Rejected, alice)
	w.await(soon, refused, reward.Attention, alice)
	w.await(soon, slow, reward.Settling, alice)
	fresh := w.send(months()) // It may be anywhere when the end comes.
	end(w)
	remove(w)

	w.start(spec{})
	for id, status := range map[reward.ID]reward.Status{
		done: reward.Fulfilled, half: reward.AwaitingApproval, asked: reward.AwaitingApproval,
		rejected: reward.Rejected, refused: reward.Attention, fresh: reward.Fulfilled, slow: reward.Fulfilled,
	} {
		w.await(time.Minute, id, status, alice)
	}
	w.requireOnce(done, fresh, slow)
	s := w.reward(half, alice)
	require.Equal(t, 1, s.Approvals, "the decision of the first run is kept")
	require.Equal(t, http.StatusConflict, w.decide(half, reward.Approve, alice).status, "and counts once")
	require.Equal(t, http.StatusOK, w.decide(half, reward.Approve, bob).status)
	require.Equal(t, http.StatusOK, w.decide(asked, reward.Approve, bob).status)
	w.await(soon, half, reward.Fulfilled, alice)
	w.await(soon, asked, reward.Fulfilled, alice)
	w.requireOnce(done, fresh, slow, half, asked)
}

// TestOlderCopyOfTemporal puts the Temporal database of an hour ago in the place
// of the newest, so to speak. Its runs wait for what people have said since.
func TestOlderCopyOfTemporal(t *testing.T) {
	t.Parallel()

	w := newWorld(t, settings{Policy: `  - {when: 'unit == "credits"', then: ask}
  - {then: pay}`, More: operators(map[string]string{"alice": "approver, operator"})})
	alice := token("alice")
	w.provider.Script(sandbox.CustID("refused"), sandbox.Refuse("no such customer").Always())
	w.provider.Script(sandbox.CustID("slow"), sandbox.SettleLater(10*time.Second))
	w.start(spec{})
	ask := func(cust string) reward.ID {
		return w.send(simulator.Spec{Amount: 900, Unit: reward.Credits, Promoter: reward.Promoter{CustID: cust}})
	}
	paid, slow, rejected, untouched := ask("cus_1"), ask("slow"), ask("cus_2"), ask("cus_3")
	refused := w.send(to("refused"))
	for _, id := range []reward.ID{paid, slow, rejected, untouched} {
		w.await(soon, id, reward.AwaitingApproval, alice)
	}
	w.await(soon, refused, reward.Attention, alice)
	w.process.stop(t)
	older := filepath.Join(w.dir, "older")
	require.NoError(t, os.CopyFS(older, os.DirFS(filepath.Join(w.dataDir(), "temporal"))))

	w.start(spec{})
	for id, verdict := range map[reward.ID]reward.Verdict{paid: reward.Approve, slow: reward.Approve, rejected: reward.Reject} {
		require.Equal(t, http.StatusOK, w.decide(id, verdict, alice).status)
	}
	w.resolve(refused, alice, map[string]any{"action": "abandon", "comment": "they left"})
	ends := map[reward.ID]reward.Status{paid: reward.Fulfilled, slow: reward.Settling, rejected: reward.Rejected, refused: reward.Abandoned}
	for id, status := range ends {
		w.await(soon, id, status, alice)
	}
	w.process.stop(t)
	require.NoError(t, os.RemoveAll(filepath.Join(w.dataDir(), "temporal")))
	require.NoError(t, os.CopyFS(filepath.Join(w.dataDir(), "temporal"), os.DirFS(older)))

	w.start(spec{})
	ends[slow] = reward.Fulfilled
	temporal := w.client()
	for id, status := range ends {
		w.await(time.Minute, id, status, alice)
		var result workflows.FulfilmentResult
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, temporal.GetWorkflow(ctx, workflows.FulfilmentID(id), "").Get(ctx, &result), "its run ends as well")
		require.Equal(t, status, result.Status)
	}
	w.await(soon, untouched, reward.AwaitingApproval, alice)
	w.requireOnce(paid, slow)
}
