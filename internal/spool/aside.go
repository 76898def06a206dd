package spool

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// ErrNotDecrypted is in what Fold returns when all that it could decrypt was
// taken. The rest waits for a process with another cipher, whatever this one does.
var ErrNotDecrypted = errors.New("a record cannot be decrypted here")

// decipher decrypts records in place.
func (s *Spool) decipher(f *file, records []Record) error {
	if s.opts.Cipher == nil {
		return nil
	}
	for i := range records {
		plain, err := s.opts.Cipher.Open(records[i].Data)
		if err != nil {
			return fault.Wrap(fault.Unavailable, opFold, f.name()+" waits, for it cannot be decrypted: "+err.Error(), errors.Join(ErrNotDecrypted, err))
		}
		records[i].Data = plain
	}
	return nil
}

// setAside closes a file that cannot be decrypted, so that those behind it are
// folded, and that a process which can decrypt it finds it unlocked.
func (s *Spool) setAside(f *file, why error) error {
	s.mu.Lock()
	s.dropSealed(f)
	f.why = why
	s.aside = append(s.aside, f)
	s.mu.Unlock()
	return f.close()
}

// forget drops the files that were set aside, and are no longer there.
func (s *Spool) forget(there []fs.DirEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aside = slices.DeleteFunc(s.aside, func(f *file) bool {
		return !slices.ContainsFunc(there, func(e fs.DirEntry) bool { return e.Name() == f.name() })
	})
}

// whyAside is why the oldest file was set aside; nil when none was.
func (s *Spool) whyAside() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.aside) == 0 {
		return nil
	}
	return s.aside[0].why
}
