package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
)

// checks returns the checks in the order in which their subjects need each
// other. Those that need a configuration are skipped without one.
func (p *Program) checks(source configSource) []check {
	cfg, loading := p.load(source)
	checks := []check{{"configuration", func(context.Context) (string, error) {
		return describe(source, cfg), loading
	}}}
	configured := func(name string, run func(ctx context.Context) (string, error)) {
		if loading != nil {
			run = func(context.Context) (string, error) { return "", skipped("there is no usable configuration") }
		}
		checks = append(checks, check{name, run})
	}

	configured("ledger", func(ctx context.Context) (string, error) { return checkLedger(ctx, cfg) })
	clock := &clock{now: p.env.Now}
	configured("FirstPromoter", func(ctx context.Context) (string, error) { return checkFirstPromoter(ctx, cfg.FirstPromoter, clock) })
	configured("clock", clock.check)
	if loading == nil {
		for _, name := range slices.Sorted(maps.Keys(cfg.Providers)) {
			configured("provider "+name, func(ctx context.Context) (string, error) { return checkProvider(ctx, cfg, name) })
		}
	}
	temporal := &temporalChecks{environment: p.env}
	checks = append(checks, check{"Temporal", temporal.server}, check{"search attributes", temporal.attributes})
	configured("worker", func(ctx context.Context) (string, error) { return temporal.worker(ctx, cfg.Temporal.TaskQueue) })
	checks = append(checks, check{"API", func(ctx context.Context) (string, error) { return p.checkAPI(ctx, cfg) }})
	configured("webhook URL", func(ctx context.Context) (string, error) { return p.checkWebhook(ctx, cfg) })
	return checks
}

func describe(source configSource, cfg *config.Config) string {
	if cfg == nil {
		return ""
	}
	words := fmt.Sprintf("%s: providers %s", source.name(), strings.Join(slices.Sorted(maps.Keys(cfg.Providers)), ", "))
	for _, w := range cfg.Warnings() {
		words += "\nnote: " + w
	}
	return words
}

// checkLedger opens the ledger where there is one, and otherwise looks whether
// one could be made. It makes none: its owner must be whoever runs the API.
func checkLedger(ctx context.Context, cfg *config.Config) (string, error) {
	name, next, full := app.LedgerFile(cfg), "see that this user may write there, and that data_dir is on a local disk", "see whether the disk is full"
	if cfg.OnPostgres() {
		name, next, full = "the PostgreSQL ledger", "see that the server runs, and that database names it; rewardflow migrate makes and updates the schema",
			"see the server's log, and whether its disk is full"
	} else if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return checkDirectory(cfg.DataDir)
	}
	opened, err := app.OpenLedger(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", &failure{message: fault.Message(err), next: next}
	}
	err = opened.Ping(ctx)
	if err := errors.Join(err, opened.Close()); err != nil {
		return "", &failure{message: name + " cannot commit: " + fault.Message(err), next: full}
	}
	return name + " opens and commits", nil
}

// checkDirectory looks whether the first start could make the ledger.
func checkDirectory(dataDir string) (string, error) {
	existing, err := filepath.Abs(dataDir)
	if err != nil {
		return "", fmt.Errorf("finding the data directory: %w", err)
	}
	for {
		if _, err := os.Stat(existing); !errors.Is(err, fs.ErrNotExist) || existing == filepath.Dir(existing) {
			break
		}
		existing = filepath.Dir(existing)
	}
	probe, err := os.CreateTemp(existing, ".rewardflow-doctor-*")
	if err != nil {
		return "", &failure{
			message: fmt.Sprintf("there is no ledger in %s, and none can be made: %v", dataDir, errors.Unwrap(err)),
			next:    "let this user write to " + existing + ", or set data_dir to another directory",
		}
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return "", fmt.Errorf("removing a file that was made to see whether it can be: %w", err)
	}
	return "the first start makes it in " + dataDir, nil
}

// checkFirstPromoter makes one call, and leaves the clock a look at its answer.
func checkFirstPromoter(ctx context.Context, cfg config.FirstPromoter, clock *clock) (string, error) {
	client := firstpromoter.NewClient(firstpromoter.Config{
		BaseURL:           cfg.BaseURL,
		APIKey:            cfg.APIKey.Reveal(),
		RequestsPerMinute: cfg.RequestsPerMinute,
		HTTP:              clock.watch(egress.NewClient(egress.Options{})),
	})
	err := client.Check(ctx)
	switch {
	case err == nil:
		return "it answers, and accepts the API key", nil
	case fault.Is(err, fault.Denied):
		return "", &failure{message: fault.Message(err), next: "copy the API key from FirstPromoter's settings into firstpromoter.api_key"}
	case fault.Is(err, fault.Throttled):
		return "it answers, and asks to call less often", nil
	case fault.Is(err, fault.Unavailable), fault.Is(err, fault.Ambiguous):
		return "", &failure{message: fault.Message(err), next: "see that this machine may reach firstpromoter.base_url, and ask again"}
	}
	return "", &failure{message: fault.Message(err), next: "check firstpromoter.base_url and firstpromoter.api_key"}
}

// checkAPI asks the API whether it is ready: the one that the flags name, or
// the one that the configuration starts.
func (p *Program) checkAPI(ctx context.Context, cfg *config.Config) (string, error) {
	address := defaultURL
	if cfg != nil {
		address = reachable(cfg.Listen)
	}
	api, err := p.operatorAPIAt(p.variable(urlVariable, address))
	if err != nil {
		return "", err
	}
	resp, err := api.do(ctx, http.MethodGet, readyPath, nil, nil)
	if err != nil {
		return "", err
	}
	body, err := egress.ReadBody(resp)
	if err != nil {
		return "", api.unanswered(http.MethodGet, err)
	}
	var state readyDocument
	switch known := json.Unmarshal(body, &state) == nil; {
	case resp.StatusCode == http.StatusOK && known && state.Ready:
	case resp.StatusCode == http.StatusServiceUnavailable && known:
		return "", &failure{
			message: fmt.Sprintf("it answers at %s, and takes no events: its inbox cannot commit, or it is stopping", api.base),
			next:    "look into the log of the API, and see whether its disk is full",
		}
	default:
		return "", api.refused(resp, body)
	}
	words := fmt.Sprintf("it is ready at %s; %s", api.base, plain(state.Temporal.Detail))
	if state.Inbox != nil && state.Inbox.Depth > 0 {
		words += fmt.Sprintf("; events that wait to be dispatched: %d, the oldest for %s",
			state.Inbox.Depth, span(time.Duration(state.Inbox.OldestSeconds)*time.Second))
	}
	for _, d := range state.Degraded {
		if d.Part != "temporal" && d.Part != "dispatch" { // Told already.
			words += fmt.Sprintf("; %s since %s: %s", plain(d.Part), stamp(d.Since), plain(d.Detail))
		}
	}
	return words, nil
}

// reachable turns an address to listen on into one to call on this machine.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return defaultURL
	}
	if addr, err := netip.ParseAddr(host); host == "" || (err == nil && addr.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
