package e2e_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rewardflow/rewardflow/internal/encryption"
	"github.com/rewardflow/rewardflow/internal/engine"
	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/postgrestest"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// The personal data that these tests search for. It may stand in the ledger
// and in the answers to operators, and nowhere else.
const (
	promoterEmail = "canary-promoter@example.net"
	leadEmail     = "canary-lead@example.org"
	custID        = "canary-customer"
	// remark is what a person writes beside a decision.
	remark = "canary-remark: no customer"
)

// TestNoSecretIsFoundAnywhere sends events whose every needless value is
// marked, through every path, and then searches all that is kept or told.
func TestNoSecretIsFoundAnywhere(t *testing.T) {
	t.Parallel()

	places, ids := searchAll(t, "", nil)
	requirePresent(t, places, ids[0], promoterEmail, leadEmail, `"reward_id":`+ids[0].String())
	for place, content := range places {
		if strings.HasPrefix(place, "ledger.db") || strings.HasPrefix(place, "GET /api/v1") {
			continue
		}
		for _, personal := range []string{promoterEmail, leadEmail, custID} {
			require.NotContains(t, string(content), personal, "%s holds personal data", place)
		}
	}
}

// TestEncryptedInstallationHoldsNothingInClear does the same with encryption on:
// then the ledger holds no personal data in clear either, and Temporal nothing but
// names.
func TestEncryptedInstallationHoldsNothingInClear(t *testing.T) {
	t.Parallel()

	t.Run("OnFiles", func(t *testing.T) {
		t.Parallel()

		encryptedInstallation(t, nil)
	})
	t.Run("OnPostgreSQL", func(t *testing.T) {
		t.Parallel()

		encryptedInstallation(t, postgrestest.New(t, postgrestest.Options{}))
	})
}

func encryptedInstallation(t *testing.T, server *postgrestest.Server) {
	t.Helper()
	key, text := encryption.NewKey(time.Now())
	places, ids := searchAll(t, fmt.Sprintf(`
encryption:
  keys: [{id: %q, key: %q}]
  ledger: true
  codec_server: {listen: 127.0.0.1:0}
`, key.ID, text), server)
	requirePresent(t, places, ids[0], "rfs1.", "rfs1.", key.ID)
	shown := false
	for place, content := range places {
		require.NotContains(t, string(content), text, "%s holds the key", place)
		if strings.HasPrefix(place, "GET /api/v1") {
			shown = shown || strings.Contains(string(content), remark)
			continue // Operators see what they must.
		}
		for _, personal := range []string{promoterEmail, leadEmail, custID, remark, "canary-"} {
			require.NotContains(t, string(content), personal, "%s holds personal data", place)
		}
		if strings.HasPrefix(place, "history of ") || strings.HasPrefix(place, "temporal.db") {
			require.NotContains(t, string(content), `"reward_id"`, "%s holds a payload in clear", place)
			require.NotContains(t, string(content), "no such customer", "%s holds a reason in clear", place)
		}
	}
	require.True(t, shown, "no operator saw the remark: its absence elsewhere shows nothing")
}

// searchAll plays every path, and returns everything that is kept or told, by its
// place, after it has looked for secrets. more is YAML for the configuration.
// Everything is kept by a server, or in files where it is nil.
func searchAll(t *testing.T, more string, server *postgrestest.Server) (map[string][]byte, []reward.ID) {
	t.Helper()
	people := newCollector(t)
	spans := newCollector(t)
	database, temporal := "", ""
	if server != nil {
		database, temporal = server.Database(t), server.URL("temporal")
	}
	w := newWorld(t, settings{
		Database: database,
		Policy:   "  - {when: 'unit == \"credits\"', then: ask}\n  - {when: 'unit == \"points\"', then: refuse}\n  - {then: pay}",
		More: operators(map[string]string{"alice": "approver, operator"}) + `
notifications:
  - {events: [lead_signup, promoter_accepted, promoter_signed_up, reward_created, reward_fulfilled, reward_attention, reward_quarantined, reward_awaiting_approval], channel: {type: log}}
  - events: [lead_signup, reward_attention]
    channel: {type: webhook, url: "` + people.URL + `/CANARY-channel", secret: CANARY-secret-of-the-channel-0123456789, allow_private_networks: true}
` + more,
	})
	w.start(spec{Debug: true, Engine: temporal},
		"OTEL_EXPORTER_OTLP_ENDPOINT="+spans.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_BSP_SCHEDULE_DELAY=100",
		"OTEL_EXPORTER_OTLP_COMPRESSION=none")
	ids := w.everyPath()
	eventually(t, soon, func() (string, bool) {
		return "the channel was not told everything", strings.Count(people.String(), leadEmail) > 0 && strings.Count(people.String(), "reward_attention") > 0
	})

	places := map[string][]byte{}
	w.searchTheSurface(places, ids)
	w.searchHistories(places, ids)
	w.process.stop(t)
	places["log"] = []byte(w.process.log.String())
	places["spans"] = []byte(spans.String())
	if server == nil {
		dump(t, places, "ledger.db", openReadOnly(t, w.ledgerFile()))
		dump(t, places, "temporal.db", openReadOnly(t, filepath.Join(w.dataDir(), "temporal", "temporal.db")))
	} else {
		dump(t, places, "ledger.db", openPostgres(t, database))
		dump(t, places, "temporal.db", openPostgres(t, temporal))
		dump(t, places, "temporal.db", openPostgres(t, server.URL("temporal_visibility")))
	}
	searchFiles(t, places, w.dataDir())

	for place, content := range places {
		for _, secret := range []string{
			simulator.Canary, webhookSecret, apiKey, providerSecret, token("alice"),
		} {
			require.NotContains(t, string(content), secret, "%s holds a secret", place)
		}
	}
	return places, ids
}

