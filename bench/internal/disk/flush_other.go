//go:build !unix

package disk

// Flush does nothing here.
func Flush() {}
