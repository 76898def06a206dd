package telemetry_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/util/teststorage"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/deploy/telemetry"
)

func TestDashboardsAreComplete(t *testing.T) {
	t.Parallel()

	dashboards, err := telemetry.Dashboards("../grafana/dashboards")
	require.NoError(t, err)
	uids := map[string]bool{}
	for _, d := range dashboards {
		require.False(t, uids[d.UID], d.UID)
		uids[d.UID] = true
		require.GreaterOrEqual(t, d.SchemaVersion, 42, d.Title)
		require.Len(t, d.Templating.List, 1, d.Title)
		require.Equal(t, "datasource", d.Templating.List[0].Name)
		require.Equal(t, "prometheus", d.Templating.List[0].Query)
		ids := map[int]bool{}
		for _, p := range d.Panels {
			require.False(t, ids[p.ID], "%s: two panels have the ID %d", d.Title, p.ID)
			ids[p.ID] = true
			if p.Type == "row" {
				continue
			}
			require.NotEmpty(t, p.Description, p.Title)
			require.NotEmpty(t, p.FieldConfig.Defaults.Unit, p.Title)
			require.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
			require.NotEmpty(t, p.Targets, p.Title)
		}
	}
	require.Len(t, uids, 3)
}

// TestEveryQueryReturnsData starts the demo, scrapes it while rewards move, and
// asks what every panel asks.
func TestEveryQueryReturnsData(t *testing.T) {
	t.Parallel()

	s := startDemo(t)
	scrapes := s.play(t)
	names := namesOf(scrapes[len(scrapes)-1])
	storage, end := load(t, scrapes)
	engine := promqltest.NewTestEngineWithOpts(t, promql.EngineOpts{
		MaxSamples: 1_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
	})
	ask := func(expr string) (promql.Vector, error) {
		query, err := engine.NewInstantQuery(t.Context(), storage, nil, expr, end)
		if err != nil {
			return nil, err
		}
		defer query.Close()
		return query.Exec(t.Context()).Vector()
	}

	dashboards, err := telemetry.Dashboards("../grafana/dashboards")
	require.NoError(t, err)
	for _, d := range dashboards {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				expr := telemetry.Query(target.Expr)
				requireKnown(t, names, expr)
				answer, err := ask(expr)
				require.NoError(t, err, expr)
				if !slices.ContainsFunc(answer, func(s promql.Sample) bool { return !math.IsNaN(s.F) }) {
					t.Errorf("%s: %s: %s returns no data: %v", d.Title, p.Title, expr, answer)
				}
			}
		}
	}
	for _, r := range readRules(t) {
		requireKnown(t, names, r.Expr)
		_, err := ask(r.Expr)
		require.NoError(t, err, r.Alert)
	}
	requireDocumented(t, scrapes[len(scrapes)-1])
}

func requireKnown(t *testing.T, names map[string]bool, expr string) {
	t.Helper()
	metrics, err := telemetry.Metrics(expr)
	require.NoError(t, err)
	require.NotEmpty(t, metrics, expr)
	for _, name := range metrics {
		if !names[name] {
			t.Errorf("%s is in no scrape: %s", name, expr)
		}
	}
}

