package e2e_test

import (
	"os"
	"testing"
)

// TestMain turns the test binary into one process of rewardflow when its
// parent, a test, says so.
func TestMain(m *testing.M) {
	if spec, child := os.LookupEnv(childVariable); child {
		os.Exit(runChild(spec))
	}
	os.Exit(m.Run())
}
