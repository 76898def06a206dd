// Package disk says what the disk under a benchmark is like.
package disk

import (
	"errors"
	"os"
	"slices"
	"time"
)

// syncs is how many syncs are timed.
const syncs = 200

// Sync returns how long it takes to append a page to a file and to wait for the
// disk: the median of some.
func Sync(dir string) (_ time.Duration, failed error) {
	file, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return 0, err
	}
	defer func() { failed = errors.Join(failed, file.Close(), os.Remove(file.Name())) }()
	page := make([]byte, 4096)
	times := make([]time.Duration, syncs)
	for i := range times {
		began := time.Now()
		if _, err := file.Write(page); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return times[syncs/2], nil
}
