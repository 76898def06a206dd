package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	schematool "go.temporal.io/server/tools/common/schema"
	"go.temporal.io/server/tools/sql"

	"github.com/rewardflow/rewardflow/internal/engine"
	"github.com/rewardflow/rewardflow/internal/postgrestest"
)

// shards are few: each costs a new server some time.
const shards = 4

func onPostgres(database string, attributes ...temporal.SearchAttributeKey) engine.Options {
	return engine.Options{
		Database: database, HistoryShards: shards, UIPort: engine.NoPort, MetricsPort: engine.NoPort,
		SearchAttributes: attributes, NoScavengers: true,
	}
}

// TestPostgresOutlivesAProcess follows one database from nothing through a
// process that is killed, one that goes on, and a restart of PostgreSQL.
func TestPostgresOutlivesAProcess(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{})
	database := server.URL("temporal")
	first := startChild(t, childPlace{Database: database, Shards: shards})
	_, err := engine.Start(t.Context(), onPostgres(database))
	inUse, ok := errors.AsType[*engine.InUseError](err)
	require.True(t, ok, "got %v", err)
	require.Equal(t, "temporal", inUse.Database)
	first.kill(t)

	_, err = engine.Start(t.Context(), engine.Options{Database: database, HistoryShards: 2 * shards, UIPort: engine.NoPort})
	other, ok := errors.AsType[*engine.ShardsError](err)
	require.True(t, ok, "got %v", err)
	require.Equal(t, engine.ShardsError{Database: "temporal", Asked: 2 * shards, Made: shards}, *other)

	// The child had one search attribute less, and a retention of a day.
	e := startOn(t, onPostgres(database, rewardStatus, rewardUnit))
	c := dial(t, e)
	requireOpenWorkflow(t, c)
	requireListed(t, c, "RewardStatus = 'held'")
	requireListed(t, c, "RewardStatus = 'held' AND RewardUnit IS NULL")
	requireRetention(t, c, e.Namespace(), 30*24*time.Hour)

	require.NoError(t, server.Kill())
	require.NoError(t, server.Up(t.Context()))
	requireStarts(t, c, "after-postgresql-came-back")
	looker := connect(t, database)
	require.Eventually(t, func() bool {
		var held int
		err := looker.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted").Scan(&held)
		return err == nil && held == 1
	}, 30*time.Second, 10*time.Millisecond, "the database is held again")
	_, err = engine.Start(t.Context(), onPostgres(database))
	require.ErrorAs(t, err, &inUse)
	select {
	case err := <-e.Failed():
		require.NoError(t, err)
	default:
	}
	c.Close()
	require.NoError(t, e.Stop())

	again := startOn(t, onPostgres(database, rewardStatus, rewardUnit))
	requireOpenWorkflow(t, dial(t, again))
}

// TestPostgresThatSomebodyTakes runs as a user who owns the two databases and
// may do nothing else, and whose password needs quoting. It loses its database to
// another process, as it may while PostgreSQL restarts, and gives up.
func TestPostgresThatSomebodyTakes(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{})
	thief := connect(t, server.URL("postgres"))
	for _, statement := range []string{
		`CREATE ROLE "some body" LOGIN PASSWORD 'pass wo+rd@/:?%'`,
		`CREATE DATABASE temporal OWNER "some body"`, `CREATE DATABASE temporal_visibility OWNER "some body"`,
	} {
		_, err := thief.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	u, err := url.Parse(server.URL("temporal"))
	require.NoError(t, err)
	u.User = url.UserPassword("some body", "pass wo+rd@/:?%")
	e := startOn(t, onPostgres(u.String(), rewardStatus))
	c := dial(t, e)
	requireStarts(t, c, "by-somebody")
	c.Close()

	thief = connect(t, server.URL("temporal"))
	var taken bool
	require.NoError(t, thief.QueryRow(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`).Scan(&taken))
	require.True(t, taken)
	require.Eventually(t, func() bool {
		err := thief.QueryRow(t.Context(), "SELECT pg_try_advisory_lock($1)", int64(engine.LockKey)).Scan(&taken)
		if err == nil && !taken { // The engine was quicker, and took it again.
			_, err = thief.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()`)
		}
		return err == nil && taken
	}, 30*time.Second, time.Millisecond)
	select {
	case err := <-e.Failed():
		require.ErrorContains(t, err, "another process runs its Temporal server on the database temporal")
	case <-time.After(30 * time.Second):
		require.Fail(t, "the engine goes on")
	}
}

func TestPostgresIsUpgraded(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{})
	database := server.URL("temporal")
	for name, version := range map[string]string{"temporal": "1.12", "temporal_visibility": "1.9"} {
		_, err := server.Create(t.Context(), name)
		require.NoError(t, err)
		prepare(t, server, name, version)
	}
	e := startOn(t, onPostgres(database, rewardStatus))
	requireVersion(t, server, "temporal", "1.19")
	requireVersion(t, server, "temporal_visibility", "1.14")
	c := dial(t, e)
	requireStarts(t, c, "on-an-upgraded-database")
	c.Close()
	require.NoError(t, e.Stop())

	// A start that was cut off had made the newest tables and not said so.
	setVersion(t, server, "temporal", "1.18")
	setVersion(t, server, "temporal_visibility", "1.13")
	e = startOn(t, onPostgres(database, rewardStatus))
	requireVersion(t, server, "temporal", "1.19")
	requireVersion(t, server, "temporal_visibility", "1.14")
	require.NoError(t, e.Stop())

	// A newer server was here. Nothing is touched then, not even the other one.
	setVersion(t, server, "temporal", "1.18")
	setVersion(t, server, "temporal_visibility", "1.15")
	_, err := engine.Start(t.Context(), onPostgres(database))
	newer, ok := errors.AsType[*engine.NewerSchemaError](err)
	require.True(t, ok, "got %v", err)
	require.Equal(t, "temporal_visibility", newer.Database)
	require.ErrorContains(t, err, "has version 1.15 of Temporal's schema, and this program (Temporal server 1.32.1) knows it up to 1.14")
	requireVersion(t, server, "temporal", "1.18")
}