// requireDocumented compares the metrics of the scrape with those of the page, in
// both directions.
func requireDocumented(t *testing.T, scrape string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/telemetry.md"))
	require.NoError(t, err)
	documented := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(rewardflow_[a-z_]+)[^`]*` \\| (\\w+) \\|").FindAllStringSubmatch(string(page), -1) {
		documented[m[1]] = m[2]
	}
	served := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (rewardflow_\w+) (\w+)$`).FindAllStringSubmatch(scrape, -1) {
		served[m[1]] = m[2]
	}
	require.Equal(t, served, documented, "docs/telemetry.md lists what is served")
}

// demo is the demo as a process.
type demo struct {
	url string
	log *log
}

type log struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *log) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.WriteString(line + "\n")
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func startDemo(t *testing.T) demo {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "standalone")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", root, "-o", binary, "./cmd/standalone")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))

	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	cmd := exec.CommandContext(ctx, binary, "demo", "--rewards", "24", "--data-dir", t.TempDir(),
		"--listen", "127.0.0.1:0", "--temporal-port", "0", "--ui-port", "0")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "OTEL_") || strings.HasPrefix(v, "REWARDFLOW_") })
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		cancel()
	})
	d := demo{log: &log{}}
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			d.log.add(lines.Text())
			if _, after, ok := strings.Cut(lines.Text(), "operator API"); ok {
				found <- strings.TrimSuffix(strings.TrimSpace(after), "/api/v1/rewards")
			}
		}
	}()
	select {
	case d.url = <-found:
	case <-ctx.Done():
		require.FailNow(t, "the demo does not listen", d.log.String())
	}
	return d
}

// play lets people decide, half of them after the other half, and scrapes in
// between.
func (d demo) play(t *testing.T) []string {
	t.Helper()
	scrapes := []string{d.get(t, "/metrics")}
	waiting := func() []map[string]any {
		var page struct{ Approvals []map[string]any }
		require.NoError(t, json.Unmarshal([]byte(d.get(t, "/api/v1/approvals")), &page))
		// Some rewards ask for two people, and the demo has one.
		return slices.DeleteFunc(page.Approvals, func(w map[string]any) bool { return w["needed"] != 1. })
	}
	decided := 0
	for range 2 {
		d.await(t, "an approval to be asked for", func() bool { return len(waiting()) > 0 })
		scrapes = append(scrapes, d.get(t, "/metrics"))
		before := sum(d.get(t, "/metrics"), "rewardflow_payouts_paid_total")
		d.decide(t, waiting()[0])
		d.await(t, "what was approved to be paid", func() bool {
			return sum(d.get(t, "/metrics"), "rewardflow_payouts_paid_total") > before &&
				sum(d.get(t, "/metrics"), "temporal_activity_execution_latency_seconds_count") > float64(decided)
		})
		decided++
		scrapes = append(scrapes, d.get(t, "/metrics"))
	}
	return append(scrapes, d.get(t, "/metrics"))
}

func (d demo) decide(t *testing.T, waits map[string]any) {
	t.Helper()
	id := fmt.Sprintf("%.0f", waits["id"])
	body, err := json.Marshal(map[string]any{"decision": "approve", "digest": waits["digest"]})
	require.NoError(t, err)
	d.do(t, http.MethodPost, "/api/v1/rewards/"+id+"/decision", body)
}

func (d demo) get(t *testing.T, path string) string {
	t.Helper()
	return d.do(t, http.MethodGet, path, nil)
}

func (d demo) do(t *testing.T, method, path string, body []byte) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.url+path, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", path, answer)
	return string(answer)
}

func (d demo) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		require.True(t, time.Now().Before(deadline), "waiting for %s\n%s", what, d.log)
		<-tick.C
	}
}

// sample is one line of a scrape.
type sample struct {
	labels labels.Labels
	value  float64
}

func samplesOf(scrape string) ([]sample, error) {
	p := parser.NewParser(parser.Options{})
	var samples []sample
	for line := range strings.Lines(scrape) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		metric, err := p.ParseMetric(line[:at])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, err
		}
		samples = append(samples, sample{metric, value})
	}
	return samples, nil
}

func namesOf(scrape string) map[string]bool {
	names := map[string]bool{}
	samples, _ := samplesOf(scrape)
	for _, s := range samples {
		names[s.labels.Get(labels.MetricName)] = true
	}
	return names
}

func sum(scrape, name string) float64 {
	total := 0.0
	samples, _ := samplesOf(scrape)
	for _, s := range samples {
		if s.labels.Get(labels.MetricName) == name {
			total += s.value
		}
	}
	return total
}

// scrapeEvery is how far apart the scrapes are for Prometheus. What they show was
// waited for, and took as long as it took.
const scrapeEvery = 10 * time.Second

// load puts scrapes into a storage, and returns the time of the last one.
func load(t *testing.T, scrapes []string) (*teststorage.TestStorage, time.Time) {
	t.Helper()
	storage := teststorage.New(t)
	at := time.Unix(1_800_000_000, 0)
	for _, scrape := range scrapes {
		at = at.Add(scrapeEvery)
		samples, err := samplesOf(scrape)
		require.NoError(t, err)
		require.NotEmpty(t, samples)
		appender := storage.Appender(t.Context())
		for _, s := range samples {
			b := labels.NewBuilder(s.labels).Set("instance", "demo").Set("job", "rewardflow")
			_, err := appender.Append(0, b.Labels(), at.UnixMilli(), s.value)
			require.NoError(t, err)
		}
		require.NoError(t, appender.Commit())
	}
	return storage, at
}
