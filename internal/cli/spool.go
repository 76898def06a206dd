package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// spool holds an output back until it is complete, in a temporary file that
// only its owner may read: beside the file that it will be, or, for what goes
// to standard output, in the directory for temporary files.
type spool struct {
	name string // Empty for standard output.
	file *os.File
	buf  *bufio.Writer
}

func newSpool(name string) (*spool, error) {
	s := &spool{name: name}
	dir := ""
	if name != "" {
		if err := s.resolve(); err != nil {
			return nil, err
		}
		dir = filepath.Dir(s.name)
	}
	file, err := os.CreateTemp(dir, ".rewardflow-export-*")
	if err != nil {
		return nil, usage("a temporary file cannot be made: %v", err)
	}
	s.file, s.buf = file, bufio.NewWriter(file)
	return s, nil
}

// resolve refuses what a rename must not replace, and follows a link.
func (s *spool) resolve() error {
	info, err := os.Stat(s.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return usage("the file cannot be written: %v", err)
	case !info.Mode().IsRegular():
		return usage("%s is no file: leave --file out to write to standard output", plain(s.name))
	}
	s.name, err = filepath.EvalSymlinks(s.name)
	return err
}

// Write implements io.Writer.
func (s *spool) Write(data []byte) (int, error) { return s.buf.Write(data) }

// restart forgets what was written.
func (s *spool) restart() error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	s.buf.Reset(s.file)
	return s.file.Truncate(0)
}

// keep makes what was written the file, or copies it to standard output.
func (s *spool) keep(stdout io.Writer) error {
	err := s.buf.Flush()
	if err == nil && s.name == "" {
		if _, err = s.file.Seek(0, io.SeekStart); err == nil {
			_, err = io.Copy(stdout, s.file)
		}
	}
	if err == nil && s.name != "" {
		if err = s.file.Sync(); err == nil {
			err = s.file.Close()
		}
		if err == nil {
			err = os.Rename(s.file.Name(), s.name)
		}
	}
	if err != nil {
		return fmt.Errorf("the export is not complete: writing it: %w", err)
	}
	return nil
}

// discard removes what was not kept.
func (s *spool) discard() {
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
}
