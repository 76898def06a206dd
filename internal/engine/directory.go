package engine

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/headers"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	_ "modernc.org/sqlite" // The driver "sqlite".

	"github.com/rewardflow/rewardflow/internal/lockfile"
)

const (
	databaseFile  = "temporal.db"
	clusterIDFile = "cluster-id"
	schemaFile    = "schema.json"
)

// SchemaError says that the database was written by another version of the
// Temporal server. SQLite databases of Temporal have no upgrade: such a file
// would open, and fail later.
type SchemaError struct {
	// Database is the path of the file.
	Database string
	// WrittenBy is the version that wrote it; empty when that is not known.
	WrittenBy string
	// Server is the version that refused it.
	Server string
}

// Error says what is wrong, what to do, and why that is safe.
func (e *SchemaError) Error() string {
	writer := "Temporal server " + e.WrittenBy
	if e.WrittenBy == "" {
		writer = "an unknown Temporal server"
	}
	return fmt.Sprintf("%s was written by %s, and this is %s, which cannot read it: delete the file (with its -wal and -shm) and start again; nothing is lost, because unfinished rewards are restarted from the ledger",
		e.Database, writer, e.Server)
}

// directory is the engine's directory, locked for this process.
type directory struct {
	path string
	lock *lockfile.File
}

func openDir(path string) (*directory, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("finding the directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("creating the directory: %w", err)
	}
	lock, err := lockDir(path)
	if err != nil {
		return nil, err
	}
	return &directory{path: path, lock: lock}, nil
}

func (d *directory) close() error { return d.lock.Close() }

func (d *directory) file(name string) string { return filepath.Join(d.path, name) }

// clusterID returns the ID that the database knows this server by. It must
// stay the same for as long as the database lives.
func (d *directory) clusterID() (string, error) {
	data, err := os.ReadFile(d.file(clusterIDFile))
	if err == nil && len(data) > 0 {
		return strings.TrimSpace(string(data)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the cluster's ID: %w", err)
	}
	id := uuid.NewString()
	if err := d.write(clusterIDFile, []byte(id+"\n")); err != nil {
		return "", fmt.Errorf("writing the cluster's ID: %w", err)
	}
	return id, nil
}

// openDatabase creates the database when it is missing, and refuses one that
// another version wrote.
func (d *directory) openDatabase(ctx context.Context, o Options) (*config.SQL, error) {
	cfg := sqlConfig(d.file(databaseFile))
	exists, err := d.checkSchema()
	if err != nil {
		return nil, err
	}
	if !exists {
		if err := d.createDatabase(cfg); err != nil {
			return nil, fmt.Errorf("creating %s: %w", d.file(databaseFile), err)
		}
	}
	if err := d.dropIndexes(ctx); err != nil {
		return nil, fmt.Errorf("preparing %s: %w", d.file(databaseFile), err)
	}
	if err := createNamespace(cfg, o); err != nil {
		return nil, err
	}
	return cfg, nil
}

// schema is the marker beside the database.
type schema struct {
	Server     string `json:"server"`
	Schema     string `json:"schema"`
	Visibility string `json:"visibility"`
	// Complete is false while the tables are being created. What was written
	// until then holds no workflow and is thrown away.
	Complete bool `json:"complete"`
}

func currentSchema() schema {
	return schema{
		Server:     headers.ServerVersion,
		Schema:     sqliteschema.Version,
		Visibility: sqliteschema.VisibilityVersion,
	}
}

// checkSchema reports whether a complete database of this version is there.
func (d *directory) checkSchema() (bool, error) {
	if _, err := os.Stat(d.file(databaseFile)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("looking for the database: %w", err)
	}
	var found schema
	data, err := os.ReadFile(d.file(schemaFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("reading the database's version: %w", err)
	}
	if err == nil && json.Unmarshal(data, &found) == nil && !found.Complete && found.Server != "" {
		return false, nil
	}
	want := currentSchema()
	want.Complete = true
	if found != want {
		return false, &SchemaError{Database: d.file(databaseFile), WrittenBy: found.Server, Server: want.Server}
	}
	return d.hasTables()
}

// hasTables looks into the database itself: a copy that was made at a bad moment
// and put in its place may hold nothing, whatever the marker says. Such a file
// has no workflow to lose, and no server starts on it.
func (d *directory) hasTables() (there bool, failed error) {
	db, err := d.look()
	if err != nil {
		return false, fmt.Errorf("looking into the database: %w", err)
	}
	defer func() { failed = errors.Join(failed, db.Close()) }()
	err = db.QueryRow(`SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'namespaces')`).Scan(&there)
	if err != nil {
		return false, fmt.Errorf("%s cannot be read (%w): delete it (with its -wal and -shm) and start again; nothing is lost, because unfinished rewards are restarted from the ledger",
			d.file(databaseFile), err)
	}
	return there, nil
}

// look opens the database before a server does.
func (d *directory) look() (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+escapeURI(d.file(databaseFile))+"?mode=rw&_pragma=busy_timeout(10000)")
}

// createDatabase creates the tables between two writes of the marker, so that
// a start that was cut off is recognised by the next one.
func (d *directory) createDatabase(cfg *config.SQL) error {
	marker := currentSchema()
	if err := d.writeSchema(marker); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(d.file(databaseFile + suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := sqliteschema.SetupSchema(cfg); err != nil {
		return err
	}
	marker.Complete = true
	return d.writeSchema(marker)
}

func (d *directory) writeSchema(s schema) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return d.write(schemaFile, append(data, '\n'))
}

// write replaces a file in one step.
func (d *directory) write(name string, data []byte) error {
	draft := d.file(name + ".new")
	if err := os.WriteFile(draft, data, 0o600); err != nil {
		return err
	}
	return os.Rename(draft, d.file(name))
}

// sqlConfig opens the file with a write-ahead log that is synced at every
// commit: what the server acknowledged survives a power cut. There is one
// connection, because SQLite has one writer and the server upgrades read
// transactions to write transactions.
func sqlConfig(path string) *config.SQL {
	return &config.SQL{
		PluginName:   pluginName,
		DatabaseName: escapeURI(path),
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"journal_mode": "wal",
			"synchronous":  "2", // FULL
			"busy_timeout": "10000",
		},
		MaxConns:     1,
		MaxIdleConns: 1,
	}
}

// escapeURI protects the characters that have a meaning in SQLite's file URIs
// (https://www.sqlite.org/uri.html), which the server builds without escaping.
func escapeURI(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
}
