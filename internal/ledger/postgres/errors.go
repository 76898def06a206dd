package postgres

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rewardflow/rewardflow/internal/ledger/relational"
)

// restart is how long the writer rests before it tries to reach a server again
// that was not there, as during a restart or a fail-over.
const restart = 50 * time.Millisecond

// verdict is what an error code, or its class of two characters, means:
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
type verdict struct {
	words string
	// what says which of the ways of dealing with it fits.
	what kind
}

type kind int

const (
	alone   kind = iota // One operation failed, and it is a bug.
	refused             // One operation failed: a row was refused.
	passing             // The transaction is lost; it was the database's circumstances.
	away                // The connection is lost, and another one may do.
)

// verdicts are looked up by the whole code first.
func verdicts() map[string]verdict {
	return map[string]verdict{
		"08":    {"the database connection was lost", away},
		"23":    {"the database refused an inconsistent row", refused},
		"25006": {"the database is read-only: the server is a standby, or was made read-only", away},
		"25P03": {"the database ended a transaction that had stood still for too long", away},
		"28":    {"the database refuses the login: check the user and the password", passing},
		"3D":    {"the server has no such database", passing},
		"40":    {"the database took the transaction back because of another one", passing},
		"42501": {"the database does not permit it: the user needs all rights on the ledger's schema", passing},
		"53100": {"the database's disk is full", passing},
		"53300": {"the database takes no more connections", away},
		"53":    {"the database lacks resources", passing},
		"55P03": {"another process has been writing for too long", passing},
		"57014": {"the database took too long, and was stopped", passing},
		"57":    {"the database server is shutting down or starting", away},
		"58":    {"the database server reports an error of its system", passing},
		"XX":    {"the database server reports an internal error", passing},
	}
}

// Diagnose implements relational.Dialect. A COMMIT that the server answers with
// an error committed nothing; one that it does not answer may have.
func (dialect) Diagnose(err error) relational.Diagnosis {
	server, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return diagnoseSilence(err)
	}
	found, known := verdicts()[server.Code]
	if !known {
		found = verdicts()[server.Code[:min(2, len(server.Code))]]
	}
	if found.words == "" {
		found.words = "the database failed in a way that it does not explain (code " + server.Code + ")"
	}
	d := relational.Diagnosis{Words: found.words}
	d.Constraint = found.what == refused
	d.Passing = found.what == passing || found.what == away
	d.Alone = found.what == alone || found.what == refused
	if fatal := server.Severity == "FATAL" || server.Severity == "PANIC"; fatal || found.what == away {
		d.Alone, d.Broken = false, true
	}
	if found.what == away {
		d.Again = restart
	}
	d.Uncommitted = server.Severity == "ERROR"
	return d
}

// diagnoseSilence is about what no server said.
func diagnoseSilence(err error) relational.Diagnosis {
	lost := relational.Diagnosis{
		Words: "the database connection was lost, or the server cannot be reached", Passing: true, Broken: true, Again: restart,
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return lost
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return lost
	}
	for _, end := range []error{
		driver.ErrBadConn, sql.ErrConnDone, pgconn.ErrConnClosed, net.ErrClosed, io.EOF, io.ErrUnexpectedEOF,
	} {
		if errors.Is(err, end) {
			return lost
		}
	}
	return relational.Diagnosis{Words: "the database failed in a way that it does not explain", Alone: true}
}

func describe(err error) string { return dialect{}.Diagnose(err).Words }
