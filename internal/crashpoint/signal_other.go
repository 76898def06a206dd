//go:build !unix

package crashpoint

import "errors"

func signalSelf(How) error { return errors.New("this system has no such signal") }
