package doubles_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/bench/internal/doubles"
)

func start(t *testing.T) (*doubles.Doubles, string) {
	t.Helper()
	dir := t.TempDir()
	d, err := doubles.Start(dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Close() })
	return d, dir
}

// ask makes a request and returns the status and the body; zero when there is
// no answer.
func ask(t *testing.T, method, target, key, contentType, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("webhook-id", key)
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	var answer json.RawMessage
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	return resp.StatusCode, string(answer)
}

func pay(t *testing.T, d *doubles.Doubles, id int64, key string) int {
	t.Helper()
	status, _ := ask(t, http.MethodPost, d.ProviderURL, key, "application/json",
		`{"data":{"key":"`+key+`","reward":{"id":`+strconv.FormatInt(id, 10)+`}}}`)
	return status
}

func complete(t *testing.T, d *doubles.Doubles, id int64) int {
	t.Helper()
	form := url.Values{"id": {strconv.FormatInt(id, 10)}, "status": {"completed"}}
	status, _ := ask(t, http.MethodPut, d.FirstPromoterURL+"/payouts/update", "", "application/x-www-form-urlencoded", form.Encode())
	return status
}

// TestBooks sees to it that the oracle would tell of a double effect, of a
// repeated request and of a second close.
func TestBooks(t *testing.T) {
	t.Parallel()

	d, dir := start(t)
	ids := d.Owe(3)
	once, again, twice := ids[0], ids[1], ids[2]
	for _, p := range []struct {
		id  int64
		key string
	}{{once, "a"}, {again, "b"}, {again, "b"}, {twice, "c"}, {twice, "d"}} {
		require.Equal(t, http.StatusOK, pay(t, d, p.id, p.key))
	}
	require.Equal(t, http.StatusOK, complete(t, d, once))
	require.Equal(t, http.StatusOK, complete(t, d, twice))
	require.Equal(t, http.StatusOK, complete(t, d, twice))
	require.Equal(t, http.StatusUnprocessableEntity, pay(t, d, 1, "e"), "nobody is owed reward 1")
	require.Equal(t, http.StatusNotFound, complete(t, d, 1))

	accounts := d.Accounts()
	require.Len(t, accounts, 3)
	for id, want := range map[int64][3]int{once: {1, 0, 1}, again: {1, 1, 0}, twice: {2, 1, 2}} {
		a := accounts[id]
		require.Equal(t, want, [3]int{a.Effects, a.Again, a.Completions}, "reward %d", id)
		require.Equal(t, a.Completions == 0, a.CompletedAt.IsZero())
	}
	status, _ := ask(t, http.MethodGet, d.ProviderURL+"/b", "b", "", "")
	require.Equal(t, http.StatusOK, status)
	status, _ = ask(t, http.MethodGet, d.ProviderURL+"/z", "z", "", "")
	require.Equal(t, http.StatusNotFound, status)

	require.NoError(t, d.Close())
	lines, err := os.ReadFile(filepath.Join(dir, "books.jsonl"))
	require.NoError(t, err)
	require.Equal(t, 5+3, strings.Count(string(lines), "\n"), "every payout and every close is on the disk")
}

func TestSettled(t *testing.T) {
	t.Parallel()

	d, _ := start(t)
	ids := d.Owe(2)
	require.Equal(t, http.StatusOK, complete(t, d, ids[0]))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, d.Settled(ctx), "1 rewards are not fulfilled")

	var waiting sync.WaitGroup
	waiting.Go(func() { require.NoError(t, d.Settled(t.Context())) })
	require.Equal(t, http.StatusOK, complete(t, d, ids[1]))
	waiting.Wait()
}

// TestListHasWhatTheEventSays holds event and record against each other.
func TestListHasWhatTheEventSays(t *testing.T) {
	t.Parallel()

	d, _ := start(t)
	id := d.Owe(1)[0]
	var event struct {
		Data map[string]any `json:"data"`
	}
	require.NoError(t, json.Unmarshal(doubles.Event(id), &event))
	promoter, ok := event.Data["promoter"].(map[string]any)["id"].(float64)
	require.True(t, ok)
	list := d.FirstPromoterURL + "/payouts/list?promoter_id=" + strconv.FormatFloat(promoter, 'f', 0, 64)

	for _, status := range []string{"", "&status=pending"} {
		_, body := ask(t, http.MethodGet, list+status, "", "", "")
		var page []map[string]any
		require.NoError(t, json.Unmarshal([]byte(body), &page))
		require.Len(t, page, 1)
		for _, field := range []string{"id", "amount", "unit", "status"} {
			require.Equal(t, event.Data[field], page[0][field])
		}
	}
	require.Equal(t, http.StatusOK, complete(t, d, id))
	_, body := ask(t, http.MethodGet, list+"&status=pending", "", "", "")
	require.Equal(t, "[]", body)
}

func TestTripwire(t *testing.T) {
	t.Parallel()

	for name, after := range map[string]bool{"before the effect": false, "after the effect": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			d, _ := start(t)
			ids := d.Owe(2)
			var killed atomic.Int32
			d.Trip.Arm(2, after, func() { killed.Add(1) })
			require.Equal(t, http.StatusOK, pay(t, d, ids[0], "a"))
			require.Zero(t, killed.Load())
			require.Zero(t, pay(t, d, ids[1], "b"), "nobody hears the answer of the call that kills")
			require.EqualValues(t, 1, killed.Load())
			effects := 0
			if after {
				effects = 1
			}
			require.Equal(t, effects, d.Accounts()[ids[1]].Effects)
			require.Equal(t, http.StatusOK, pay(t, d, ids[0], "a"))
			require.EqualValues(t, 1, killed.Load())
			require.Equal(t, 3, d.Calls())
		})
	}
}
