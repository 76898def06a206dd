package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/telemetry"
	"github.com/rewardflow/rewardflow/internal/telemetry/otlpdouble"
	"github.com/rewardflow/rewardflow/workflows"
)

// TestOneTraceAcrossARestart kills the process while a reward waits for a person
// and holds the exported trace against what became of the reward.
func TestOneTraceAcrossARestart(t *testing.T) {
	t.Parallel()

	w := newWorld(t, settings{Policy: "  - {then: ask}", More: operators(map[string]string{"alice": "approver"})})
	spans := newTraces(t)
	environ := spans.environ(spans.GRPC(), "grpc")
	w.start(spec{JSONLog: true}, environ...)
	someone := reward.Promoter{Email: promoterEmail, CustID: custID}
	id := w.send(simulator.Spec{Amount: 3, Unit: reward.FreeMonths, Promoter: someone})
	w.await(soon, id, reward.AwaitingApproval, token("alice"))
	spans.await("RunActivity:Pay", id)
	spans.await("inbox.dispatch", id)
	w.awaitRest(id)
	before := w.process
	before.kill()

	// The second life speaks the other protocol: which one is the environment's choice.
	w.start(spec{JSONLog: true}, spans.environ(spans.HTTP(), "http/protobuf")...)
	require.Equal(t, http.StatusOK, w.decide(id, reward.Approve, token("alice")).status)
	w.await(soon, id, reward.Fulfilled, token("alice"))
	w.process.stop(t)
	w.requireOnce(id)

	all := spans.read()
	var root *otlpdouble.Span
	for i := range all {
		if all[i].Name == "inbox.accept" && all[i].Attributes[telemetry.AttrRewardID] == id.String() {
			root = &all[i]
		}
	}
	require.NotNil(t, root, "the commit of the event")
	trace := inTrace(all, root.TraceID)
	t.Log(draw(trace))
	requireWholeTrace(t, trace, "POST /webhooks/firstpromoter/*secret")

	run := []string{"POST /webhooks/firstpromoter/*secret", "inbox.accept", "inbox.dispatch", "StartWorkflow:Fulfilment", "RunWorkflow:Fulfilment"}
	pay := append(slices.Clone(run), "StartActivity:Pay", "RunActivity:Pay")
	for _, path := range [][]string{
		append(slices.Clone(pay), "firstpromoter.read", "GET"),
		append(slices.Clone(pay), "payout.send", "POST"),
		append(slices.Clone(pay), "firstpromoter.complete", "PUT"),
		append(slices.Clone(run), "Heard:decide"),
	} {
		require.Contains(t, pathsOf(trace), strings.Join(path, " > "))
	}
	require.Len(t, named(trace, "RunWorkflow:Fulfilment"), 1, "a replay sends nothing again")
	require.Len(t, named(trace, "StartActivity:Pay"), 2, "before the kill and after the decision")
	requireDecisionIsLinked(t, all, trace)

	content, err := os.ReadFile(filepath.Join(spans.dir, otlpdouble.TracesFile))
	require.NoError(t, err)
	for _, word := range []string{promoterEmail, custID, webhookSecret, apiKey, providerSecret, token("alice"), simulator.Canary} {
		require.NotContains(t, string(content), word)
	}
	requireLinesNameTheReward(t, before.log.String()+w.process.log.String(), id, root.TraceID)
}

// awaitRest waits until the workflow's first task has ended. A worker that dies
// within it has the task, and its spans, done again by another.
func (w *world) awaitRest(id reward.ID) {
	w.t.Helper()
	c := w.client()
	eventually(w.t, soon, func() (string, bool) {
		events := c.GetWorkflowHistory(w.t.Context(), workflows.FulfilmentID(id), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			require.NoError(w.t, err)
			if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
				return "", true
			}
		}
		return "the first task has not ended", false
	})
}

// requireDecisionIsLinked holds that whoever opens the request that decided
// finds the reward, and the other way round.
func requireDecisionIsLinked(t *testing.T, all, trace []otlpdouble.Span) {
	t.Helper()
	handled := named(all, "HandleUpdate:decide")
	require.Len(t, handled, 1)
	decision := inTrace(all, handled[0].TraceID)
	require.NotEqual(t, trace[0].TraceID, handled[0].TraceID, "a request is a trace of its own")
	requireWholeTrace(t, decision, "POST /api/v1/rewards/:id/decision")
	require.Contains(t, pathsOf(decision), "POST /api/v1/rewards/:id/decision > UpdateWorkflow:decide > HandleUpdate:decide")

	run := named(trace, "RunWorkflow:Fulfilment")[0]
	require.Contains(t, handled[0].Links, otlpdouble.Link{TraceID: run.TraceID, SpanID: run.SpanID})
	heard := named(trace, "Heard:decide")[0]
	require.Contains(t, heard.Links, otlpdouble.Link{TraceID: handled[0].TraceID, SpanID: handled[0].SpanID})
}

// requireWholeTrace holds that a trace has one root, that no parent is missing,
// and that no span was sent twice.
func requireWholeTrace(t *testing.T, trace []otlpdouble.Span, root string) {
	t.Helper()
	known := map[string]bool{}
	for _, s := range trace {
		require.False(t, known[s.SpanID], "%s was sent twice", s.Name)
		known[s.SpanID] = true
		require.False(t, s.End.Before(s.Start), s.Name)
	}
	for _, s := range trace {
		if s.ParentID == "" {
			require.Equal(t, root, s.Name, "there is one root")
			continue
		}
		require.True(t, known[s.ParentID], "the parent of %s is missing", s.Name)
	}
}

