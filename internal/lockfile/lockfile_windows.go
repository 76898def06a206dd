package lockfile

import (
	"errors"
	"os"
	"syscall"
)

// errSharingViolation is Windows' ERROR_SHARING_VIOLATION.
const errSharingViolation = syscall.Errno(32)

// open opens the file so that nobody else can open it.
func open(path string, flags int) (*File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, disposition(flags), syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharingViolation) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &File{os.NewFile(uintptr(h), path)}, nil
}

func disposition(flags int) uint32 {
	switch {
	case flags&os.O_EXCL != 0:
		return syscall.CREATE_NEW
	case flags&os.O_CREATE != 0:
		return syscall.OPEN_ALWAYS
	}
	return syscall.OPEN_EXISTING
}

// unlock does nothing: the handle is the lock.
func (f *File) unlock() error { return nil }