func TestPostgresRefuses(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{})
	admin := connect(t, server.URL("postgres"))
	_, err := admin.Exec(t.Context(), "CREATE ROLE guest LOGIN PASSWORD 'gue st@/:?'")
	require.NoError(t, err)
	guest, err := url.Parse(server.URL("elsewhere"))
	require.NoError(t, err)
	guest.User = url.UserPassword("guest", "gue st@/:?")

	cluster := connect(t, server.Database(t))
	_, err = cluster.Exec(t.Context(), `CREATE TABLE cluster_membership (record_expiry timestamp, last_heartbeat timestamp);
		INSERT INTO cluster_membership VALUES (now() AT TIME ZONE 'UTC' + interval '1 day', now() AT TIME ZONE 'UTC')`)
	require.NoError(t, err)

	for name, tc := range map[string]struct {
		database string
		shards   int
		want     string
	}{
		"NoURL":                     {database: "mysql://hush@db/temporal", want: "engine.database is not a URL such as postgres://"},
		"NoName":                    {database: "postgres://me:hush@db", want: "does not end in the name of a database"},
		"AnOddName":                 {database: `postgres://me:hush@db/a"b`, want: "does not end in the name of a database"},
		"AnOddParameter":            {database: "postgres://me:hush@db/temporal?sslmode=hush", want: "engine.database cannot be used"},
		"TooManyShards":             {database: "postgres://me:hush@db/temporal", shards: 10_000, want: "engine.history_shards is 10000: 1 to 4096 are possible"},
		"NobodyThere":               {database: "postgres://me:hush@127.0.0.1:1/temporal", want: "connecting to the database temporal"},
		"ADatabaseThatCannotBeMade": {database: guest.String(), want: "as somebody who may: CREATE DATABASE elsewhere OWNER guest"},
		"ADatabaseOfACluster":       {database: cluster.Config().ConnString(), want: "a Temporal cluster runs on the database"},
	} {
		t.Run(name, func(t *testing.T) {
			o := onPostgres(tc.database)
			o.HistoryShards = max(tc.shards, shards)
			_, err := engine.Start(t.Context(), o)
			require.ErrorContains(t, err, tc.want)
			for _, secret := range []string{"hush", "gue st", "gue%20st", cluster.Config().Password} {
				require.NotContains(t, err.Error(), secret)
			}
		})
	}
}

func startOn(t *testing.T, o engine.Options) *engine.Engine {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	e, err := engine.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop()) })
	return e
}

// requireStarts starts a workflow, and goes on trying for as long as PostgreSQL
// may need.
func requireStarts(t *testing.T, c client.Client, id string) {
	t.Helper()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: "nobody-polls"}, "Fulfilment")
		return err == nil || temporal.IsWorkflowExecutionAlreadyStartedError(err)
	}, time.Minute, 100*time.Millisecond)
}

func connect(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// prepare gives a database the schema that an older server left there.
func prepare(t *testing.T, server *postgrestest.Server, name, version string) {
	t.Helper()
	u, err := url.Parse(server.URL(name))
	require.NoError(t, err)
	password, _ := u.User.Password()
	db, err := sql.NewConnection(&config.SQL{
		PluginName: postgresql.PluginNamePGX, DatabaseName: name, ConnectAddr: u.Host, User: u.User.Username(), Password: password,
	}, log.NewNoopLogger())
	require.NoError(t, err)
	defer db.Close()
	files := "postgresql/v12/temporal"
	if strings.HasSuffix(name, "_visibility") {
		files = "postgresql/v12/visibility"
	}
	require.NoError(t, schematool.NewSetupSchemaTask(db, &schematool.SetupConfig{InitialVersion: "0.0"}, log.NewNoopLogger()).Run())
	require.NoError(t, schematool.NewUpdateSchemaTask(db, &schematool.UpdateConfig{
		DBName: name, SchemaName: files, TargetVersion: version,
	}, log.NewNoopLogger()).Run())
	requireVersion(t, server, name, version)
}

func requireVersion(t *testing.T, server *postgrestest.Server, name, want string) {
	t.Helper()
	var version string
	require.NoError(t, connect(t, server.URL(name)).QueryRow(t.Context(),
		"SELECT curr_version FROM schema_version WHERE db_name = $1", name).Scan(&version))
	require.Equal(t, want, version, name)
}

func setVersion(t *testing.T, server *postgrestest.Server, name, version string) {
	t.Helper()
	done, err := connect(t, server.URL(name)).Exec(t.Context(), fmt.Sprintf("UPDATE schema_version SET curr_version = '%s'", version))
	require.NoError(t, err)
	require.EqualValues(t, 1, done.RowsAffected())
}
