package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/blang/semver/v4"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/log"
	v12 "go.temporal.io/server/schema/postgresql/v12"
	schematool "go.temporal.io/server/tools/common/schema"
	"go.temporal.io/server/tools/sql"
)

// serverSchema is a set of tables of the Temporal server.
type serverSchema struct {
	// files is where the server's module has its versions.
	files   string
	version string
}

// The schemas of the server that is linked into this program.
var (
	mainSchema       = serverSchema{files: "postgresql/v12/temporal", version: v12.Version}
	visibilitySchema = serverSchema{files: "postgresql/v12/visibility", version: v12.VisibilityVersion}
)

// noVersion is the version of a database without tables.
const noVersion = "0.0"

// NewerSchemaError says that a newer Temporal server has upgraded a database.
type NewerSchemaError struct {
	Database string
	// Found and Known are versions of the schema.
	Found, Known string
	// Server is the version of the server that refused it.
	Server string
}

// Error says what to do.
func (e *NewerSchemaError) Error() string {
	return fmt.Sprintf("the database %s has version %s of Temporal's schema, and this program (Temporal server %s) knows it up to %s: start the newer version of rewardflow that upgraded it, or go back to a backup of both Temporal databases from before; docs/upgrading.md",
		e.Database, e.Found, e.Server, e.Known)
}

// found returns the version of the schema that is there.
func (d *postgres) found(ctx context.Context) (semver.Version, error) {
	text := noVersion
	err := d.once(ctx, func(conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, `SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = $1`, d.name).Scan(&text)
		if isCode(err, "42P01") || errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return semver.Version{}, fmt.Errorf("reading the version of Temporal's schema in the database %s: %w", d.name, err)
	}
	version, err := semver.ParseTolerant(text)
	if err != nil {
		return version, fmt.Errorf("the database %s says that its schema has the version %q, which is none of Temporal's", d.name, text)
	}
	return version, nil
}

// checkVersion refuses a database that a newer server has upgraded.
func (d *postgres) checkVersion(ctx context.Context) error {
	found, err := d.found(ctx)
	if err != nil {
		return err
	}
	known, err := semver.ParseTolerant(d.schema.version)
	if err != nil {
		return err
	}
	if found.GT(known) {
		return &NewerSchemaError{Database: d.name, Found: short(found), Known: short(known), Server: headers.ServerVersion}
	}
	return nil
}

func short(v semver.Version) string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// upgrade brings the tables to this server's version, by the server's own tool
// and files. It goes on where a start that was cut off has left them, because
// each version is noted when it is done, and what is there already is no error.
func (d *postgres) upgrade(ctx context.Context, logger log.Logger) error {
	found, err := d.found(ctx)
	if err != nil {
		return err
	}
	if short(found) == d.schema.version {
		return nil
	}
	logger.Info(fmt.Sprintf("Upgrading Temporal's schema in the database %s from %s to %s", d.name, short(found), d.schema.version))
	db, err := sql.NewConnection(d.config(1), logger) // Only its log says why it cannot connect.
	if err != nil {
		return fmt.Errorf("connecting to the database %s: %w", d.name, err)
	}
	defer db.Close()
	if short(found) == noVersion {
		setup := &schematool.SetupConfig{InitialVersion: noVersion}
		if err := schematool.NewSetupSchemaTask(db, setup, log.NewNoopLogger()).Run(); err != nil {
			return fmt.Errorf("preparing the database %s for Temporal's schema: %w", d.name, err)
		}
	}
	update := &schematool.UpdateConfig{DBName: d.name, SchemaName: d.schema.files}
	if err := schematool.NewUpdateSchemaTask(db, update, log.NewNoopLogger()).Run(); err != nil {
		return fmt.Errorf("upgrading Temporal's schema in the database %s from %s to %s (a later start goes on from there): %w",
			d.name, short(found), d.schema.version, err)
	}
	return ctx.Err()
}
