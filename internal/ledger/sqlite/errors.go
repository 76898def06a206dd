package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"

	driversqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// Primary result codes: https://www.sqlite.org/rescode.html.
const (
	codePermission   = sqlite3.SQLITE_PERM
	codeBusy         = sqlite3.SQLITE_BUSY
	codeLocked       = sqlite3.SQLITE_LOCKED
	codeReadOnly     = sqlite3.SQLITE_READONLY
	codeIO           = sqlite3.SQLITE_IOERR
	codeCorrupt      = sqlite3.SQLITE_CORRUPT
	codeFull         = sqlite3.SQLITE_FULL
	codeCannotOpen   = sqlite3.SQLITE_CANTOPEN
	codeConstraint   = sqlite3.SQLITE_CONSTRAINT
	codeNotADatabase = sqlite3.SQLITE_NOTADB
)

// primaryCode returns SQLite's primary result code, or 0 when err has none.
func primaryCode(err error) int {
	if e, ok := errors.AsType[*driversqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

func hasCode(err error, codes ...int) bool { return slices.Contains(codes, primaryCode(err)) }

// describe says what went wrong in words that hold no stored value.
func describe(err error) string {
	switch primaryCode(err) {
	case codeBusy, codeLocked:
		return "the database is locked by another process"
	case codeFull:
		return "the disk is full"
	case codeReadOnly, codePermission:
		return "the database cannot be written: its file or directory is read-only"
	case codeIO:
		return "the disk answered with an input/output error"
	case codeCannotOpen:
		return "the database file cannot be opened"
	case codeCorrupt, codeNotADatabase:
		return "the database file is damaged; restore it from a backup"
	case codeConstraint:
		return "the database refused an inconsistent row"
	}
	return "the database failed in a way that it does not explain"
}

// classify turns what the database said about work that was not committed
// into a fault. A fault stays what it is; nil stays nil.
func classify(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(fault.Unavailable, op, "the caller stopped waiting before anything was done", err)
	}
	switch primaryCode(err) {
	case codeBusy, codeLocked, codeFull, codeReadOnly, codePermission, codeIO, codeCannotOpen:
		return fault.Wrap(fault.Unavailable, op, describe(err), err)
	case 0:
		if isBrokenConnection(err) {
			return fault.Wrap(fault.Unavailable, op, "the database connection was lost", err)
		}
	}
	return fault.Wrap(fault.Internal, op, describe(err), err)
}

// classifyCommit is classify for an error of COMMIT itself. Only when SQLite
// proves that the commit's last frame was not written is nothing changed.
func classifyCommit(op string, err error) error {
	switch primaryCode(err) {
	case codeBusy, codeLocked, codeFull, codeReadOnly:
		return classify(op, err)
	}
	return fault.Wrap(fault.Ambiguous, op, "the commit failed and may have happened: "+describe(err), err)
}

// spoilsBatch reports whether an error says something about the transaction or
// the connection rather than about one operation.
func spoilsBatch(err error) bool {
	switch primaryCode(err) {
	case codeConstraint, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
		return false
	case 0:
		return isBrokenConnection(err)
	}
	return true
}

func isBrokenConnection(err error) bool {
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
}

// isConstraint reports whether a row was refused by a constraint or a trigger.
func isConstraint(err error) bool { return primaryCode(err) == codeConstraint }

func isRefusal(err error) bool {
	return fault.Is(err, fault.Invalid) || fault.Is(err, fault.Denied)
}

func notFound(op, message string) error { return fault.New(fault.NotFound, op, message) }

func conflict(op, message string) error { return fault.New(fault.Conflict, op, message) }

func invalid(op, message string) error { return fault.New(fault.Invalid, op, message) }
