package nemesis

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // The driver "pgx".

	"github.com/rewardflow/rewardflow/internal/crashpoint"
	"github.com/rewardflow/rewardflow/internal/postgrestest"
)

// Postgres as Options.Database asks for a PostgreSQL server of the run's own.
const Postgres = "postgres"

// startPostgres starts a server, unless the ledger is a SQLite file or another
// server is named.
func (w *world) startPostgres(ctx context.Context) error {
	switch {
	case !w.s.Postgres:
		return nil
	case w.o.Database != Postgres:
		w.databaseURL = w.o.Database
		return nil
	}
	var err error
	if w.postgres, err = postgrestest.Start(ctx, postgrestest.Options{Fsync: true}); err != nil {
		return fmt.Errorf("starting PostgreSQL: %w", err)
	}
	w.databaseURL, err = w.postgres.Create(ctx, "rewardflow")
	return err
}

// wirePostgres lays a process's wire to the database, and returns what it is
// configured with.
func (w *world) wirePostgres(slot string) (string, error) {
	if !w.s.Postgres {
		return "sqlite", nil
	}
	u, err := url.Parse(w.databaseURL)
	if err != nil {
		return "", errors.New("the URL of the database cannot be read")
	}
	if u.Host, err = w.wires.lay(slot+">postgres", u.Host); err != nil {
		return "", err
	}
	return u.String(), nil
}

// migrate makes the schema in PostgreSQL, and is killed in the middle of it
// first. On SQLite the first process that starts does both.
func (w *world) migrate(ctx context.Context, config string) error {
	lives := []string{""}
	if w.s.Migration > 0 {
		lives = []string{crashpoint.Setting(crashpoint.InMigration, w.s.Migration, crashpoint.Kill), ""}
	}
	for _, armed := range lives {
		cmd := exec.CommandContext(ctx, w.bin.good, "migrate", "--config", config)
		cmd.Env = []string{"HOME=" + w.dir}
		if armed != "" {
			cmd.Env = append(cmd.Env, armed)
		}
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		err := cmd.Run()
		w.note("migrated", map[string]any{"armed": armed, "how": fmt.Sprint(err)})
		if err != nil && armed == "" {
			return fmt.Errorf("migrating: %w\n%s", err, said.String())
		}
	}
	return nil
}

// strikePostgres crashes the database server, which comes back.
func (w *world) strikePostgres(run context.Context, length time.Duration) error {
	if w.postgres == nil {
		return errors.New("the database's server is not ours to crash")
	}
	if err := w.postgres.Kill(); err != nil {
		return err
	}
	rest(run, length)
	return w.postgres.Up(context.WithoutCancel(run))
}

// lockPostgres is another program that keeps the tables of money locked.
func (w *world) lockPostgres(run context.Context, length time.Duration) error {
	db, err := sql.Open("pgx", w.databaseURL)
	if err != nil {
		return err
	}
	defer db.Close()
	held, err := db.BeginTx(context.WithoutCancel(run), nil)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(run, 10*time.Second)
	defer cancel()
	if _, err := held.ExecContext(waiting, `LOCK TABLE inbox, rewards, payouts IN EXCLUSIVE MODE`); err != nil {
		return errors.Join(err, held.Rollback())
	}
	rest(run, length)
	return held.Rollback()
}

// leaksInPostgres searches every column of every table.
func (w *world) leaksInPostgres(ctx context.Context, words map[string]string) (found []string, err error) {
	db, err := sql.Open("pgx", w.databaseURL)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
		WHERE table_schema NOT IN ('pg_catalog', 'information_schema')`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var queries []string
	var places []string
	for rows.Next() {
		var schema, table, column, kind string
		if err := rows.Scan(&schema, &table, &column, &kind); err != nil {
			return nil, err
		}
		search := fmt.Sprintf(`position($1 IN %s::text) > 0`, quote(column))
		if kind == "bytea" {
			search = fmt.Sprintf(`position(convert_to($1, 'UTF8') IN %s) > 0`, quote(column))
		}
		queries = append(queries, fmt.Sprintf(`SELECT count(*) FROM %s.%s WHERE %s`, quote(schema), quote(table), search))
		places = append(places, table+"."+column)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(queries) == 0 {
		return nil, errors.New("there is no table to search: is this the database of the run?")
	}
	for i, query := range queries {
		for word, what := range words {
			var n int
			if err := db.QueryRowContext(ctx, query, word).Scan(&n); err != nil {
				return nil, fmt.Errorf("searching %s: %w", places[i], err)
			}
			if n > 0 {
				found = append(found, fmt.Sprintf("%s holds %s", places[i], what))
			}
		}
	}
	return found, nil
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
