package spool

import (
	"fmt"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// write is the goroutine that writes, batch by batch.
func (s *Spool) write() {
	defer close(s.ended)
	for first := range s.queue {
		batch := []*entry{first}
		for len(batch) < maxBatch && !first.probe {
			next, ok := s.next()
			if !ok {
				break
			}
			batch = append(batch, next)
			if next.probe {
				break
			}
		}
		s.commit(batch)
	}
}

func (s *Spool) next() (*entry, bool) {
	select {
	case e, ok := <-s.queue:
		return e, ok
	default:
		return nil, false
	}
}

// commit writes a batch, of which at most the last entry is a probe, and
// answers everybody.
func (s *Spool) commit(batch []*entry) {
	if last := batch[len(batch)-1]; last.probe {
		if batch = batch[:len(batch)-1]; len(batch) > 0 {
			s.commit(batch)
		}
		last.done <- s.probe(last.data)
		return
	}
	now := s.opts.Now().UTC().Truncate(time.Millisecond)
	var lines []byte
	for _, e := range batch {
		lines = appendLine(lines, Record{At: now, Data: e.data})
	}
	err := s.persist(lines, len(batch), now)
	for _, e := range batch {
		e.done <- err
	}
}

// persist writes lines to the active file and waits for the disk.
func (s *Spool) persist(lines []byte, records int, now time.Time) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.State().Bytes+int64(len(lines)) > s.opts.MaxBytes {
		return fault.New(fault.Unavailable, opAppend, fmt.Sprintf("the spool is full: it may hold %d bytes", s.opts.MaxBytes))
	}
	f, err := s.open()
	if err != nil {
		return err
	}
	if err := s.extend(f, lines); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.size += int64(len(lines))
	f.waiting += records
	if f.oldest.IsZero() {
		f.oldest = now
	}
	return nil
}

// probe writes, waits for the disk, and takes back what it wrote. What it
// writes is no whole line: should the process die in between, it is read as a
// record that was torn.
func (s *Spool) probe(data []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	f, err := s.open()
	if err != nil {
		return err
	}
	if err := s.extend(f, data); err != nil {
		return err
	}
	s.rewind(f)
	return nil
}

// extend writes behind the last record and waits for the disk. What a failure
// leaves there is taken back.
func (s *Spool) extend(f *file, lines []byte) error {
	if _, err := f.WriteAt(lines, f.size); err != nil {
		s.rewind(f)
		return err
	}
	if err := f.Sync(); err != nil {
		// Nobody knows what the disk has of it, now or after the next attempt.
		s.abandon(f)
		return err
	}
	return nil
}

// open returns the active file, and makes it where there is none.
func (s *Spool) open() (*file, error) {
	if s.active != nil {
		return s.active, nil
	}
	f, err := create(s.dir, s.opts.Now())
	if err != nil {
		return nil, err
	}
	s.active = f
	s.mu.Lock()
	s.counted = f
	s.mu.Unlock()
	return f, nil
}

// rewind takes back what was written behind the last record.
func (s *Spool) rewind(f *file) {
	if err := f.Truncate(f.size); err != nil {
		s.opts.Logger.Error("spool.not_rewound", "file", f.name(), "error", describe(err))
		s.abandon(f)
	}
}

// abandon sees to it that nothing more is written to the active file. One that
// holds no record is removed: a disk that fails must not be given a file for
// every attempt.
func (s *Spool) abandon(f *file) {
	s.sealLocked()
	if f.size > 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropSealed(f)
	if err := f.remove(); err != nil {
		s.opts.Logger.Error("spool.not_removed", "file", f.name(), "error", describe(err))
	}
}
