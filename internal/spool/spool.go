// Package spool keeps records in append-only files while the place where they
// belong cannot take them.
//
// A record is on the disk before Append returns, and concurrent calls share
// one wait for the disk. Fold hands the records on, the oldest first, and
// removes a file only when everything in it was taken; whoever takes them
// must bear to be given a record twice, because a crash may come in between.
//
// Several processes may use one directory. Each writes files of its own and
// holds a lock on them for as long as it lives; the files of one that died are
// adopted by the next that folds.
//
// A file is text, one record a line: the CRC-32C of the rest in hexadecimal
// digits, the time in Unix milliseconds, and the record itself.
package spool

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/lockfile"
)

const (
	opOpen   = "spool.open"
	opAppend = "spool.append"
	opCheck  = "spool.check"
	opFold   = "spool.fold"
)

const (
	// maxBatch is how many records share one write.
	maxBatch = 512
	// maxQueued is how many records may wait to be written.
	maxQueued = 16384
	// probeSize is how much room Check asks for: a file system gives whole
	// blocks, and a block that is half full would prove nothing.
	probeSize = 8192
)

// Options are what Open may be told. The zero value is ready for use.
type Options struct {
	// MaxBytes bounds what this process keeps, adopted files included; 1 GiB
	// when zero. The bound keeps a disk from being filled by an outage that
	// nobody notices.
	MaxBytes int64
	// Now dates the records; time.Now when nil.
	Now func() time.Time
	// Cipher encrypts the records; nil keeps them as they are.
	Cipher Cipher
	// Logger hears of torn and damaged records; nothing is logged when nil.
	Logger *slog.Logger
}

// Cipher encrypts records on their way to the disk. It is safe for concurrent
// use, and what it makes has no line break.
type Cipher interface {
	Seal(record []byte) []byte
	// Open returns what Seal was given, and what Seal did not make as it is. An
	// error says that the record must wait for another process: this one's cipher
	// never opens it.
	Open(kept []byte) ([]byte, error)
}

// Record is one record of the spool.
type Record struct {
	// At is when it was appended, in UTC and whole milliseconds.
	At   time.Time
	Data []byte
}

// State is how the spool stands.
type State struct {
	// Records is how many wait to be folded: this process's own, those that it
	// adopted, and those that it cannot decrypt.
	Records int
	// Oldest is when the oldest of them was appended; zero when none waits.
	Oldest time.Time
	// Bytes is the length of the files that hold them.
	Bytes int64
}

// Spool is the spool of one process. Open makes one. Its methods are safe for
// concurrent use.
type Spool struct {
	dir  string
	opts Options

	sending sync.RWMutex // Guards closed, and that nobody sends to a closed queue.
	closed  bool
	queue   chan *entry
	ended   chan struct{}

	folding sync.Mutex // One fold at a time. Taken before writing.
	writing sync.Mutex // Guards active and the writes to it.
	active  *file      // Takes what is appended; nil when nothing was.

	mu     sync.Mutex // Guards sealed, aside, and the counts of every file.
	sealed []*file    // Wait to be folded, the oldest first.
	aside  []*file    // Cannot be decrypted here; they are closed.
	// counted is active once more, for State, which waits for no disk.
	counted *file
}

// entry is one record on its way to the disk. A probe is written, and taken
// back.
type entry struct {
	data  []byte
	probe bool
	done  chan error
}

// Open returns the spool of this process in a directory, which it makes (mode
// 0700) where it is missing. No file is made before the first record. The
// caller closes it.
func Open(dir string, opts Options) (*Spool, error) {
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = 1 << 30
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if err := makeDir(dir); err != nil {
		return nil, classify(opOpen, err)
	}
	s := &Spool{dir: dir, opts: opts, queue: make(chan *entry, maxQueued), ended: make(chan struct{})}
	go s.write()
	return s, nil
}

// Append keeps a record, which holds no line break. When it returns nil the
// record is on the disk and will be folded. After any error it may be there
// all the same. It returns fault.Throttled when too many records wait for the
// disk, and fault.Unavailable when the disk does not take it.
func (s *Spool) Append(ctx context.Context, data []byte) error {
	if len(data) == 0 || bytes.IndexByte(data, '\n') >= 0 {
		return fault.New(fault.Invalid, opAppend, "a record is empty, or holds a line break")
	}
	if s.opts.Cipher != nil {
		data = s.opts.Cipher.Seal(data)
	}
	return s.send(ctx, opAppend, &entry{data: data, done: make(chan error, 1)})
}

// Check writes as Append does, and takes back what it wrote. It returns nil
// when a record could be kept now.
func (s *Spool) Check(ctx context.Context) error {
	return s.send(ctx, opCheck, &entry{data: bytes.Repeat([]byte{'.'}, probeSize), probe: true, done: make(chan error, 1)})
}

func (s *Spool) send(ctx context.Context, op string, e *entry) error {
	if err := s.enqueue(op, e); err != nil {
		return err
	}
	select {
	case err := <-e.done:
		return classify(op, err)
	case <-ctx.Done():
		return fault.Wrap(fault.Ambiguous, op, "the caller stopped waiting for the disk", ctx.Err())
	}
}

func (s *Spool) enqueue(op string, e *entry) error {
	s.sending.RLock()
	defer s.sending.RUnlock()
	if s.closed {
		return fault.New(fault.Unavailable, op, "the spool is closed")
	}
	select {
	case s.queue <- e:
		return nil
	default:
		return fault.New(fault.Throttled, op, "too many records wait for the disk")
	}
}

// State returns how the spool stands. It does not wait for the disk.
func (s *Spool) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	var st State
	for _, f := range slices.Concat(s.sealed, s.aside, []*file{s.counted}) {
		if f == nil {
			continue
		}
		st.Bytes += f.size
		st.Records += f.waiting
		if f.waiting > 0 && (st.Oldest.IsZero() || f.oldest.Before(st.Oldest)) {
			st.Oldest = f.oldest
		}
	}
	return st
}

// Close lets what is queued reach the disk and closes the files. What was not
// folded stays, for the next process. Later calls do nothing.
func (s *Spool) Close() error {
	s.sending.Lock()
	already := s.closed
	if !already {
		s.closed = true
		close(s.queue)
	}
	s.sending.Unlock()
	<-s.ended
	if already {
		return nil
	}
	s.folding.Lock()
	defer s.folding.Unlock()
	s.seal()
	var errs []error
	for _, f := range s.takeSealed() {
		if f.waiting == 0 && f.size == 0 {
			errs = append(errs, f.remove())
			continue
		}
		errs = append(errs, f.close())
	}
	return classify("spool.close", errors.Join(errs...))
}

func (s *Spool) takeSealed() []*file {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := s.sealed
	s.sealed = nil
	return files
}

// seal ends the active file, so that it can be folded.
func (s *Spool) seal() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.sealLocked()
}

func (s *Spool) sealLocked() {
	if s.active == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = append(s.sealed, s.active)
	s.active, s.counted = nil, nil
}

// classify turns what a file system says into a fault.
func classify(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.Wrap(fault.Unavailable, op, "the spool cannot be written: "+describe(err), err)
}

// describe says what went wrong without the path, which is in the log of the
// start.
func describe(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Op + ": " + e.Err.Error()
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok {
		return e.Error()
	}
	if errors.Is(err, lockfile.ErrLocked) || errors.Is(err, errGone) {
		return err.Error()
	}
	return "the file system failed in a way that it does not explain"
}