// requirePresent shows that the search would find: each place holds what it must,
// the ledger's rewards and events and a history among them.
func requirePresent(t *testing.T, places map[string][]byte, id reward.ID, rewards, events, history string) {
	t.Helper()
	for place, word := range map[string]string{
		"log": "payout.attempted", "spans": "POST /webhooks/firstpromoter/*secret", "GET /metrics": "rewardflow_",
		"GET /api/v1/rewards": promoterEmail, "history of " + workflows.FulfilmentID(id): history,
		"ledger.db rewards": rewards, "ledger.db inbox": events, "temporal.db": workflows.FulfilmentID(id),
	} {
		require.Contains(t, string(places[place]), word, place)
	}
}

// everyPath sends one reward on each path, and every other event.
func (w *world) everyPath() []reward.ID {
	w.t.Helper()
	alice := token("alice")
	w.provider.Script(sandbox.RewardID(2_900_002), sandbox.Refuse("no such customer").Always())
	w.provider.Script(sandbox.RewardID(2_900_003), sandbox.LoseAnswer())
	someone := reward.Promoter{Email: promoterEmail, CustID: custID}
	owe := func(amount int64, unit reward.Unit) reward.ID {
		return w.send(simulator.Spec{Amount: amount, Unit: unit, Promoter: someone})
	}
	paid, refused, lost := owe(1, reward.FreeMonths), owe(2, reward.FreeMonths), owe(3, reward.FreeMonths)
	asked, rejected := owe(4, reward.Credits), owe(5, reward.Points)
	forged, err := w.fp.FireForged(w.t.Context(), simulator.Forgery{Spec: simulator.Spec{Amount: 6, Promoter: someone}})
	require.NoError(w.t, err)
	for _, kind := range []string{
		"lead_signup", "lead_becomes_referral", "lead_cancelled", "lead_subscribed", "promoter_accepted",
		"promoter_signed_up", "promoter_signs_up", "reward_created", "something_new",
	} {
		_, err := w.fp.Fire(w.t.Context(), simulator.Occasion{Type: kind, Promoter: someone, LeadEmail: leadEmail})
		require.NoError(w.t, err)
	}
	w.await(soon, paid, reward.Fulfilled, alice)
	w.await(soon, lost, reward.Fulfilled, alice)
	w.await(soon, rejected, reward.Rejected, alice)
	w.await(soon, forged.Reward, reward.Quarantined, alice)
	w.await(soon, refused, reward.Attention, alice)
	w.resolve(refused, alice, map[string]any{"action": "abandon", "comment": remark})
	w.await(soon, asked, reward.AwaitingApproval, alice)
	require.Equal(w.t, http.StatusOK, w.decide(asked, reward.Approve, alice).status)
	w.await(soon, asked, reward.Fulfilled, alice)
	w.requireOnce(paid, lost, asked)
	return []reward.ID{paid, refused, lost, asked, rejected, forged.Reward}
}

// searchTheSurface adds what the HTTP surface tells, errors included.
func (w *world) searchTheSurface(places map[string][]byte, ids []reward.ID) {
	w.t.Helper()
	paths := []string{
		"/", "/metrics", "/livez", "/readyz", "/api/v1/openapi.json", "/api/v1/rewards", "/api/v1/approvals", "/api/v1/brake",
		"/api/v1/summary", "/api/v1/events", "/api/v1/events/1", "/api/v1/rewards?status=wrong", "/api/v1/rewards/1", "/nothing",
	}
	for _, id := range ids {
		paths = append(paths, rewardPath(id))
	}
	for _, path := range paths {
		a, err := w.ask(http.MethodGet, path, token("alice"), nil)
		require.NoError(w.t, err)
		places["GET "+path] = a.body
	}
	for _, body := range []string{"not JSON", `{"event":{}}`, `{"event":{"id":1,"type":"fulfilment_pending"},"data":{"note":"CANARY"}}`} {
		require.Equal(w.t, http.StatusBadRequest, w.deliver([]byte(body)))
	}
	a, err := w.ask(http.MethodPost, "/webhooks/firstpromoter/"+webhookSecret[1:], "", map[string]any{"note": "CANARY"})
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusUnauthorized, a.status)
	places["POST with a wrong secret"] = a.body
}

