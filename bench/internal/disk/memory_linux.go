package disk

import "golang.org/x/sys/unix"

// InMemory reports whether a directory is on a file system that keeps nothing
// on a disk, as far as that can be told.
func InMemory(dir string) bool {
	var stat unix.Statfs_t
	if unix.Statfs(dir, &stat) != nil {
		return false
	}
	return stat.Type == unix.TMPFS_MAGIC || stat.Type == unix.RAMFS_MAGIC
}