// requireLinesNameTheReward holds that every line about a reward has its ID, the
// workflow's, and the IDs of a trace, and that the reward's own trace is found.
func requireLinesNameTheReward(t *testing.T, log string, id reward.ID, traceID string) {
	t.Helper()
	seen := map[string]bool{}
	for line := range strings.Lines(log) {
		if !strings.Contains(line, id.String()) || strings.Contains(line, `"component":"temporal"`) {
			continue // The embedded server's lines are those of another program.
		}
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		message := fmt.Sprint(entry["msg"])
		require.EqualValues(t, id, entry["reward_id"], line)
		require.Equal(t, workflows.FulfilmentID(id), entry["workflow_id"], line)
		require.NotEmpty(t, entry["trace_id"], line)
		if entry["trace_id"] == traceID {
			seen[message] = true
		}
	}
	for _, message := range []string{"request.answered", "event.accepted", "payout.attempted", "reward.close_called"} {
		require.Contains(t, seen, message, "in the reward's own trace")
	}
}

// TestNoExporterUnlessAsked runs a reward through a process whose environment
// names a collector and no exporter of traces, and one that names nothing.
func TestNoExporterUnlessAsked(t *testing.T) {
	t.Parallel()

	for name, environ := range map[string]func(c *otlpdouble.Collector) []string{
		"Nothing": func(*otlpdouble.Collector) []string { return nil },
		"None": func(c *otlpdouble.Collector) []string {
			return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.HTTP(), "OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none"}
		},
		"Disabled": func(c *otlpdouble.Collector) []string {
			return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.HTTP(), "OTEL_SDK_DISABLED=true"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			spans := newTraces(t)
			w := newWorld(t, settings{})
			w.start(spec{Debug: true}, environ(spans.Collector)...)
			w.await(soon, w.send(months()), reward.Fulfilled, "")
			w.process.stop(t)
			require.Zero(t, spans.Connections())
			require.Zero(t, spans.Requests())
			for _, word := range []string{"export", "OTEL", "otlp"} {
				require.NotContains(t, w.process.log.String(), word)
			}
			// The exporters' own ports. Their digits alone are in one of some hundred random IDs.
			require.NotRegexp(t, `:431[78]\b`, w.process.log.String())
		})
	}
}

// traces is a collector and the directory of its file.
type traces struct {
	*otlpdouble.Collector

	t   *testing.T
	dir string
}

func newTraces(t *testing.T) traces {
	t.Helper()
	dir := t.TempDir()
	c, err := otlpdouble.Start(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return traces{c, t, dir}
}

// environ points a process at the collector, by OpenTelemetry's own variables.
func (c traces) environ(endpoint, protocol string) []string {
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=" + protocol,
		"OTEL_BSP_SCHEDULE_DELAY=50",
	}
}

func (c traces) read() []otlpdouble.Span {
	c.t.Helper()
	spans, err := c.Spans()
	require.NoError(c.t, err)
	return spans
}

// await waits for the span of a reward to be in the file.
func (c traces) await(name string, id reward.ID) {
	c.t.Helper()
	eventually(c.t, soon, func() (string, bool) {
		spans := c.read()
		return name + " is missing in\n" + draw(spans), slices.ContainsFunc(spans, func(s otlpdouble.Span) bool {
			return s.Name == name && s.Attributes[telemetry.AttrRewardID] == id.String()
		})
	})
}

func inTrace(spans []otlpdouble.Span, id string) []otlpdouble.Span {
	return slices.DeleteFunc(slices.Clone(spans), func(s otlpdouble.Span) bool { return s.TraceID != id })
}

func named(spans []otlpdouble.Span, name string) []otlpdouble.Span {
	return slices.DeleteFunc(slices.Clone(spans), func(s otlpdouble.Span) bool { return s.Name != name })
}

// pathsOf returns, for every span, the names that lead to it from the root.
func pathsOf(trace []otlpdouble.Span) []string {
	by := map[string]otlpdouble.Span{}
	for _, s := range trace {
		by[s.SpanID] = s
	}
	paths := make([]string, 0, len(trace))
	for _, s := range trace {
		path := s.Name
		for at := s; at.ParentID != ""; {
			parent, ok := by[at.ParentID]
			if !ok {
				break
			}
			at, path = parent, parent.Name+" > "+path
		}
		paths = append(paths, path)
	}
	return paths
}

// draw shows spans for whoever reads a failure.
func draw(spans []otlpdouble.Span) string {
	paths := pathsOf(spans)
	slices.Sort(paths)
	return strings.Join(paths, "\n")
}

// TestAWorkerServesItsMetrics starts a worker and an API, and reads from the
// worker what only a worker knows.
func TestAWorkerServesItsMetrics(t *testing.T) {
	t.Parallel()

	w := newWorld(t, settings{More: "metrics_listen: 127.0.0.1:0"})
	api := w.start(spec{NoWorker: true})
	worker := start(t, spec{Config: w.configFile(), Temporal: api.Temporal, NoAPI: true})
	w.await(soon, w.send(months()), reward.Fulfilled, "")

	_, after, found := strings.Cut(worker.log.String(), "msg=metrics.listening url=")
	require.True(t, found, worker.log.last(20))
	url, _, _ := strings.Cut(after, "\n")
	var body string
	eventually(t, soon, func() (string, bool) { // The workflow ends after its reward.
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		resp, err := w.http.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		read, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		body = string(read)
		for _, want := range []string{
			`rewardflow_payouts_paid_total{provider="team",unit="free_months"} 1`, "rewardflow_firstpromoter_requests_left ",
			"temporal_num_pollers{", "temporal_workflow_completed_total{", "go_goroutines ",
		} {
			if !strings.Contains(body, want) {
				return want + " is missing", false
			}
		}
		return "", true
	})
	require.NotContains(t, body, "rewardflow_inbox_depth", "the ledger is told of by the API")
}
