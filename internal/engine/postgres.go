package engine

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/iancoleman/strcase"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jmoiron/sqlx"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql/driver"
)

const (
	// DefaultHistoryShards is how many shards a PostgreSQL database gets when
	// Options do not say. It is what Temporal's own charts use, and enough for
	// thousands of workflows a second.
	DefaultHistoryShards = 512
	// MaxHistoryShards keeps a number that was mistyped from making a server
	// that never gets ready.
	MaxHistoryShards = 4096

	// visibilitySuffix makes the name of the second database from the first.
	visibilitySuffix = "_visibility"

	// Each of the four services has its own pools, so that a busy engine holds
	// at most 4 * (mainConnections + visibilityConnections) + 1 connections: of
	// the 100 that PostgreSQL has by default, some are left for the ledger.
	mainConnections       = 12
	visibilityConnections = 4
	connectionLifetime    = time.Hour
)

// ShardsError says that a database was made with another number of history
// shards than the options ask for. The server would quietly take the old one.
type ShardsError struct {
	Database    string
	Asked, Made int
}

// Error says what to do.
func (e *ShardsError) Error() string {
	return fmt.Sprintf("the database %s was made with %d history shards, which cannot be changed, and engine.history_shards asks for %d: set it to %d",
		e.Database, e.Made, e.Asked, e.Made)
}

// VisibilityDatabase returns the name of the database for visibility that
// belongs to a main database.
func VisibilityDatabase(main string) string { return main + visibilitySuffix }

// openPostgres connects to the two databases, makes and upgrades what is
// missing there, and holds them for this process until the engine stops.
func (e *Engine) openPostgres(ctx context.Context, o Options) (*storage, error) {
	databases, err := parsePostgres(o.Database)
	if err != nil {
		return nil, err
	}
	for _, d := range databases {
		if err := d.ensureExists(ctx); err != nil {
			return nil, err
		}
	}
	main, visibility := databases[0], databases[1]
	lock, err := lockPostgres(ctx, main, e.fatal)
	if err != nil {
		return nil, err
	}
	e.onStop(lock.release)
	if err := main.refuseCluster(ctx); err != nil {
		return nil, err
	}
	// Both are looked at before either is changed.
	for _, d := range databases {
		if err := d.checkVersion(ctx); err != nil {
			return nil, err
		}
	}
	for _, d := range databases {
		if err := d.upgrade(ctx, e.log); err != nil {
			return nil, err
		}
	}
	st := &storage{
		main: main.config(mainConnections), visibility: visibility.config(visibilityConnections),
		shards: int32(o.HistoryShards), //nolint:gosec // withDefaults bounds it.
	}
	if st.clusterID, err = main.identity(ctx, o.HistoryShards); err != nil {
		return nil, err
	}
	return st, createNamespace(st.main, o)
}

// postgres is one of the two databases.
type postgres struct {
	name   string
	schema serverSchema
	url    *url.URL
	conn   *pgx.ConnConfig
}

// parsePostgres returns the main database, which the URL names, and the one for
// visibility beside it. No error repeats the URL, which may hold a password.
func parsePostgres(text string) ([2]*postgres, error) {
	var both [2]*postgres
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return both, errors.New("engine.database is not a URL such as postgres://user:password@host:5432/temporal")
	}
	main := u.EscapedPath()
	if len(main) > 0 {
		main = main[1:]
	}
	if !databaseName.MatchString(main) {
		return both, errors.New("engine.database does not end in the name of a database, such as /temporal: up to 40 letters, digits and _, beginning with a letter")
	}
	for i, name := range []string{main, VisibilityDatabase(main)} {
		at := *u
		at.Path, at.RawPath = "/"+name, ""
		conn, err := pgx.ParseConfig(at.String())
		if err != nil {
			return both, errors.New("engine.database cannot be used: its host, port or parameters are not what PostgreSQL's URLs have")
		}
		both[i] = &postgres{name: name, schema: []serverSchema{mainSchema, visibilitySchema}[i], url: &at, conn: conn}
	}
	return both, nil
}

