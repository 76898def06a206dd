package cli_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/cli"
)

// The API's answers, one after the other: the list that is there, the same, a
// failure, and another list. A person presses Ctrl-C when that was seen.
func TestWatchedListIsWrittenWhenItChanges(t *testing.T) {
	t.Parallel()

	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	looks := 0
	b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		looks++
		switch looks {
		case 1, 2:
			_, _ = io.WriteString(w, `{"approvals":[{"id":1001,"quantity":{"amount":3,"unit":"credits"},"needed":1,"received_at":"2026-11-23T09:01:00Z"}],"next_cursor":""}`)
		case 3:
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"error":{"code":"unavailable","message":"the ledger is locked"}}`)
		case 4:
			_, _ = io.WriteString(w, `{"approvals":[{"id":1002,"quantity":{"amount":4,"unit":"credits"},"needed":1,"received_at":"2026-11-23T09:02:00Z"}],"next_cursor":""}`)
		default:
			interrupt()
		}
	}, "approvals", "list", "--watch=100ms")
	require.Zero(t, cli.New(b.env).Execute(ctx), b.stderr.String())
	require.Equal(t, 1, strings.Count(b.stdout.String(), "1001"), "what has not changed is not written again")
	require.Equal(t, 1, strings.Count(b.stdout.String(), "1002"))
	require.Contains(t, b.stderr.String(), "is tried again")
	require.Contains(t, b.stderr.String(), "changed at ")
}

func TestWatchEndsWhereTheFirstLookFails(t *testing.T) {
	t.Parallel()

	b := setup(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, "approvals", "list", "--watch")
	require.NotZero(t, cli.New(b.env).Execute(t.Context()))
	b = setup(t, func(http.ResponseWriter, *http.Request) {}, "approvals", "list", "--watch=1ms")
	require.NotZero(t, cli.New(b.env).Execute(t.Context()))
	require.Contains(t, b.stderr.String(), "at least 100ms")
}
