package console_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/desk"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// world is the whole surface on a ledger of its own. Only Temporal is a double.
type world struct {
	ledger  *sqlite.Ledger
	flows   *flows
	handler http.Handler
	url     string
	cfg     api.Config

	mu  sync.Mutex
	now time.Time
}

// clock is the time of the whole world.
func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now.IsZero() {
		return time.Now()
	}
	return w.now
}

func (w *world) set(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = now
}

func token(name string) string { return "rf_" + name + "_0123456789abcdef0123456789abcdef" }

func operator(name string, roles ...string) api.Operator {
	return api.Operator{Name: name, TokenSHA256: sha256.Sum256([]byte(token(name))), Roles: roles}
}

// newWorld serves the console. Operators: alice decides, bob decides for
// finance, olga operates, root may do everything, vera reads.
func newWorld(t testing.TB, edits ...func(*api.Config)) *world {
	t.Helper()
	w := &world{}
	l, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{Now: w.clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	w.serve(t, l, edits...)
	return w
}

// beside is another process on the same ledger, with another configuration.
func (w *world) beside(t testing.TB, edits ...func(*api.Config)) *world {
	t.Helper()
	other := &world{}
	other.serve(t, w.ledger, edits...)
	return other
}

func (w *world) serve(t testing.TB, l *sqlite.Ledger, edits ...func(*api.Config)) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	w.ledger, w.flows = l, &flows{ledger: l}
	w.cfg = api.Config{
		WebhookSecret: "whsec-Tm90QVNlY3JldEJ1dExvbmdFbm91Z2g",
		Operators: []api.Operator{
			operator("alice", "approver"), operator("bob", "finance"), operator("olga", "operator"),
			operator("vera", "viewer"), operator("root", api.Roles()...),
		},
		Providers: []api.Provider{
			{Name: "team", Type: "webhook"},
			{Name: "billing", Type: "stripe"},
			{Name: "payouts", Type: "paypal"},
			{Name: "people", Type: "manual", ByHand: true},
		},
		Caps: ledger.Caps{
			MaxSingle: map[string]int64{"credits": 5000, "USD": 100000}, MaxPerDay: map[string]int64{"USD": 1000000},
			MaxPerPromoterPerDay: map[string]int64{"credits": 10000},
		},
		WorkflowID:     workflows.FulfilmentID,
		TemporalUIURL:  "http://127.0.0.1:8233",
		MetricsHandler: http.NotFoundHandler(),
		Listen:         server.Listener.Addr().String(),
		Now:            w.clock,
	}
	for _, edit := range edits {
		edit(&w.cfg)
	}
	handler, err := api.New(w.cfg, api.Deps{
		Intake: noIntake{}, Ledger: l, Desk: desk.New(l, w.flows, true, slog.New(slog.DiscardHandler)),
		Engine: noEngine{}, Policy: noPolicy{}, Callbacks: noCallbacks{}, Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	w.handler = handler
	server.Config.Handler = handler
	server.Start()
	w.url = server.URL
}

type noIntake struct{}

func (noIntake) Accept(context.Context, []byte) (ledger.Taken, error) { return ledger.Taken{}, nil }

type noPolicy struct{}

func (noPolicy) Explain(string) (api.Explanation, error) { return api.Explanation{}, nil }

type noCallbacks struct{}

func (noCallbacks) Take(context.Context, string, func(string) string, []byte) error { return nil }

type noEngine struct{}

func (noEngine) Healthy(context.Context) (bool, string) { return true, "" }

// flows is Temporal's client with a workflow that does at once what the ledger
// says.
type flows struct {
	ledger *sqlite.Ledger
	// down says that no worker answers.
	down bool
}

func (f *flows) UpdateWorkflow(ctx context.Context, o client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	if f.down {
		return nil, context.DeadlineExceeded
	}
	var id reward.ID
	if _, err := fmt.Sscanf(o.WorkflowID, "fulfilment-%d", &id); err != nil {
		return nil, err
	}
	if o.UpdateName == workflows.UpdateDecide {
		return handle{}, f.follow(ctx, id)
	}
	return f.resolve(ctx, id, o.UpdateID)
}

func (f *flows) follow(ctx context.Context, id reward.ID) error {
	tally, err := f.ledger.TallyOf(ctx, id)
	switch {
	case err != nil:
		return err
	case tally.Rejected:
		return f.ledger.Move(ctx, ledger.Transition{ID: id, To: reward.Rejected, Reason: "people rejected it", Actor: "people"})
	case tally.Approved:
		return f.ledger.Move(ctx, ledger.Transition{ID: id, To: reward.Approved, Reason: "people approved it", Actor: "people"})
	}
	return nil
}

func (f *flows) resolve(ctx context.Context, id reward.ID, resolution string) (client.WorkflowUpdateHandle, error) {
	r, err := f.ledger.Resolution(ctx, resolution)
	if err != nil {
		return nil, err
	}
	out := activities.ResolveResult{Action: r.Action}
	to := map[reward.Action]reward.Status{
		reward.ActionRetry: reward.Verifying, reward.ActionReject: reward.Rejected, reward.ActionAbandon: reward.Abandoned,
		reward.ActionPaid: reward.Paid,
	}[r.Action]
	if to == "" {
		out.Refusal = "there is no payout that was refused"
		return handle{out}, nil
	}
	out.Standing.Status = to
	return handle{out}, f.ledger.Move(ctx, ledger.Transition{ID: id, To: to, Reason: "a person said so", Actor: r.By})
}

func (f *flows) SignalWorkflow(context.Context, string, string, string, any) error {
	if f.down {
		return context.DeadlineExceeded
	}
	return nil
}

// handle answers an update.
type handle struct{ resolved activities.ResolveResult }

func (handle) WorkflowID() string { return "" }
func (handle) RunID() string      { return "" }
func (handle) UpdateID() string   { return "" }
func (h handle) Get(_ context.Context, out any) error {
	if result, ok := out.(*activities.ResolveResult); ok {
		*result = h.resolved
	}
	return nil
}

// owed is a reward as the seed makes it.
func owed(id reward.ID, q reward.Quantity) reward.Reward {
	return reward.Reward{
		ID: id, Quantity: q,
		Promoter: reward.Promoter{ID: 5900000 + int64(id)%7, CustID: fmt.Sprintf("cus_%05d", int64(id)%7), Email: fmt.Sprintf("promoter%d@example.com", int64(id)%7)},
		Campaign: reward.Campaign{ID: 17476, Name: "Spring referrals"},
	}
}

// accept takes an event in, as the webhook does.
func (w *world) accept(t testing.TB, r reward.Reward) {
	t.Helper()
	_, err := w.ledger.Accept(context.Background(), ledger.Event{
		Type: "fulfilment_pending", Dedupe: r.ID.String(), EventID: r.ID.String(), Reward: &ledger.Claimed{Reward: r}, Body: []byte("{}"),
	}, time.Hour)
	require.NoError(t, err)
}

// assess gives a reward the status that verify and decide found.
func (w *world) assess(t testing.TB, r reward.Reward, provider string, status reward.Status, reason string, edits ...func(*ledger.Assessment)) {
	t.Helper()
	a := ledger.Assessment{
		Reward: r, Verified: true, Status: status, Reason: reason, Provider: provider, PolicyVersion: "p-0123456789ab", Rule: "rule 2 (line 18)",
	}
	a.Digest = reward.Shown{Reward: r, Provider: provider, PolicyVersion: a.PolicyVersion}.Digest()
	if status == reward.AwaitingApproval {
		a.Approvals = 1
	}
	for _, edit := range edits {
		edit(&a)
	}
	require.NoError(t, w.ledger.Assess(context.Background(), a, "policy"))
}

// awaiting brings a reward to wait for approval.
func (w *world) awaiting(t testing.TB, id reward.ID, q reward.Quantity, edits ...func(*ledger.Assessment)) reward.Reward {
	t.Helper()
	r := owed(id, q)
	w.accept(t, r)
	w.assess(t, r, "team", reward.AwaitingApproval, "rule 2 (line 18): larger rewards need a person: ask 1 person", edits...)
	return r
}

// paid brings a reward to be paid and fulfilled.
func (w *world) paid(t testing.TB, id reward.ID, q reward.Quantity) {
	t.Helper()
	ctx, r := context.Background(), owed(id, q)
	w.accept(t, r)
	w.assess(t, r, "team", reward.Approved, "rule 5 (line 21): pay")
	_, err := w.ledger.Reserve(ctx, ledger.Reservation{
		RewardID: id, Provider: "team", Quantity: q, At: w.clock(),
		Request: payout.Request{Key: payout.Key(id, 1), Destination: r.Promoter.CustID, Body: []byte("{}")},
	})
	require.NoError(t, err)
	claim, err := w.ledger.Claim(ctx, id, ledger.Caps{}, w.clock(), w.clock().Add(time.Minute))
	require.NoError(t, err)
	require.True(t, claim.Taken, claim.Reason)
	_, err = w.ledger.Finish(ctx, claim.Attempt, payout.Outcome{
		Class: payout.ClassAccepted, Settled: true, Reference: "ref-" + id.String(), Detail: "delivered",
	})
	require.NoError(t, err)
	require.NoError(t, w.ledger.Move(ctx, ledger.Transition{ID: id, To: reward.Fulfilled, Reason: "the call answered completed", Actor: "close"}))
}

// twoOf asks two people of the role finance.
func twoOf(a *ledger.Assessment) { a.Approvals, a.Role = 2, "finance" }

// seed fills the ledger with some of everything, over two weeks.
func (w *world) seed(t testing.TB) {
	t.Helper()
	now := time.Now().Truncate(time.Second)
	for i := range 40 {
		w.set(now.Add(-time.Duration(i*9) * time.Hour))
		q := []reward.Quantity{{Amount: 120 + int64(i*37%400), Unit: reward.Credits}, {Amount: 2, Unit: reward.FreeMonths}, {Amount: 4500 + int64(i*971%9000), Unit: reward.Cash, Currency: "USD"}}[i%3]
		w.paid(t, reward.ID(2800000+i), q)
	}
	w.set(now.Add(-200 * time.Hour))
	w.awaiting(t, 2900001, reward.Quantity{Amount: 12500, Unit: reward.Cash, Currency: "USD"}, twoOf, func(a *ledger.Assessment) {
		a.Reason = "rule 1 (line 17): cash needs two people: ask 2 people with the role finance"
	})
	w.set(now.Add(-80 * time.Hour))
	w.awaiting(t, 2900002, reward.Quantity{Amount: 800, Unit: reward.Credits})
	w.set(now.Add(-26 * time.Hour))
	refused := owed(2900003, reward.Quantity{Amount: 3, Unit: reward.FreeMonths})
	w.accept(t, refused)
	w.assess(t, refused, "team", reward.Attention, "team refused it: the receiver refused (HTTP 422): no customer with this ID")
	w.set(now.Add(-20 * time.Hour))
	forged := owed(90000003, reward.Quantity{Amount: 999, Unit: reward.Credits})
	w.accept(t, forged)
	w.assess(t, forged, "", reward.Quarantined, "FirstPromoter has no reward 90000003 for promoter 5900001", func(a *ledger.Assessment) { a.Verified = false })
	w.set(now.Add(-9 * time.Hour))
	held := owed(2900005, reward.Quantity{Amount: 250, Unit: reward.Points})
	w.accept(t, held)
	w.assess(t, held, "billing", reward.Held, "rule 4 (line 20): cash waits until customers can no longer ask for their money back: hold 336h",
		func(a *ledger.Assessment) { a.HoldUntil = now.Add(5 * 24 * time.Hour) })
	for i := range 12 {
		w.set(now.Add(-time.Duration(5*i+2) * time.Hour))
		w.awaiting(t, reward.ID(2900010+i), reward.Quantity{Amount: 500 + int64(i)*150, Unit: reward.Credits})
	}
	w.set(now.Add(-40 * time.Minute))
	byHand := owed(2900030, reward.Quantity{Amount: 15, Unit: reward.DiscountMon})
	w.accept(t, byHand)
	w.assess(t, byHand, "people", reward.Settling, "waiting for a person to pay it by hand and to record the reference")
	w.set(time.Time{})
}
