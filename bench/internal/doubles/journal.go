package doubles

import (
	"errors"
	"os"
	"sync"
)

// journal is an append-only file of lines, each of which is on the disk when
// append returns. Lines that come while a sync is under way share the next one,
// so that the doubles are not what limits a contender.
type journal struct {
	file *os.File

	mu      sync.Mutex
	changed *sync.Cond
	pending []byte
	written int // lines handed over
	synced  int // lines on the disk
	closed  bool
	err     error
	done    chan struct{}
}

var errClosed = errors.New("the books are closed")

func openJournal(path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{file: file, done: make(chan struct{})}
	j.changed = sync.NewCond(&j.mu)
	go j.sync()
	return j, nil
}

// append returns when the line is on the disk.
func (j *journal) append(line []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return errClosed
	}
	j.pending = append(append(j.pending, line...), '\n')
	j.written++
	mine := j.written
	j.changed.Broadcast()
	for j.synced < mine && j.err == nil {
		j.changed.Wait()
	}
	return j.err
}

// sync writes what has come in until the journal is closed and empty.
func (j *journal) sync() {
	defer close(j.done)
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.err == nil {
		for len(j.pending) == 0 && !j.closed {
			j.changed.Wait()
		}
		if len(j.pending) == 0 {
			return
		}
		batch, upTo := j.pending, j.written
		j.pending = nil
		j.mu.Unlock()
		_, err := j.file.Write(batch)
		if err == nil {
			err = j.file.Sync()
		}
		j.mu.Lock()
		j.err = err
		if err == nil {
			j.synced = upTo
		}
		j.changed.Broadcast()
	}
}

// close waits for what has come in, and closes the file.
func (j *journal) close() error {
	j.mu.Lock()
	j.closed = true
	j.changed.Broadcast()
	j.mu.Unlock()
	<-j.done
	return errors.Join(j.err, j.file.Close())
}
