package engine_test

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/goleak"

	"github.com/rewardflow/rewardflow/internal/engine"
)

var (
	rewardStatus = temporal.NewSearchAttributeKeyKeyword("RewardStatus")
	rewardUnit   = temporal.NewSearchAttributeKeyKeyword("RewardUnit")
)

// TestEngineOutlivesAProcess follows one database through a start that was cut
// off, a process that is killed, and a process that goes on. Its parts share
// the starts, because each costs half a second. It does not run beside others,
// because it looks at the goroutines and sockets of the whole process.
func TestEngineOutlivesAProcess(t *testing.T) {
	dir := t.TempDir()
	leaveUnfinished(t, dir)

	first := startChild(t, childPlace{Dir: dir})
	_, err := engine.Start(t.Context(), engine.Options{Dir: dir})
	locked, ok := errors.AsType[*engine.LockedError](err)
	require.True(t, ok, "got %v", err)
	require.Equal(t, dir, locked.Dir)
	first.kill(t)
	// What an earlier release left.
	atDatabase(t, dir, func(db *sql.DB) {
		_, err := db.ExecContext(t.Context(), `CREATE INDEX "by ""task queue""" ON executions_visibility (namespace_id, task_queue)`)
		require.NoError(t, err)
	})

	before := goleak.IgnoreCurrent()
	// The child had one search attribute less, and a retention of a day.
	e, err := engine.Start(t.Context(), engine.Options{
		Dir:              dir,
		SearchAttributes: []temporal.SearchAttributeKey{rewardStatus, rewardUnit},
		NoScavengers:     true,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop()) })

	c := dial(t, e)
	requireOpenWorkflow(t, c)
	requireListed(t, c, "RewardStatus = 'held'")
	requireListed(t, c, "RewardStatus = 'held' AND RewardUnit IS NULL")
	requireListed(t, c, "RewardStatus = 'held' AND ParentWorkflowId IS NULL AND HistoryLength IS NULL") // Without an index.
	requireRetention(t, c, e.Namespace(), 30*24*time.Hour)
	requireLoopbackOnly(t)
	requireAnswers(t, e.UIURL()+"/healthz")
	requireAnswers(t, e.UIURL()+"/")
	requireAnswers(t, e.UIURL()+"/api/v1/namespaces/default/workflows")
	requireAnswers(t, e.MetricsURL())
	c.Close()

	require.NoError(t, e.Stop())
	require.NoError(t, e.Stop(), "a second stop does nothing")
	requireNothingListens(t, e)
	requireIndexes(t, dir)
	left := []goleak.Option{
		before,
		// The server never closes the connections between its services, the
		// UI's neither, nor the database.
		goleak.IgnoreAnyFunction("google.golang.org/grpc/internal/grpcsync.(*CallbackSerializer).run"),
		goleak.IgnoreAnyFunction("google.golang.org/grpc.(*addrConn).resetTransportAndUnlock"),
		goleak.IgnoreAnyFunction("database/sql.(*DB).connectionOpener"),
	}
	require.Eventually(t, func() bool { return goleak.Find(left...) == nil }, 30*time.Second, time.Second)
}