// databaseName is what needs no quotes anywhere, the server's tools included.
var databaseName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,39}$`)

func (d *postgres) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, d.conn.Copy())
	if err != nil {
		return nil, fmt.Errorf("connecting to the database %s: %w", d.name, err)
	}
	return conn, nil
}

// once runs one call on a connection of its own.
func (d *postgres) once(ctx context.Context, call func(*pgx.Conn) error) error {
	conn, err := d.connect(ctx)
	if err != nil {
		return err
	}
	return errors.Join(call(conn), conn.Close(ctx))
}

// ensureExists creates the database where that is allowed.
func (d *postgres) ensureExists(ctx context.Context) error {
	err := d.once(ctx, func(*pgx.Conn) error { return nil })
	if !isCode(err, "3D000") { // It does not exist.
		return err
	}
	maintenance := d.conn.Copy()
	maintenance.Database = "postgres"
	conn, err := pgx.ConnectConfig(ctx, maintenance)
	if err == nil {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{d.name}.Sanitize())
		err = errors.Join(err, conn.Close(ctx))
	}
	if err == nil || isCode(err, "42P04") { // Somebody was quicker.
		return nil
	}
	return fmt.Errorf("there is no database %s, and it cannot be made; as somebody who may: CREATE DATABASE %s OWNER %s: %w",
		d.name, d.name, d.conn.User, err)
}

// refuseCluster looks for a Temporal cluster that uses the database: its members
// say so there every few seconds, which this engine does not.
func (d *postgres) refuseCluster(ctx context.Context) error {
	return d.once(ctx, func(conn *pgx.Conn) error {
		var alive int
		err := conn.QueryRow(ctx, `SELECT count(*) FROM cluster_membership
			WHERE record_expiry > now() AT TIME ZONE 'UTC' AND last_heartbeat > now() AT TIME ZONE 'UTC' - interval '1 minute'`).Scan(&alive)
		switch {
		case isCode(err, "42P01"): // There is no such table yet.
			return nil
		case err != nil:
			return fmt.Errorf("looking for a cluster in the database %s: %w", d.name, err)
		case alive > 0:
			return fmt.Errorf("a Temporal cluster runs on the database %s: give this engine a database of its own, or use that cluster (rewardflow api and rewardflow worker)", d.name)
		}
		return nil
	})
}

// identity returns the cluster's ID, which a new database gets now, and
// refuses a database with another number of shards.
func (d *postgres) identity(ctx context.Context, shards int) (string, error) {
	id := uuid.NewString()
	return id, d.once(ctx, func(conn *pgx.Conn) error {
		var (
			data     []byte
			encoding string
		)
		err := conn.QueryRow(ctx, `SELECT data, data_encoding FROM cluster_metadata_info WHERE cluster_name = $1`, clusterName).Scan(&data, &encoding)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading what the database %s knows of its cluster: %w", d.name, err)
		}
		kind, err := enumspb.EncodingTypeFromString(encoding)
		if err != nil {
			return fmt.Errorf("reading what the database %s knows of its cluster: %w", d.name, err)
		}
		known, err := serialization.NewSerializer().DeserializeClusterMetadata(&commonpb.DataBlob{EncodingType: kind, Data: data})
		if err != nil {
			return fmt.Errorf("reading what the database %s knows of its cluster: %w", d.name, err)
		}
		id = known.GetClusterId()
		if made := int(known.GetHistoryShardCount()); made != shards {
			return &ShardsError{Database: d.name, Asked: shards, Made: made}
		}
		return nil
	})
}

// config is the database in the server's words. The server connects by the URL
// as it was given: its own way of writing one loses spaces in a password.
func (d *postgres) config(connections int) *config.SQL {
	u := *d.url
	parameters := u.Query()
	for name, value := range map[string]string{"connect_timeout": "10", "application_name": "rewardflow-temporal"} {
		if !parameters.Has(name) {
			parameters.Set(name, value)
		}
	}
	u.RawQuery = strings.ReplaceAll(parameters.Encode(), "+", "%20") // PostgreSQL's URLs have no plus for a space.
	return &config.SQL{
		PluginName: postgresql.PluginNamePGX, DatabaseName: d.name, ConnectAddr: d.url.Host,
		Connect: func(*config.SQL) (*sqlx.DB, error) {
			db, err := (&driver.PGXDriver{}).CreateConnection(u.String())
			if err != nil {
				return nil, err
			}
			db.SetMaxOpenConns(connections)
			db.SetMaxIdleConns(connections)
			db.SetConnMaxLifetime(connectionLifetime)
			db.MapperFunc(strcase.ToSnake) // The server's rows name their columns so.
			return db, nil
		},
	}
}

// isCode reports whether PostgreSQL answered with an error of this SQLSTATE.
func isCode(err error, code string) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return ok && answer.Code == code
}
