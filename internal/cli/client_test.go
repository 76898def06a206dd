package cli_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/cli"
)

// bundle is one run of the command line against a server that misbehaves in a
// way that the real API does not.
type bundle struct {
	env            cli.Env
	stdout, stderr bytes.Buffer
}

func setup(t *testing.T, h http.HandlerFunc, args ...string) *bundle {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	b := &bundle{}
	b.env = cli.Env{
		Args:    append([]string{"--url", server.URL}, args...),
		Stdin:   http.NoBody,
		Stdout:  &b.stdout,
		Stderr:  &b.stderr,
		Lookup:  func(string) (string, bool) { return "", false },
		Environ: func() []string { return nil },
		Version: "v0.0.0-test",
		Now:     time.Now,
	}
	return b
}

// showThen answers every GET with a reward that waits for approval.
func showThen(others http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			others(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"id":1001,"status":"awaiting_approval","digest":"d1"}`)
	}
}

func TestALostAnswerToADecisionIsNoFailureToDecide(t *testing.T) {
	t.Parallel()

	var calls atomic.Int32
	b := setup(t, showThen(func(http.ResponseWriter, *http.Request) {
		calls.Add(1)
		panic(http.ErrAbortHandler) // The request was read, and the connection breaks.
	}), "approvals", "approve", "1001", "--yes")

	require.Equal(t, 1, cli.New(b.env).Execute(t.Context()))
	require.Contains(t, b.stderr.String(), "it may have taken the request")
	require.Contains(t, b.stderr.String(), "next: look before you send it again")
	require.EqualValues(t, 1, calls.Load(), "a decision is sent once")
	require.Empty(t, b.stdout.String())
}

func TestAnInterruptDoesNotWaitForTheAnswerToAQuestion(t *testing.T) {
	t.Parallel()

	b := setup(t, showThen(func(http.ResponseWriter, *http.Request) { t.Error("a decision was sent") }),
		"approvals", "approve", "1001")
	ctx, interrupt := context.WithCancel(t.Context())
	silence, end := io.Pipe()
	t.Cleanup(func() { _ = end.Close() })
	b.env.StdinTerminal = true
	b.env.Stdin = readerFunc(func(p []byte) (int, error) {
		interrupt()
		return silence.Read(p)
	})

	require.Equal(t, 1, cli.New(b.env).Execute(ctx))
	require.Contains(t, b.stderr.String(), "Approve reward 1001? [y/N] rewardflow: interrupted\n")
}

func TestAnInputThatEndsIsNoYes(t *testing.T) {
	t.Parallel()

	b := setup(t, showThen(func(http.ResponseWriter, *http.Request) { t.Error("a decision was sent") }),
		"approvals", "approve", "1001")
	b.env.StdinTerminal = true
	b.env.Stdin = bytes.NewBufferString("y") // Without the return key.

	require.Equal(t, 2, cli.New(b.env).Execute(t.Context()))
	require.Contains(t, b.stderr.String(), "nothing was done")
}

func TestTheTokenGoesNowhereElse(t *testing.T) {
	t.Parallel()

	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(stranger.Close)
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, stranger.URL, http.StatusTemporaryRedirect)
	}, "show", "1001", "--token", "olga-0123456789")

	require.Equal(t, 1, cli.New(b.env).Execute(t.Context()))
	require.Contains(t, b.stderr.String(), "answered 307, and not as rewardflow does")
	require.NotContains(t, b.stderr.String(), "olga-0123456789")
}

func TestAFaultOfTheAPIIsNamedByItsRequestID(t *testing.T) {
	t.Parallel()

	b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"detail":"something went wrong here","code":"internal","request_id":"request-77"}`)
	}, "why", "1001")

	require.Equal(t, 1, cli.New(b.env).Execute(t.Context()))
	require.Equal(t, "rewardflow: something went wrong here\nnext: look into the log of the API, under the request ID request-77\n",
		b.stderr.String())
}

func TestADocumentOfAnotherKindIsRefused(t *testing.T) {
	t.Parallel()

	for _, body := range []string{`"hello"`, `[]`, `<html>`, ``} {
		b := setup(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }, "show", "1001", "-o", "json")
		require.Equal(t, 1, cli.New(b.env).Execute(t.Context()), body)
		require.Contains(t, b.stderr.String(), "is not a document of rewardflow's operator API", body)
		require.Empty(t, b.stdout.String(), body)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
