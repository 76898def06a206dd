package cli_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/cli"
)

// counts answers that a decision counts.
func counts(w http.ResponseWriter) {
	_, _ = io.WriteString(w, `{"decision":{"decision":"approve"},"approvals":1,"needed":1,"approved":true}`)
}

func problem(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"detail":"something went wrong here","code":"`+code+`","request_id":"request-77"}`)
}

func TestABarIsDrawnOnATerminalOnly(t *testing.T) {
	t.Parallel()

	for _, terminal := range []bool{true, false} {
		b := setup(t, showThen(func(w http.ResponseWriter, _ *http.Request) { counts(w) }),
			"approvals", "approve", "1001", "1002", "--yes", "-o", "json")
		b.env.StderrTerminal = terminal
		require.Zero(t, cli.New(b.env).Execute(t.Context()), b.stderr.String())
		require.Equal(t, terminal, strings.Contains(b.stderr.String(), "\rapprovals "), "%q", b.stderr.String())
		require.Equal(t, terminal, strings.ContainsAny(b.stderr.String(), "\r\x1b"), "%q", b.stderr.String())
		require.True(t, json.Valid(b.stdout.Bytes()), "the bar is no part of the output")
	}
}

// Whoever interrupts it knows what became of each.
func TestAnInterruptEndsSeveralAfterTheOneThatIsOnItsWay(t *testing.T) {
	t.Parallel()

	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var sent atomic.Int32
	b := setup(t, showThen(func(w http.ResponseWriter, _ *http.Request) {
		if sent.Add(1) == 2 {
			interrupt()
		}
		counts(w)
	}), "approvals", "approve", "1001", "1002", "1003", "1004", "--yes")

	require.Equal(t, 1, cli.New(b.env).Execute(ctx))
	require.Contains(t, b.stderr.String(), "rewardflow: interrupted; 2 of 4 approvals count, not sent: 2\n")
	require.Equal(t, "not decided: 1003 1004\n2 of 4 approvals count\n", b.stdout.String())
	require.EqualValues(t, 2, sent.Load())
}

func TestAnInterruptBeforeAnythingIsDecidedSaysSo(t *testing.T) {
	t.Parallel()

	ctx, interrupt := context.WithCancel(t.Context())
	b := setup(t, func(_ http.ResponseWriter, r *http.Request) {
		interrupt()
		<-r.Context().Done()
	}, "approvals", "approve", "1001", "1002", "--yes")

	require.Equal(t, 1, cli.New(b.env).Execute(ctx))
	require.Contains(t, b.stderr.String(), "rewardflow: interrupted; nothing was decided\n")
}

// A failure that is no matter of one reward ends it: the next would not fare
// better. What may have been taken is told apart from what was not sent.
func TestAFailureEndsSeveralAndTellsHowFarItCame(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		fails  http.HandlerFunc
		result string
		stdout string
	}{
		"the answer is lost": {
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			"unknown", "reward 1002: it may be decided: look at it\nnot decided: 1003\n1 of 3 approvals count\n",
		},
		"the API fails": {
			func(w http.ResponseWriter, _ *http.Request) { problem(w, http.StatusInternalServerError, "internal") },
			"unknown", "reward 1002: it may be decided: look at it\nnot decided: 1003\n1 of 3 approvals count\n",
		},
		"the answer is not the API's": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") },
			"unknown", "reward 1002: it may be decided: look at it\nnot decided: 1003\n1 of 3 approvals count\n",
		},
		"the API is busy": {
			func(w http.ResponseWriter, _ *http.Request) { problem(w, http.StatusServiceUnavailable, "unavailable") },
			"not_sent", "not decided: 1002 1003\n1 of 3 approvals count\n",
		},
	} {
		for output, want := range map[string]string{"text": c.stdout, "json": ""} {
			var sent atomic.Int32
			b := setup(t, showThen(func(w http.ResponseWriter, r *http.Request) {
				if sent.Add(1) == 2 {
					c.fails(w, r)
					return
				}
				counts(w)
			}), "approvals", "approve", "1001", "1002", "1003", "--yes", "-o", output)

			require.Equal(t, 1, cli.New(b.env).Execute(t.Context()), name)
			require.Contains(t, b.stderr.String(), "; 1 of 3 approvals count, not sent: ", name)
			require.EqualValues(t, 2, sent.Load(), name)
			if output == "text" {
				require.Equal(t, want, b.stdout.String(), name)
				continue
			}
			var document struct {
				Rewards []struct {
					ID     int    `json:"id"`
					Result string `json:"result"`
				} `json:"rewards"`
			}
			require.NoError(t, json.Unmarshal(b.stdout.Bytes(), &document), name)
			require.Len(t, document.Rewards, 3, name)
			require.Equal(t, "counted", document.Rewards[0].Result, name)
			require.Equal(t, c.result, document.Rewards[1].Result, name)
			require.Equal(t, "not_sent", document.Rewards[2].Result, name)
		}
	}
}
