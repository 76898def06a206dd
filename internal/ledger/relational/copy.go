package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

const opCopy = "ledger.copy"

// copied are the tables that Copy takes over, each after those that it refers
// to, with the column that the database numbers by itself.
var copied = []struct{ table, numbered string }{
	{"inbox", "id"},
	{"deliveries", "id"},
	{"rewards", ""},
	{"changes", "id"},
	{"decisions", "seq"},
	{"resolutions", "seq"},
	{"payout_generations", ""},
	{"payouts", ""},
	{"payout_references", ""},
	{"payout_moves", "id"},
	{"attempts", ""},
	{"brakes", ""},
	{"brake_changes", "id"},
	{"notifications", ""},
	{"disabled_channels", ""},
	{"replays", "id"},
	{"unstored", ""},
	{"sessions", ""},
	{"login_codes", ""},
	{"approval_messages", ""},
	{"data_keys", ""},
	{"erasures", "id"},
}

// derived are the tables that triggers fill while rows are inserted. A reward
// is inserted as it stands and not as it went, so that they are copied over
// what the triggers made of it.
var derived = []string{"open_votes", "open_vote_counts", "reward_counts", "asking_hours", "paid_days", "spent_days"}

// copyRows is how many rows are inserted by one statement.
const copyRows = 100

// Copied says how much Copy took over.
type Copied struct {
	Rewards, Events int
}

// Copy takes everything of one ledger over into another one, which must be
// empty, in one transaction. Nobody writes to the first one meanwhile, and its
// payouts are paused at the end, in the words of retired: of two ledgers of
// the same rewards, only one may pay. The pause is committed before the copy,
// so that a crash between the two leaves one that is paused and not two that pay.
//
// Both must have been opened for this call alone, and neither written to before
// it. A second ledger that is not empty, or schemas of different versions, are
// fault.Conflict.
func Copy(ctx context.Context, from, to *Ledger, retired ledger.BrakeState) (Copied, error) {
	source, err := from.alone(ctx)
	if err != nil {
		return Copied{}, classify(from.dialect, opCopy, err)
	}
	defer source.close() // And what was not committed with it.
	target, err := to.alone(ctx)
	if err != nil {
		return Copied{}, classify(to.dialect, opCopy, err)
	}
	defer target.close()
	c := copying{source: source, target: target}
	done, err := c.all(ctx)
	if err != nil {
		return Copied{}, err
	}
	retired.Scope, retired.Paused = ledger.AllProviders, true
	if err := source.setBrake(ctx, retired); err != nil {
		return Copied{}, classify(from.dialect, opCopy, err)
	}
	if err := source.commit(ctx); err != nil {
		return Copied{}, classifyCommit(from.dialect, opCopy, err)
	}
	if err := target.commit(ctx); err != nil {
		return Copied{}, classifyCommit(to.dialect, opCopy, err)
	}
	return done, nil
}

// exclusive is a connection within a transaction that shuts other writers out.
type exclusive struct{ *session }

// alone begins to write, without the writer and its batches.
func (l *Ledger) alone(ctx context.Context) (*exclusive, error) {
	s, err := openSession(ctx, l.writers, l.dialect)
	if err != nil {
		return nil, err
	}
	for _, statement := range l.dialect.Begin() {
		if _, err := s.exec(ctx, statement); err != nil {
			s.close()
			return nil, err
		}
	}
	return &exclusive{s}, nil
}

func (e *exclusive) commit(ctx context.Context) error {
	_, err := e.exec(ctx, "COMMIT")
	return err
}

func (e *exclusive) query(ctx context.Context, statement string) (*sql.Rows, error) {
	return e.conn.QueryContext(ctx, e.dialect.Rewrite(statement))
}

// copying is one run of Copy.
type copying struct {
	source, target *exclusive
}

