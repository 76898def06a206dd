package spool

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/lockfile"
)

// foldBatch is how many records are handed on at once, and foldBytes how many
// bytes, but for a single record that is longer.
const (
	foldBatch = 256
	foldBytes = 4 << 20
)

// Take takes records over for good. It bears to be given a record again. It
// returns how many of them it can never take: their file is then kept for a
// person. An error says that none was taken.
type Take func(ctx context.Context, records []Record) (refused int, err error)

// Fold hands everything that waits to take, the oldest first: this process's
// own records, and those of processes that have died. It removes a file when
// all of its records were taken, and stops at the first error. A file that cannot
// be decrypted stops nothing: it is left, and the error wraps ErrNotDecrypted. Fold
// returns how many records were taken.
func (s *Spool) Fold(ctx context.Context, take Take) (int, error) {
	s.folding.Lock()
	defer s.folding.Unlock()
	if err := s.adopt(); err != nil {
		return 0, classify(opFold, err)
	}
	taken := 0
	for {
		f := s.nextSealed()
		if f == nil {
			return taken, s.whyAside()
		}
		n, err := s.foldFile(ctx, f, take)
		taken += n
		if errors.Is(err, ErrNotDecrypted) {
			err = s.setAside(f, err)
		}
		if err != nil {
			return taken, classify(opFold, err)
		}
	}
}

// nextSealed returns the oldest file that waits. It ends the active file only
// when no other waits: a fold that fails again and again must not make a file
// each time.
func (s *Spool) nextSealed() *file {
	if f := s.firstSealed(); f != nil {
		return f
	}
	s.seal()
	return s.firstSealed()
}

func (s *Spool) firstSealed() *file {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sealed) == 0 {
		return nil
	}
	return s.sealed[0]
}

// dropSealed takes a file from those that wait. The caller holds mu.
func (s *Spool) dropSealed(f *file) {
	s.sealed = slices.DeleteFunc(s.sealed, func(other *file) bool { return other == f })
}

// adopt takes over the files of processes that have died.
func (s *Spool) adopt() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	s.forget(entries)
	for _, e := range entries { // Sorted by name, and so by age.
		if !strings.HasSuffix(e.Name(), suffix) || s.isKnown(e.Name()) {
			continue
		}
		f, err := adoptFile(filepath.Join(s.dir, e.Name()))
		if errors.Is(err, lockfile.ErrLocked) || errors.Is(err, errGone) || errors.Is(err, fs.ErrNotExist) {
			continue // Its process lives, or another one was faster.
		}
		if err != nil {
			return err
		}
		s.opts.Logger.Warn("spool.adopted", "file", f.name(), "records", f.waiting, "bytes", f.size)
		s.mu.Lock()
		s.sealed = append(s.sealed, f)
		slices.SortStableFunc(s.sealed, func(a, b *file) int { return strings.Compare(a.name(), b.name()) })
		s.mu.Unlock()
	}
	return nil
}

func (s *Spool) isKnown(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	named := func(f *file) bool { return f.name() == name }
	return s.counted != nil && named(s.counted) || slices.ContainsFunc(s.sealed, named) || slices.ContainsFunc(s.aside, named)
}

func adoptFile(path string) (*file, error) {
	opened, err := lockfile.Open(path, 0)
	if err != nil {
		return nil, err
	}
	f := &file{File: opened}
	if !f.isAt(path) {
		return nil, errors.Join(errGone, f.Close())
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f.size = info.Size()
	if err := f.count(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// count finds out what an adopted file holds.
func (f *file) count() error {
	lines := f.lines()
	for {
		line, err := lines.ReadBytes('\n')
		if r, ok := parseLine(line); ok {
			if f.waiting++; f.oldest.IsZero() {
				f.oldest = r.At
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// lines reads what was not folded yet.
func (f *file) lines() *bufio.Reader {
	return bufio.NewReaderSize(io.NewSectionReader(f, f.folded, f.size-f.folded), 1<<16)
}

// foldFile folds the first sealed file, and is done with it.
func (s *Spool) foldFile(ctx context.Context, f *file, take Take) (int, error) {
	lines, taken := f.lines(), 0
	for {
		records, length, atEnd, err := s.read(f, lines)
		if err != nil {
			return taken, err
		}
		if err := s.decipher(f, records); err != nil {
			return taken, err
		}
		if len(records) > 0 {
			refused, err := take(ctx, records)
			if err != nil {
				return taken, err
			}
			if refused > 0 {
				f.odd = true
				s.opts.Logger.Error("spool.refused", "file", f.name(), "records", refused)
			}
			taken += len(records) - refused
		}
		s.progress(f, len(records), length)
		if atEnd {
			break
		}
	}
	s.mu.Lock()
	s.dropSealed(f)
	s.mu.Unlock()
	if !f.odd {
		return taken, f.remove()
	}
	s.opts.Logger.Error("spool.kept", "file", f.name()+kept,
		"consequence", "it holds records that could not be read, or were refused; everything else in it was taken")
	return taken, f.keep()
}

func (s *Spool) progress(f *file, records int, length int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.folded += length
	f.waiting = max(f.waiting-records, 0)
}

// read returns the next records and how many bytes they and what is odd among
// them have. What is odd is reported, and passed over.
func (s *Spool) read(f *file, lines *bufio.Reader) (records []Record, length int64, atEnd bool, err error) {
	for len(records) < foldBatch && length < foldBytes {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, false, fault.Wrap(fault.Unavailable, opFold, "the spool cannot be read: "+describe(err), err)
		}
		length += int64(len(line))
		r, ok := parseLine(line)
		switch {
		case ok:
			records = append(records, r)
		case err != nil && len(line) > 0:
			// Whoever wrote it died before the disk had all of it, and so before
			// anybody was told that it is kept.
			s.opts.Logger.Warn("spool.torn", "file", f.name(), "bytes", len(line))
		case err == nil:
			f.odd = true
			s.opts.Logger.Error("spool.damaged", "file", f.name(), "at", f.folded+length-int64(len(line)), "bytes", len(line))
		}
		if err != nil {
			return records, length, true, nil
		}
	}
	return records, length, false, nil
}

// Waited is how long the oldest record has waited; zero when none waits, and
// never below, whatever the clock did.
func (st State) Waited(now time.Time) time.Duration {
	if st.Oldest.IsZero() {
		return 0
	}
	return max(now.Sub(st.Oldest), 0)
}
