package sqlite

import (
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
	if isBrokenConnection(err) {
		return "the database connection was lost"
	}
	return "the database failed in a way that it does not explain"
}

func isBrokenConnection(err error) bool {
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
}

func isRefusal(err error) bool {
	return fault.Is(err, fault.Invalid) || fault.Is(err, fault.Denied)
}
