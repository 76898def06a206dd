package app

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/google/uuid"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/callback"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/desk"
	"github.com/rewardflow/rewardflow/internal/encryption"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/intake"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/policy"
	"github.com/rewardflow/rewardflow/internal/slackapproval"
	"github.com/rewardflow/rewardflow/internal/spool"
	"github.com/rewardflow/rewardflow/internal/telemetry"
	"github.com/rewardflow/rewardflow/worker"
	"github.com/rewardflow/rewardflow/workflows"
)

// build wires the parts in the order in which they need each other.
func (a *App) build(ctx context.Context) error {
	cfg := a.opts.Config
	var err error
	if err = a.arm(ctx); err != nil {
		return err
	}
	if a.telemetry, err = telemetry.New(ctx, telemetry.Config{
		Service: "rewardflow", Version: a.opts.Version, Logger: a.log, Lookup: a.opts.Lookup,
	}); err != nil {
		return fmt.Errorf("setting up telemetry: %w", err)
	}
	a.cleanups.add("telemetry", a.telemetry.Shutdown)

	if err = a.openOwnLedger(ctx); err != nil {
		return err
	}
	sealing, err := a.seal(ctx, a.ledger)
	if err != nil {
		return fmt.Errorf("opening the ledger: %w", err)
	}
	a.ledger = sealing
	if a.money, err = newMoneyMetrics(a.telemetry.Registerer()); err != nil {
		return err
	}
	a.ledger = observedLedger{a.ledger, a.money}
	a.armLedger()

	if a.temporal, err = a.dial(); err != nil {
		return fmt.Errorf("setting up the Temporal client: %w", err)
	}
	a.cleanups.add("temporal client", func(context.Context) error { a.temporal.Close(); return nil })

	a.desk = desk.New(a.ledger, a.temporal, acceptUnverified(cfg), a.log)
	channels, err := notifiers(cfg, a.log)
	if err != nil {
		return err
	}
	channels.watch(a.board)
	if a.policy, err = policy.Compile(cfg.Policy); err != nil {
		return fmt.Errorf("compiling the policy: %w", err)
	}
	// Every process reads the templates: a broken one stops each of them.
	write, err := writer(cfg, a.log)
	if err != nil {
		return err
	}
	providers, err := providers(cfg)
	if err != nil {
		return err
	}
	slack, err := slackClient(cfg)
	if err != nil {
		return err
	}
	if a.opts.API {
		if err := a.buildAPI(ctx, cfg, channels, providers, slack); err != nil {
			return err
		}
	}
	if a.opts.Worker {
		channels.sayDisabled(ctx, a.ledger, a.log)
		return a.buildWorker(cfg, channels, providers, write, slack)
	}
	return nil
}

// dial makes a client that connects when it is first used: events are accepted
// while Temporal is down.
func (a *App) dial() (client.Client, error) {
	options := a.opts.Temporal
	tracing := a.telemetry.TracingInterceptor()
	options.Interceptors = append(slices.Clone(options.Interceptors), interceptor.ClientInterceptor(tracing))
	if a.crash != nil {
		options.Interceptors = append(options.Interceptors, &crashingWorker{at: a.crash})
	}
	options.MetricsHandler = a.telemetry.TemporalMetrics()
	options.Logger = sdklog.NewStructuredLogger(a.log)
	return client.NewLazyClient(options)
}

