//go:build !linux

package disk

// InMemory reports whether a directory is on a file system that keeps nothing
// on a disk, as far as that can be told.
func InMemory(string) bool { return false }
