package spool

import (
	"errors"
	"os"
	"syscall"
)

// errSharingViolation is Windows' ERROR_SHARING_VIOLATION.
const errSharingViolation = syscall.Errno(32)

// openLocked opens a file so that nobody else can open it, or returns errLocked.
func openLocked(path string, make bool) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	how := uint32(syscall.OPEN_EXISTING)
	if make {
		how = syscall.CREATE_NEW
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, how, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharingViolation) {
		return nil, errLocked
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// remove closes the file first, because an open one cannot be removed here.
// Whoever adopts it in between folds it once more, which changes nothing.
func (f *file) remove() error {
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// syncDir does nothing: a directory cannot be flushed here, and NTFS keeps its
// names in a journal.
func syncDir(string) error { return nil }