// eager reports whether workflows may be started eagerly: the process runs a
// worker, and the client knows already what the server can do. It learns that
// here, before anything shares it: for an eager start the SDK (1.50.0) reads it
// without a lock, so a client that would learn it later starts nothing eagerly.
func (a *App) eager(ctx context.Context) bool {
	if !a.opts.Worker {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := a.temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err == nil
}

func (a *App) namespace() string {
	if a.opts.Temporal.Namespace == "" {
		return client.DefaultNamespace
	}
	return a.opts.Temporal.Namespace
}

func (a *App) buildAPI(
	ctx context.Context, cfg *config.Config, channels channels, providers map[string]payout.Provider, slack *slackapproval.Client,
) error {
	var followers []intake.Follower
	follower := slackapproval.NewFollower(a.ledger, a.temporal, cfg.Temporal.TaskQueue)
	if slack != nil {
		followers = append(followers, follower)
	}
	starter := intake.NewStarter(a.armStarter(), cfg.Temporal.TaskQueue, a.eager(ctx), channels.wanting, followers...)
	self := owner()
	a.dispatcher = intake.NewDispatcher(intake.DispatcherConfig{
		Owner: self, GiveWay: a.opts.Worker, Full: a.load.Full, Open: a.temporal, Tracer: a.telemetry.Tracer(intakeScope),
	}, a.ledger, starter, a.log)
	a.replayer = intake.NewReplayer(self, a.ledger, starter, intake.NewRuns(a.temporal, a.opts.Temporal.DataConverter), a.log)
	a.unstored = intake.NewUnstored(a.ledger, a.log)
	if len(channels.wanting(notify.DailySummary)) > 0 {
		a.summary = intake.NewDailySummary(intake.SummaryConfig{Hour: cfg.DailySummaryHour, Wake: a.dispatcher.Wake}, a.ledger, a.log)
	}
	var clicks api.SlackInteractions
	if slack != nil {
		clicks = a.interactions(slack, follower)
	}
	who, err := identities(cfg)
	if err != nil {
		return err
	}
	var known []api.Provider
	for name, p := range cfg.Providers {
		known = append(known, api.Provider{Name: name, Type: p.Type, ByHand: p.Type == config.ProviderManual})
	}
	if err := a.buildIntake(cfg); err != nil {
		return err
	}
	if err := a.telemetry.Registerer().Register(newGauges(a.ledger, a.unstored, slices.Sorted(maps.Keys(cfg.Providers)))); err != nil {
		return fmt.Errorf("registering the ledger's gauges: %w", err)
	}
	a.handler, err = api.New(api.Config{
		WebhookSecret:     cfg.FirstPromoter.WebhookSecret.Reveal(),
		BasicAuth:         cfg.FirstPromoter.BasicAuth.Reveal(),
		Operators:         who.Operators,
		Proxy:             who.Proxy,
		OpenID:            who.OpenID,
		SessionLifetime:   who.SessionLifetime,
		Providers:         known,
		EventTypes:        firstpromoter.KnownTypes(),
		Caps:              caps(cfg),
		WorkflowID:        workflows.FulfilmentID,
		TemporalUIURL:     a.opts.TemporalUIURL,
		TemporalNamespace: a.namespace(),
		Version:           a.opts.Version,
		Listen:            cfg.Listen,
		MetricsHandler:    a.telemetry.Handler(),
		Logger:            a.log,
		TracerProvider:    a.telemetry.TracerProvider(),
		Propagator:        a.telemetry.Propagator(),
	}, api.Deps{
		Intake:   a.intake,
		Spool:    a.intake,
		Ledger:   a.ledger,
		Desk:     a.desk,
		Engine:   engineHealth{a.temporal},
		Policy:   explainer{a.policy},
		Unstored: a.unstored,
		Replays:  a.replayer,
		Troubles: []api.Troubles{a.board, workerWatch{a.temporal, cfg.Temporal.TaskQueue}},
		Callbacks: callback.New(callback.Config{
			Providers: providers, TaskQueue: cfg.Temporal.TaskQueue, Logger: a.log,
		}, a.ledger, a.temporal),
		Slack:      clicks,
		Keys:       a.keys(),
		Registerer: a.telemetry.Registerer(),
		Draining:   a.draining.Load,
	})
	return err
}

// buildIntake also opens the spool, which keeps events while the ledger does
// not commit.
func (a *App) buildIntake(cfg *config.Config) error {
	kept, err := spool.Open(filepath.Join(cfg.DataDir, "spool"), spool.Options{
		Logger: a.log, Cipher: encryption.NewRecords(a.ring, cfg.Encryption.Ledger),
	})
	if err != nil {
		return fmt.Errorf("opening the spool: %w", err)
	}
	a.cleanups.add("spool", func(context.Context) error { return kept.Close() })
	a.intake, err = intake.New(a.ledger, intake.Config{
		CloseByAnswerAfter: cfg.FirstPromoter.CloseByAnswerAfter, Wake: a.dispatcher.Wake, Spool: kept,
		Registerer: a.telemetry.Registerer(), Logger: a.log, Tracer: a.telemetry.Tracer(intakeScope),
	})
	return err
}

func (a *App) buildWorker(
	cfg *config.Config, channels channels, providers map[string]payout.Provider,
	write func(eventType, eventID string, body []byte) (notify.Message, error), slack *slackapproval.Client,
) error {
	a.firstPromoter = firstpromoter.NewClient(fpConfig(cfg))
	tracer := a.telemetry.Tracer(moneyScope)
	if err := a.telemetry.Registerer().Register(newBudget(a.firstPromoter, cfg.FirstPromoter.RequestsPerMinute)); err != nil {
		return fmt.Errorf("registering the gauges of FirstPromoter's budget: %w", err)
	}
	rewards, err := activities.New(activities.Config{
		Account:          cfg.FirstPromoter.Account,
		Caps:             caps(cfg),
		AcceptUnverified: acceptUnverified(cfg),
		Queues:           payoutQueues(cfg),
		Ladder: activities.Ladder{
			RemindAfter: cfg.Approvals.RemindAfter, EscalateAfter: cfg.Approvals.EscalateAfter, HoldAfter: cfg.Approvals.HoldAfter,
		},
	}, activities.Deps{
		Ledger:        a.ledger,
		FirstPromoter: a.armCloser(owedReader{a.firstPromoter, a.board, tracer, a.money}),
		Judge:         judge{routes: cfg.Routes, policy: a.policy},
		Providers:     observed(a.armProviders(providers), tracer, a.money),
	})
	if err != nil {
		return err
	}
	notifications, err := activities.NewNotifications(activities.NotificationDeps{Ledger: a.ledger, Channels: channels.byName(), Write: write})
	if err != nil {
		return err
	}
	var board activities.ApprovalBoard
	if slack != nil {
		board = slackapproval.NewBoard(slack, a.ledger, a.log)
	}
	options := worker.Options{TaskQueue: cfg.Temporal.TaskQueue, Deployment: a.opts.Deployment, Autoscale: a.opts.Cluster, Load: &a.load}
	workers := []sdkworker.Worker{worker.New(a.temporal, options, rewards, notifications, activities.NewApprovalMessages(board))}
	for _, name := range slices.Sorted(maps.Keys(payoutQueues(cfg))) {
		limited := options
		limited.TaskQueue, limited.PerMinute = payoutQueues(cfg)[name], cfg.Providers[name].PayoutsPerMinute
		workers = append(workers, worker.NewPayouts(a.temporal, limited, rewards))
	}
	a.worker = worker.NewGroup(workers...)
	return nil
}

// payoutQueues returns the task queues of the providers whose payouts are limited.
func payoutQueues(cfg *config.Config) map[string]string {
	queues := map[string]string{}
	for name, p := range cfg.Providers {
		if p.PayoutsPerMinute > 0 {
			queues[name] = worker.PayoutQueue(cfg.Temporal.TaskQueue, name)
		}
	}
	return queues
}

func fpConfig(cfg *config.Config) firstpromoter.Config {
	return firstpromoter.Config{
		BaseURL:           cfg.FirstPromoter.BaseURL,
		APIKey:            cfg.FirstPromoter.APIKey.Reveal(),
		RequestsPerMinute: cfg.FirstPromoter.RequestsPerMinute,
	}
}

func acceptUnverified(cfg *config.Config) bool {
	return cfg.Approvals.Unverified == config.UnverifiedAccept
}

func caps(cfg *config.Config) ledger.Caps {
	return ledger.Caps{
		MaxSingle:            cfg.Brake.MaxSingle,
		MaxPerDay:            cfg.Brake.MaxPerDay,
		MaxPerPromoterPerDay: cfg.Brake.MaxPerPromoterPerDay,
		MaxPerCampaignPerDay: cfg.Brake.MaxPerCampaignPerDay,
	}
}

// owner names this process in leases.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), uuid.NewString()[:8])
}

// engineHealth says whether Temporal answers.
type engineHealth struct{ client client.Client }

// Healthy asks Temporal, briefly.
func (e engineHealth) Healthy(ctx context.Context) (bool, string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := e.client.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return false, "Temporal does not answer: events are accepted, and worked off when it is back"
	}
	return true, "Temporal answers"
}