// searchHistories adds the history of every workflow, in the form of the wire,
// where no payload is encoded once more. Each reward has one that is listed.
func (w *world) searchHistories(places map[string][]byte, rewards []reward.ID) {
	w.t.Helper()
	c := w.client()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	eventually(w.t, soon, func() (string, bool) {
		listed, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: engine.DefaultNamespace, Query: "WorkflowType = '" + workflows.FulfilmentType + "'",
		})
		require.NoError(w.t, err)
		return fmt.Sprintf("%d fulfilments are listed, of %d rewards", listed.GetCount(), len(rewards)), int(listed.GetCount()) >= len(rewards)
	})
	var next []byte
	for {
		page, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: engine.DefaultNamespace, NextPageToken: next})
		require.NoError(w.t, err)
		for _, found := range page.GetExecutions() {
			run := found.GetExecution()
			history := &historypb.History{}
			events := c.GetWorkflowHistory(ctx, run.GetWorkflowId(), run.GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			for events.HasNext() {
				event, err := events.Next()
				require.NoError(w.t, err)
				history.Events = append(history.Events, event)
			}
			wire, err := proto.Marshal(history)
			require.NoError(w.t, err)
			listed, err := proto.Marshal(found)
			require.NoError(w.t, err)
			places["history of "+run.GetWorkflowId()] = append(wire, listed...)
		}
		if next = page.GetNextPageToken(); len(next) == 0 {
			return
		}
	}
}

// searchFiles adds the bytes of every file: what a database has deleted may
// still stand there.
func searchFiles(t *testing.T, places map[string][]byte, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		places[entry.Name()+" as a file"] = content
		return err
	}))
}

func openPostgres(t *testing.T, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// dump adds every table of a database that no process uses any more.
func dump(t *testing.T, places map[string][]byte, name string, db *sql.DB) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT name, name FROM sqlite_schema WHERE type = 'table'`)
	if err != nil {
		rows, err = db.QueryContext(t.Context(), `SELECT schemaname || '"."' || tablename, tablename FROM pg_tables
			WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	}
	require.NoError(t, err)
	tables := map[string]string{}
	for rows.Next() {
		var quoted, table string
		require.NoError(t, rows.Scan(&quoted, &table))
		tables[quoted] = table
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	require.NotEmpty(t, tables)
	for quoted, table := range tables {
		content := dumpTable(t, db, quoted)
		places[name+" "+table] = content
		places[name] = append(places[name], content...)
	}
}

func dumpTable(t *testing.T, db *sql.DB, table string) []byte {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT * FROM "`+table+`"`)
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var out bytes.Buffer
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		require.NoError(t, rows.Scan(into...))
		for _, value := range values {
			if raw, ok := value.([]byte); ok {
				out.Write(raw)
			} else {
				fmt.Fprint(&out, value)
			}
			out.WriteByte('\n')
		}
	}
	require.NoError(t, rows.Err())
	return out.Bytes()
}

// collector keeps the body of everything that is sent to it.
type collector struct {
	*httptest.Server
	tail
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = c.Write(body)
	}))
	t.Cleanup(c.Close)
	return c
}

// TestWithoutItsKeyAnInstallationWaits takes the key away while a reward waits for
// people: nothing is paid, the log says which key is missing, and what people said
// meanwhile counts once the key is back.
func TestWithoutItsKeyAnInstallationWaits(t *testing.T) {
	t.Parallel()

	key, text := encryption.NewKey(time.Now())
	open := operators(map[string]string{"alice": "approver, operator"})
	keyed := open + fmt.Sprintf("\nencryption:\n  keys: [{id: %q, key: %q}]\n", key.ID, text)
	w := newWorld(t, settings{Policy: "  - {when: 'unit == \"credits\"', then: ask}\n  - {then: pay}", More: keyed})
	w.start(spec{})
	id := w.send(simulator.Spec{Amount: 900, Unit: reward.Credits})
	w.await(soon, id, reward.AwaitingApproval, token("alice"))
	w.process.stop(t)

	w.set.More = open
	w.configure()
	w.start(spec{})
	require.Equal(t, http.StatusOK, w.decide(id, reward.Approve, token("alice")).status)
	eventually(t, soon, func() (string, bool) {
		return "the log does not name the key", strings.Contains(w.process.log.String(), key.ID)
	})
	fresh := w.send(months())
	w.await(soon, fresh, reward.Fulfilled, token("alice"))
	require.Equal(t, reward.AwaitingApproval, w.reward(id, token("alice")).Status)
	about, err := w.client().DescribeWorkflowExecution(t.Context(), workflows.FulfilmentID(id), "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, about.GetWorkflowExecutionInfo().GetStatus())
	w.process.stop(t)

	w.set.More = keyed
	w.configure()
	w.start(spec{})
	w.await(time.Minute, id, reward.Fulfilled, token("alice"))
	w.process.stop(t)
	w.requireOnce(id, fresh)
}
