// Package sqlite keeps the ledger in one SQLite file.
//
// Several processes may open the same file: SQLite's own lock lets one of them
// write at a time. The file must be on a local disk, because write-ahead logging
// needs memory that its users share.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // The driver "sqlite".

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger/relational"
)

// Ledger is a ledger.Ledger in a SQLite file. Open makes one.
type Ledger = relational.Ledger

// Options are what Open may be told. The zero value is ready for use.
type Options = relational.Options

const opOpen = "ledger.open"

// applicationID marks a database as a ledger of rewardflow: "rwfl" in ASCII.
// See https://www.sqlite.org/pragma.html#pragma_application_id.
const applicationID = 0x7277666c

// readConnections bounds the concurrent reads of one process.
const readConnections = 4

// smallestDatabase is one page of the smallest size: https://www.sqlite.org/fileformat.html.
const smallestDatabase = 512

// Open opens the ledger in the file at path, creates it (mode 0600) and its
// directory (mode 0700) where they are missing, and brings its schema up to
// date. The caller closes it.
//
// It refuses, without changing the file, what is not a SQLite database, a
// database of another program, and a schema newer than this program knows:
// fault.Invalid. A file that somebody else has locked is fault.Unavailable, a
// place where this process may not write is fault.Denied.
func Open(ctx context.Context, path string, opts Options) (*Ledger, error) {
	opts = opts.WithDefaults()
	path, err := prepareFile(path)
	if err != nil {
		return nil, err
	}
	if err := probe(ctx, path); err != nil {
		return nil, err
	}

	// Every operation has a savepoint, and SQLite copies each page that it changes
	// first to a temporary file: with temp_store in memory, to memory
	// (https://www.sqlite.org/tempfiles.html, 2.3).
	writers, err := sql.Open("sqlite", dsn(path, "_txlock=immediate", "_pragma=journal_mode(WAL)",
		"_pragma=synchronous(FULL)", "_pragma=temp_store(MEMORY)", "_pragma=foreign_keys(1)", "_pragma=journal_size_limit(67108864)"))
	if err != nil {
		return nil, openFault(path, err)
	}
	writers.SetMaxOpenConns(1)
	if err := setUp(ctx, writers, path, opts.Migrating); err != nil {
		return nil, errors.Join(err, writers.Close())
	}

	readers, err := sql.Open("sqlite", dsn(path, "_pragma=query_only(1)"))
	if err != nil {
		return nil, errors.Join(openFault(path, err), writers.Close())
	}
	readers.SetMaxOpenConns(readConnections)
	readers.SetMaxIdleConns(readConnections)

	return relational.New(dialect{}, writers, readers, opts), nil
}

// dsn names the file with the pragmas that every connection needs; those of
// one connection only would be lost when the pool opens another.
func dsn(path string, more ...string) string {
	name := filepath.ToSlash(path)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // A Windows drive: file:/C:/...
	}
	parameters := append([]string{"mode=rw", "_pragma=busy_timeout(5000)"}, more...)
	return "file:" + (&url.URL{Path: name}).EscapedPath() + "?" + strings.Join(parameters, "&")
}

// prepareFile returns the absolute path of a file that exists.
//
// It never opens a file that was there before: closing it would drop the
// locks that another handle of this process holds on it
// (https://www.sqlite.org/howtocorrupt.html, 2.2).
func prepareFile(path string) (string, error) {
	if path == "" {
		return "", fault.New(fault.Invalid, opOpen, "the ledger needs the path of a file")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", openFault(path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", openFault(path, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, createFile(path)
	case err != nil:
		return "", openFault(path, err)
	case !info.Mode().IsRegular():
		return "", refuse(path, "it is not a file")
	case info.Size() > 0 && info.Size() < smallestDatabase:
		return "", refuse(path, "it is not a SQLite database")
	}
	return path, nil
}

// createFile makes an empty file that only its owner may read: the ledger
// holds personal data. SQLite gives its other files the same mode.
func createFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // Another process was faster.
	}
	if err != nil {
		return openFault(path, err)
	}
	if err := file.Close(); err != nil {
		return openFault(path, err)
	}
	return nil
}

// probe refuses a database of another program. It changes nothing in it.
func probe(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", dsn(path, "_pragma=query_only(1)"))
	if err != nil {
		return openFault(path, err)
	}
	defer func() { _ = db.Close() }()
	var id, objects int64
	err = db.QueryRowContext(ctx, `SELECT a.application_id, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id AS a`).Scan(&id, &objects)
	if err != nil {
		return openFault(path, err)
	}
	if id == applicationID || (id == 0 && objects == 0) {
		return nil
	}
	return refuse(path, "it is the database of another program")
}

// setUp makes the file ours and brings its schema up to date.
func setUp(ctx context.Context, db *sql.DB, path string, migrating func()) error {
	var mode string
	var id int64
	err := db.QueryRowContext(ctx, `SELECT j.journal_mode, a.application_id
		FROM pragma_journal_mode AS j, pragma_application_id AS a`).Scan(&mode, &id)
	if err != nil {
		return openFault(path, err)
	}
	if mode != "wal" {
		return refuse(path, "its file system does not support write-ahead logging: put it on a local disk")
	}
	// Marked before its first table, so that a crash between the two leaves a
	// file that the next start recognises.
	if id != applicationID {
		if _, err := db.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID)); err != nil {
			return openFault(path, err)
		}
	}
	if err := migrate(ctx, db, path, migrating); err != nil {
		return err
	}
	return mayWrite(ctx, db, path)
}

// mayWrite starts to write and changes nothing. SQLite opens what it may only
// read without a word, and even begins an immediate transaction on it.
func mayWrite(ctx context.Context, db *sql.DB, path string) error {
	if _, err := db.ExecContext(ctx, `DELETE FROM ping WHERE at < 0`); err != nil {
		return openFault(path, err)
	}
	return nil
}

func refuse(path, why string) error {
	return fault.New(fault.Invalid, opOpen, fmt.Sprintf("%s cannot be the ledger: %s", path, why))
}

// openFault says in words why the file cannot be opened.
func openFault(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission), hasCode(err, codeReadOnly, codePermission, codeCannotOpen):
		return fault.Wrap(fault.Denied, opOpen,
			path+" cannot be opened: this process may not write there; check the owner and the mode of the file and its directory", err)
	case hasCode(err, codeNotADatabase):
		return refuse(path, "it is not a SQLite database")
	case hasCode(err, codeCorrupt):
		return refuse(path, "the database is damaged; restore it from a backup")
	case errors.Is(err, context.DeadlineExceeded), hasCode(err, codeBusy, codeLocked):
		return fault.Wrap(fault.Unavailable, opOpen, path+" cannot be opened: another process has locked it", err)
	case errors.Is(err, context.Canceled):
		return fault.Wrap(fault.Unavailable, opOpen, "opening "+path+" was cancelled", err)
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return fault.Wrap(fault.Invalid, opOpen, fmt.Sprintf("%s cannot be opened: %v", path, pathErr.Err), err)
	}
	return fault.Wrap(fault.Unavailable, opOpen, path+" cannot be opened: "+describe(err), err)
}
