package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// journal is an append-only file of lines, each of which is on the disk when
// append returns. A nil file keeps nothing. Its user serialises the calls.
type journal struct {
	file   *os.File
	size   int64
	closed bool
}

// openJournal returns the journal and its lines. A last line without its end
// was never answered for and is cut off.
func openJournal(path string) (*journal, [][]byte, error) {
	if path == "" {
		return &journal{}, nil, nil
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the sandbox's books: %w", err)
	}
	j := &journal{file: file}
	lines, err := j.restore(filepath.Dir(path))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("opening the sandbox's books: %w", err), file.Close())
	}
	return j, lines, nil
}

func (j *journal) restore(dir string) ([][]byte, error) {
	content, err := io.ReadAll(j.file)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	content = content[:bytes.LastIndexByte(content, '\n')+1]
	j.size = int64(len(content))
	if err := j.file.Truncate(j.size); err != nil {
		return nil, fmt.Errorf("cutting off a broken last line: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	lines := bytes.Split(content, []byte{'\n'})
	return lines[:len(lines)-1], nil
}

// append writes one line and waits for the disk. A line that could not be
// written whole is taken back.
func (j *journal) append(line []byte) error {
	if j.closed {
		return errors.New("writing the sandbox's books: they are closed")
	}
	if j.file == nil {
		return nil
	}
	line = append(line, '\n')
	_, err := j.file.Write(line)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the sandbox's books: %w", err), j.file.Truncate(j.size))
	}
	j.size += int64(len(line))
	return nil
}

func (j *journal) close() error {
	j.closed = true
	if j.file == nil {
		return nil
	}
	if err := j.file.Close(); err != nil {
		return fmt.Errorf("closing the sandbox's books: %w", err)
	}
	return nil
}

// syncDir makes a new file's name as durable as its content.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening its directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("syncing its directory: %w", err)
	}
	return nil
}
