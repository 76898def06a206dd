package deploy_test

import (
	"context"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	temporalconfig "go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"

	"github.com/rewardflow/rewardflow/internal/postgrestest"
)

// TestTemporalReadsWhatComposeTellsIt gives the environment of the service
// temporal to the server's own loader.
func TestTemporalReadsWhatComposeTellsIt(t *testing.T) {
	for name, value := range loadCompose(t).Services["temporal"].Environment {
		t.Setenv(name, *value)
	}
	t.Setenv("POSTGRES_PWD", "pass-word") // deploy/compose/temporal/server.sh

	cfg, err := temporalconfig.Load(temporalconfig.WithEmbedded())
	require.NoError(t, err)
	require.Equal(t, int32(512), cfg.Persistence.NumHistoryShards)
	for store, database := range map[string]string{cfg.Persistence.DefaultStore: "temporal", cfg.Persistence.VisibilityStore: "temporal_visibility"} {
		sql := cfg.Persistence.DataStores[store].SQL
		require.NotNil(t, sql, store)
		require.Equal(t, "postgres12_pgx", sql.PluginName)
		require.Equal(t, "postgres:5432", sql.ConnectAddr)
		require.Equal(t, database, sql.DatabaseName)
		require.Equal(t, "temporal", sql.User)
		require.Equal(t, "pass-word", sql.Password)
	}
	require.Equal(t, "0.0.0.0", cfg.Services["frontend"].RPC.BindOnIP)
	require.Equal(t, 7233, cfg.Services["frontend"].RPC.GRPCPort)
	require.Equal(t, "0.0.0.0:8000", cfg.Global.Metrics.Prometheus.ListenAddress)
	require.Equal(t, "/etc/temporal/config/dynamicconfig/rewardflow.yaml", cfg.DynamicConfigClient.Filepath)
}

func TestDynamicConfigurationIsOfTheServersKeys(t *testing.T) {
	t.Parallel()

	content, err := os.ReadFile("compose/temporal/dynamicconfig.yaml")
	require.NoError(t, err)
	result := dynamicconfig.LoadYamlFile(content)
	require.Empty(t, result.Errors)
	require.Empty(t, result.Warnings)
	unknown := dynamicconfig.LoadYamlFile([]byte("system.enableDeploymentVersion: [{value: true}]"))
	require.NotEmpty(t, unknown.Warnings, "a key that the server does not know would be seen")
}

// TestDatabasesAreMade runs the scripts of docker-compose.yml, as its services
// do, against a real PostgreSQL server and with Temporal's own tool.
func TestDatabasesAreMade(t *testing.T) {
	t.Parallel()

	server := newComposeDatabase(t)
	server.run(t, "compose/postgres/databases.sh", map[string]string{"PGPASSWORD": server.secret("postgres_password")})

	for _, database := range []string{"temporal", "temporal_visibility"} {
		require.NoError(t, server.connect(t, "temporal", database))
		require.Error(t, server.connect(t, "rewardflow", database))
	}
	require.NoError(t, server.connect(t, "rewardflow", "rewardflow"))
	require.Error(t, server.connect(t, "temporal", "rewardflow"))
	require.Error(t, server.connect(t, "temporal", "postgres"))

	for range 2 { // The job runs at each "up".
		server.run(t, "compose/temporal/schema.sh", nil)
	}
	for database, table := range map[string]string{"temporal": "executions", "temporal_visibility": "executions_visibility"} {
		conn, err := pgx.Connect(t.Context(), server.url("temporal", database))
		require.NoError(t, err)
		var version string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT curr_version FROM schema_version").Scan(&version))
		require.NotEqual(t, "0.0", version)
		var rows int
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&rows))
		require.Zero(t, rows)
		require.NoError(t, conn.Close(t.Context()))
	}
}

// composeDatabase is a PostgreSQL server on which nothing of ours is, with the
// secrets that deploy/secrets.sh made.
type composeDatabase struct {
	host, port string
	secrets    string
	tools      string
}

func newComposeDatabase(t *testing.T) *composeDatabase {
	t.Helper()
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip("psql is not installed (Debian: apt-get install postgresql), so the databases' scripts are not tried")
	}
	server := postgrestest.New(t, postgrestest.Options{})
	d := &composeDatabase{secrets: makeSecrets(t), tools: t.TempDir()}
	var err error
	d.host, d.port, err = net.SplitHostPort(server.Address())
	require.NoError(t, err)

	// The server of the tests has an administrator rewardflow; that of the
	// image is called postgres, and rewardflow is to be made.
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE ROLE postgres SUPERUSER LOGIN PASSWORD '"+d.secret("postgres_password")+"'")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	conn, err = pgx.Connect(t.Context(), d.url("postgres", "postgres"))
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "ALTER ROLE rewardflow RENAME TO administrator")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))

	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(d.tools, "temporal-sql-tool"), "go.temporal.io/server/cmd/tools/sql")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return d
}

func (d *composeDatabase) secret(name string) string {
	content, err := os.ReadFile(filepath.Join(d.secrets, name))
	if err != nil {
		return ""
	}
	return string(content)
}

func (d *composeDatabase) url(user, database string) string {
	password := map[string]string{"postgres": "postgres_password", "temporal": "temporal_db_password", "rewardflow": "rewardflow_db_password"}[user]
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, d.secret(password)), Host: net.JoinHostPort(d.host, d.port), Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

func (d *composeDatabase) connect(t *testing.T, user, database string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.url(user, database))
	if err != nil {
		return err
	}
	return conn.Close(context.WithoutCancel(t.Context()))
}

// run runs a script with the environment of its service, on this server.
func (d *composeDatabase) run(t *testing.T, script string, more map[string]string) {
	t.Helper()
	environment := map[string]string{
		"PATH": d.tools + ":" + os.Getenv("PATH"), "SECRETS": d.secrets, "SCHEMA": filepath.Join(moduleDir(t, "go.temporal.io/server"), "schema/postgresql/v12"),
		"PGHOST": d.host, "PGPORT": d.port,
	}
	for name, value := range loadCompose(t).Services["temporal-schema"].Environment {
		environment[name] = *value
	}
	environment["POSTGRES_SEEDS"], environment["DB_PORT"] = d.host, d.port
	if len(more) > 0 {
		delete(environment, "POSTGRES_USER")
	}
	maps.Copy(environment, more)
	cmd := exec.CommandContext(t.Context(), "sh", script)
	for name, value := range environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, name := range []string{"temporal_db_password", "rewardflow_db_password"} {
		require.NotContains(t, string(out), d.secret(name))
	}
}

func moduleDir(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}
