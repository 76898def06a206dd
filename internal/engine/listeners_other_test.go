//go:build !linux

package engine_test

import "testing"

// requireLoopbackOnly has nothing to read on this system.
func requireLoopbackOnly(*testing.T) {}
