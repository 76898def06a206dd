//go:build unix

package spool

import (
	"errors"
	"os"
	"path/filepath"
)

// remove removes the file while it is still locked, so that nobody adopts it.
func (f *file) remove() error {
	return errors.Join(os.Remove(f.Name()), f.Close())
}

// syncDir waits until the names in a directory are on the disk.
func syncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
