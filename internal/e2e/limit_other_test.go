//go:build !unix

package e2e_test

import (
	"errors"
	"os"
)

// limitFiles limits nothing, because only unix has such limits.
func limitFiles(length uint64) error {
	if length != 0 {
		return errors.New("this system does not limit the length of files")
	}
	return nil
}

// peakMemory is not known here.
func peakMemory(*os.ProcessState) int64 { return 0 }