func (c copying) all(ctx context.Context) (Copied, error) {
	var done Copied
	for _, t := range copied {
		if err := c.requireEmpty(ctx, t.table); err != nil {
			return Copied{}, err
		}
		n, err := c.table(ctx, t.table)
		if err != nil {
			return Copied{}, err
		}
		switch t.table {
		case "rewards":
			done.Rewards = n
		case "inbox":
			done.Events = n
		}
		if statement := c.target.dialect.Renumber(t.table, t.numbered); t.numbered != "" && statement != "" {
			if _, err := c.target.exec(ctx, statement); err != nil {
				return Copied{}, classify(c.target.dialect, opCopy, err)
			}
		}
	}
	for _, table := range derived {
		if _, err := c.target.exec(ctx, `DELETE FROM `+table); err != nil {
			return Copied{}, classify(c.target.dialect, opCopy, err)
		}
	}
	// Once all are empty: removing and making votes changes their counts.
	for _, table := range derived {
		if table == "open_vote_counts" {
			continue // The trigger counts the votes anew.
		}
		if _, err := c.table(ctx, table); err != nil {
			return Copied{}, err
		}
	}
	return done, nil
}

func (c copying) requireEmpty(ctx context.Context, table string) error {
	rows, err := c.target.query(ctx, `SELECT EXISTS (SELECT 1 FROM `+table+`)`)
	found, err := collect(rows, err, func(row scanner) (there bool, err error) { return there, row.Scan(&there) })
	if err != nil {
		return classify(c.target.dialect, opCopy, err)
	}
	if found[0] {
		return conflict(opCopy, "the ledger to copy to is not empty: its table "+table+" has rows")
	}
	return nil
}

// table copies a table and returns its number of rows.
func (c copying) table(ctx context.Context, table string) (n int, failed error) {
	columnsOf := `*`
	if table == "open_votes" {
		columnsOf = `person, reward_id, role, received_at`
	}
	rows, err := c.source.query(ctx, `SELECT `+columnsOf+` FROM `+table)
	if err != nil {
		return 0, classify(c.source.dialect, opCopy, err)
	}
	defer func() { failed = errors.Join(failed, classify(c.source.dialect, opCopy, rows.Close())) }()
	columns, err := rows.Columns()
	if err != nil {
		return 0, classify(c.source.dialect, opCopy, err)
	}
	var values []any
	for rows.Next() {
		row := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return 0, classify(c.source.dialect, opCopy, err)
		}
		n++
		for i := range row {
			if bytes, ok := row[i].([]byte); row[i] == nil || ok && bytes == nil {
				row[i] = []byte{} // No column is NULL: this is how SQLite's driver reads an empty BLOB.
			}
		}
		if person, ok := row[0].(string); ok && table == "open_votes" {
			row[0] = voter(person) // The databases fold case each in its own way.
		}
		values = append(values, row...)
		if len(values) < copyRows*len(columns) {
			continue
		}
		if err := c.insert(ctx, table, columns, values); err != nil {
			return 0, err
		}
		values = values[:0]
	}
	if err := rows.Err(); err != nil {
		return 0, classify(c.source.dialect, opCopy, err)
	}
	return n, c.insert(ctx, table, columns, values)
}

func (c copying) insert(ctx context.Context, table string, columns []string, values []any) error {
	if len(values) == 0 {
		return nil
	}
	one := `(` + marks(len(columns)) + `)`
	statement := `INSERT INTO ` + table + ` (` + strings.Join(columns, `, `) + `) VALUES ` +
		one + strings.Repeat(`, `+one, len(values)/len(columns)-1)
	_, err := c.target.conn.ExecContext(ctx, c.target.dialect.Rewrite(statement), c.target.dialect.Values(values)...)
	if err != nil {
		return fault.Wrap(fault.Conflict, opCopy,
			fmt.Sprintf("the rows of table %s do not fit: %s; bring both ledgers to one version with rewardflow migrate", table, c.target.dialect.Diagnose(err).Words), err)
	}
	return nil
}
