// Package demo shows rewards on their way: a whole process of rewardflow
// between doubles of FirstPromoter and of a team's own reward service, over
// real HTTP. The doubles say so, keep their own books, and have bad days.
package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Options describe a demo.
type Options struct {
	// DataDir keeps everything; a second start continues there.
	DataDir string
	Listen  string
	// Rewards is how many to send. A second start sends none unless Chosen.
	Rewards int
	Chosen  bool
	// Exit decides what waits, like a team would, and ends with a report.
	Exit bool
	// JSON prints the report as one document and nothing else.
	JSON bool

	Temporal      client.Options
	TemporalUIURL string
	Version       string
	Out           io.Writer
	Logger        *slog.Logger
}

// Demo is a running demo.
type Demo struct {
	opts      Options
	started   time.Time
	process   *app.App
	fp        *simulator.Simulator
	provider  *sandbox.Sandbox
	providing string
	fpURL     string

	mu   sync.Mutex
	mine []reward.ID // What this start sent, forged events included.
}

// sendEvery is the pause between two rewards once the first ones are sent.
const sendEvery = 20 * time.Second

// Run runs a demo until the context ends, or, with Exit, until every reward
// rests. It returns an *InvariantError when the books say that a promise was
// broken.
func Run(ctx context.Context, o Options) (err error) {
	d := &Demo{opts: o, started: time.Now()}
	stop, err := d.start(ctx)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return err
	}
	if !o.JSON {
		d.greet()
	}
	if !o.Exit {
		return d.show(ctx)
	}
	if err := d.send(ctx, o.Rewards, 0); err != nil {
		return err
	}
	if err := d.settle(ctx); err != nil {
		return err
	}
	report, err := d.report(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	return errors.Join(d.print(report), report.check())
}

// start brings up the doubles and the process. stop undoes what came up.
func (d *Demo) start(ctx context.Context) (stop func() error, err error) {
	var undo []func() error
	stop = func() error {
		var errs []error
		for i := len(undo) - 1; i >= 0; i-- {
			errs = append(errs, undo[i]())
		}
		return errors.Join(errs...)
	}
	books := filepath.Join(d.opts.DataDir, "demo")
	if err := os.MkdirAll(books, 0o700); err != nil {
		return stop, fmt.Errorf("making the doubles' directory: %w", err)
	}
	keys := newKeys()

	if d.provider, err = newProvider(filepath.Join(books, "provider.jsonl"), keys.provider, d.opts.Logger); err != nil {
		return stop, err
	}
	undo = append(undo, d.provider.Close)
	if d.providing, err = listen(d.provider, &undo); err != nil {
		return stop, err
	}

	if d.fp, err = simulator.New(simulator.Config{
		APIKey: keys.api, BooksPath: filepath.Join(books, "firstpromoter.jsonl"),
		CheckEvery: 20 * time.Second, RetryEvery: 10 * time.Second, Logger: d.opts.Logger,
	}); err != nil {
		return stop, err
	}
	undo = append(undo, d.fp.Close)
	if d.fpURL, err = listen(d.fp, &undo); err != nil {
		return stop, err
	}

	cfg, err := d.config(keys)
	if err != nil {
		return stop, err
	}
	if d.process, err = app.New(ctx, app.Options{
		Config: cfg, API: true, Worker: true, Temporal: d.opts.Temporal, TemporalUIURL: d.opts.TemporalUIURL,
		Version: d.opts.Version, Logger: d.opts.Logger, Lookup: os.LookupEnv,
	}); err != nil {
		return stop, err
	}
	undo = append(undo, func() error { return d.process.Stop(context.WithoutCancel(ctx)) })
	if err := d.process.Start(ctx); err != nil {
		return stop, err
	}
	hook := d.process.URL() + "/webhooks/firstpromoter/" + keys.webhook
	d.fp.SetWebhookURLs(hook, hook)

	firing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var fired sync.WaitGroup
	fired.Go(func() { d.fp.Run(firing) })
	undo = append(undo, func() error { cancel(); fired.Wait(); return nil })
	return stop, nil
}

// keys are the credentials of one start.
type keys struct{ api, webhook, provider string }

func newKeys() keys {
	secret := func() string {
		b := make([]byte, 24)
		rand.Read(b) //nolint:errcheck // It never fails.
		return hex.EncodeToString(b)
	}
	return keys{api: secret(), webhook: secret(), provider: secret()}
}

// listen serves a double on a free loopback port.
func listen(handler http.Handler, undo *[]func() error) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listening for a double: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	*undo = append(*undo, func() error {
		if err := server.Close(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return "http://" + listener.Addr().String(), nil
}

// config is the file that a team would write, with the doubles' addresses.
func (d *Demo) config(k keys) (*config.Config, error) {
	values := map[string]string{
		"DEMO_LISTEN": d.opts.Listen, "DEMO_DATA_DIR": d.opts.DataDir,
		"DEMO_FIRSTPROMOTER_URL": d.fpURL + simulator.BasePath, "DEMO_API_KEY": k.api, "DEMO_WEBHOOK_SECRET": k.webhook,
		"DEMO_PROVIDER_URL": d.providing + "/rewards", "DEMO_PROVIDER_SECRET": k.provider,
	}
	return config.Parse([]byte(configuration), "demo.yaml", func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	})
}

// configuration is the demo's rewardflow.yaml.
const configuration = `
listen: ${DEMO_LISTEN}
data_dir: ${DEMO_DATA_DIR}
firstpromoter:
  base_url: ${DEMO_FIRSTPROMOTER_URL}
  api_key: ${DEMO_API_KEY}
  webhook_secret: ${DEMO_WEBHOOK_SECRET}
  requests_per_minute: 6000
providers:
  team: {type: webhook, url: "${DEMO_PROVIDER_URL}", secret: "${DEMO_PROVIDER_SECRET}", allow_private_networks: true}
  people: {type: manual}
routes:
  - {unit: cash, provider: team, currency: USD}
  - {unit: discount_mon, provider: people}
  - {provider: team}
policy:
  - {when: 'unit == "points" && amount > 1000', then: refuse, reason: no campaign gives that many points}
  - {when: 'unit == "cash"', then: ask, approvals: 2, reason: cash needs two people}
  - {when: 'unit == "credits" && amount >= 500', then: ask}
  - {when: 'unit == "discount_mon"', then: pay, reason: a person delivers it}
  - {then: pay}
brake: {max_single: {credits: 5000, USD: 100000}}
notifications:
  - {events: [lead_signup, promoter_accepted, reward_quarantined, reward_attention, reward_awaiting_approval], channel: {type: log}}
`

// records returns the newest rewards in the ledger.
func (d *Demo) records(ctx context.Context, limit int) ([]ledger.Record, error) {
	return d.process.Ledger().ListRewards(ctx, ledger.Filter{Limit: limit})
}

// resumed reports whether an earlier start left rewards behind.
func (d *Demo) resumed(ctx context.Context) (bool, error) {
	records, err := d.records(ctx, 1)
	return len(records) > 0, err
}
