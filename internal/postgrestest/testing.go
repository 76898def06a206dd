package postgrestest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Required is the environment variable that, set to "required", makes tests
// fail where they would be skipped for want of PostgreSQL.
const Required = "REWARDFLOW_POSTGRES"

// New starts a server that lives as long as the test. Without PostgreSQL on
// the machine the test is skipped, or fails where Required says so.
func New(tb testing.TB, opts Options) *Server {
	tb.Helper()
	s, err := Start(tb.Context(), opts)
	if errors.Is(err, ErrNotInstalled) && os.Getenv(Required) != "required" {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Database makes an empty database for a test and returns its URL.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	s.mu.Lock()
	s.made++
	name := fmt.Sprintf("test_%d", s.made)
	s.mu.Unlock()
	address, err := s.Create(tb.Context(), name)
	if err != nil {
		tb.Fatal(fmt.Errorf("create database %s: %s", name, strings.ReplaceAll(err.Error(), s.password, "***")))
	}
	return address
}
