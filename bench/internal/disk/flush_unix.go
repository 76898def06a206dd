//go:build unix

package disk

import "golang.org/x/sys/unix"

// Flush waits until what was written, by whomever, is on the disk. A compiler
// leaves hundreds of megabytes in memory, and when the system writes them half a
// minute later, a sync of a database waits for 100 to 200 ms.
func Flush() { unix.Sync() }