// atDatabase opens the server's file while no server runs.
func atDatabase(t *testing.T, dir string, do func(db *sql.DB)) {
	t.Helper()

	db, err := sql.Open("sqlite", filepath.Join(dir, "temporal.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	do(db)
}

// requireIndexes finds that a workflow is written to the kept indexes, of which
// each is there, and to no other.
func requireIndexes(t *testing.T, dir string) {
	t.Helper()

	atDatabase(t, dir, func(db *sql.DB) {
		rows, err := db.QueryContext(t.Context(), `SELECT name FROM pragma_index_list('executions_visibility') WHERE origin = 'c'`)
		require.NoError(t, err)
		defer rows.Close()
		var found []string
		for rows.Next() {
			var name string
			require.NoError(t, rows.Scan(&name))
			found = append(found, name)
		}
		require.NoError(t, rows.Err())
		require.ElementsMatch(t, engine.KeptIndexes, found)
	})
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()

	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	port := taken.Addr().(*net.TCPAddr).Port

	for name, tc := range map[string]struct {
		options engine.Options
		prepare func(t *testing.T, dir string)
		want    string
	}{
		"ATakenGRPCPort": {
			options: engine.Options{GRPCPort: port},
			want:    fmt.Sprintf("port %d on 127.0.0.1 is taken: choose another with --temporal-port", port),
		},
		"ATakenUIPort": {
			options: engine.Options{UIPort: port},
			want:    fmt.Sprintf("port %d on 127.0.0.1 is taken: choose another with --ui-port", port),
		},
		"ATakenMetricsPort": {
			options: engine.Options{MetricsPort: port},
			want:    fmt.Sprintf("port %d on 127.0.0.1 is taken: choose another", port),
		},
		"NoGRPCPort": {
			options: engine.Options{GRPCPort: engine.NoPort},
			want:    "cannot run without its gRPC port",
		},
		"AnotherVersionsDatabase": {
			prepare: func(t *testing.T, dir string) {
				writeFile(t, dir, "temporal.db", "")
				writeFile(t, dir, "schema.json", `{"server":"1.24.2","schema":"0.5","visibility":"0.1","complete":true}`)
			},
			want: "temporal.db was written by Temporal server 1.24.2, and this is 1.32.1",
		},
		"ADatabaseWithoutItsMarker": {
			prepare: func(t *testing.T, dir string) { writeFile(t, dir, "temporal.db", "") },
			want:    "unfinished rewards are restarted from the ledger",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			tc.options.Dir = t.TempDir()
			if tc.prepare != nil {
				tc.prepare(t, tc.options.Dir)
			}
			_, err := engine.Start(t.Context(), tc.options)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestStartNamesTheKindOfRefusal(t *testing.T) {
	t.Parallel()

	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	port := taken.Addr().(*net.TCPAddr).Port
	dir := t.TempDir()

	_, err = engine.Start(t.Context(), engine.Options{Dir: dir, UIPort: port})
	portTaken, ok := errors.AsType[*engine.PortTakenError](err)
	require.True(t, ok)
	require.Equal(t, engine.PortTakenError{Port: port, Flag: "--ui-port"}, *portTaken)

	// A start that was refused leaves no lock.
	writeFile(t, dir, "temporal.db", "")
	_, err = engine.Start(t.Context(), engine.Options{Dir: dir})
	schema, ok := errors.AsType[*engine.SchemaError](err)
	require.True(t, ok)
	require.Equal(t, filepath.Join(dir, "temporal.db"), schema.Database)
}

// A copy that was made at a bad moment and put in the database's place may hold
// nothing: the server starts anew, and says what to do where it cannot.
func TestStartOnADatabaseThatLostItsTables(t *testing.T) {
	t.Parallel()

	whole := t.TempDir()
	first, err := engine.Start(t.Context(), engine.Options{Dir: whole, UIPort: engine.NoPort})
	require.NoError(t, err)
	require.NoError(t, first.Stop())
	marker, err := os.ReadFile(filepath.Join(whole, "schema.json"))
	require.NoError(t, err)
	with := func(database string) engine.Options {
		dir := t.TempDir()
		writeFile(t, dir, "schema.json", string(marker))
		writeFile(t, dir, "temporal.db", database)
		return engine.Options{Dir: dir, UIPort: engine.NoPort}
	}

	again, err := engine.Start(t.Context(), with(""))
	require.NoError(t, err)
	c := dial(t, again)
	requireRetention(t, c, again.Namespace(), 30*24*time.Hour)
	c.Close()
	require.NoError(t, again.Stop())

	_, err = engine.Start(t.Context(), with(strings.Repeat("no database ", 1000)))
	require.ErrorContains(t, err, "delete it (with its -wal and -shm) and start again; nothing is lost")
}

// leaveUnfinished makes a directory look as if a first start was killed while
// it created the tables.
func leaveUnfinished(t *testing.T, dir string) {
	t.Helper()
	writeFile(t, dir, "temporal.db", "half a database")
	writeFile(t, dir, "schema.json", `{"server":"1.32.1","schema":"0.11","visibility":"0.1","complete":false}`)
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
}

func dial(t *testing.T, e *engine.Engine) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), clientOptions(e))
	require.NoError(t, err)
	return c
}

func clientOptions(e *engine.Engine) client.Options {
	return client.Options{
		HostPort:  e.Address(),
		Namespace: e.Namespace(),
		Logger:    sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	}
}

func requireOpenWorkflow(t *testing.T, c client.Client) {
	t.Helper()
	found, err := c.DescribeWorkflowExecution(t.Context(), childWorkflow, "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, found.GetWorkflowExecutionInfo().GetStatus())
}

func requireListed(t *testing.T, c client.Client, query string) {
	t.Helper()
	require.Eventually(t, func() bool {
		list, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: query})
		return err == nil && len(list.GetExecutions()) == 1
	}, time.Minute, 10*time.Millisecond, query)
}

func requireRetention(t *testing.T, c client.Client, namespace string, want time.Duration) {
	t.Helper()
	found, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	require.NoError(t, err)
	require.Equal(t, want, found.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration())
}

func requireAnswers(t *testing.T, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode, url)
}

func requireNothingListens(t *testing.T, e *engine.Engine) {
	t.Helper()
	for _, address := range []string{e.Address(), e.UIURL()[len("http://"):]} {
		conn, err := net.Dial("tcp4", address)
		if err == nil {
			_ = conn.Close()
		}
		require.Error(t, err, "%s is still open", address)
	}
}
