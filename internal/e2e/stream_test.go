package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// stream sends events at a steady rate, whatever becomes of them: each is sent
// when its time has come, and none waits for the answer to another. It plays
// the part of FirstPromoter that sends an event once.
type stream struct {
	attacker *vegeta.Attacker
	number   atomic.Int64
	kinds    []string
	done     chan struct{}
	results  []*vegeta.Result

	mu   sync.Mutex
	sent map[string]string // The type of each event, by its ID.
}

// startStream begins to send events of the kinds, in turn.
func startStream(t *testing.T, url string, perSecond int, span time.Duration, kinds ...string) *stream {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 1024}
	t.Cleanup(transport.CloseIdleConnections)
	s := &stream{
		attacker: vegeta.NewAttacker(vegeta.Client(&http.Client{Transport: transport, Timeout: 15 * time.Second})),
		kinds:    kinds, done: make(chan struct{}), sent: map[string]string{},
	}
	answers := s.attacker.Attack(s.target(url), vegeta.ConstantPacer{Freq: perSecond, Per: time.Second}, span, "")
	go func() {
		defer close(s.done)
		for result := range answers {
			s.results = append(s.results, result)
		}
	}()
	t.Cleanup(func() { s.attacker.Stop(); <-s.done })
	return s
}

// firstStreamed is the ID of the first event.
const firstStreamed = 50_000_000

func (s *stream) target(url string) vegeta.Targeter {
	return func(target *vegeta.Target) error {
		n := s.number.Add(1)
		id, kind := strconv.FormatInt(firstStreamed+n, 10), s.kinds[int(n)%len(s.kinds)]
		s.mu.Lock()
		s.sent[id] = kind
		s.mu.Unlock()
		// The query brings the ID from the target to its result.
		target.Method, target.URL = http.MethodPost, url+"?"+id
		target.Header = http.Header{"Content-Type": {"application/json"}}
		target.Body = fmt.Appendf(nil, `{"event":{"id":%s,"type":%q,"created_at":"2026-11-23T11:06:02.663Z"},
			"data":{"id":%d,"state":"signup","email":"lead-%d@example.com","uid":"u-%d","plan_name":"Pro 🎉","padding":%q}}`,
			id, kind, n, n, n, strings.Repeat("x", 1000))
		return nil
	}
}

// finish waits until every event was answered, and returns the IDs of those
// that were answered with a 2xx, with their types.
func (s *stream) finish() (accepted map[string]string) {
	<-s.done
	accepted = map[string]string{}
	for _, r := range s.results {
		if _, id, found := strings.Cut(r.URL, "?"); r.Code/100 == 2 && found {
			accepted[id] = s.sent[id]
		}
	}
	return accepted
}

// refused counts what was not answered with a 2xx, by what was.
func (s *stream) refused() map[string]int {
	refused := map[string]int{}
	for _, r := range s.results {
		if r.Code/100 != 2 {
			why := r.Error[strings.LastIndex(r.Error, ": ")+1:] // Without the address.
			refused[fmt.Sprintf("%d %s", r.Code, why)]++
		}
	}
	return refused
}

// slowest returns the latency below which the given share of the answers came,
// of those that were asked for outside the two times.
func (s *stream) slowest(share float64, from, to time.Time) time.Duration {
	var all []time.Duration
	for _, r := range s.results {
		if r.Timestamp.Before(from) || r.Timestamp.After(to) {
			all = append(all, r.Latency)
		}
	}
	slices.Sort(all)
	return all[min(int(share*float64(len(all))), len(all)-1)]
}

// requireInTheLogOnce looks into the ledger for every event that was answered
// with a 2xx, and for nothing but events that were sent.
func (w *world) requireInTheLogOnce(s *stream, accepted map[string]string) {
	w.t.Helper()
	rows, err := w.openLedger().QueryContext(w.t.Context(), `SELECT event_id, type FROM inbox WHERE type <> 'fulfilment_pending'`)
	require.NoError(w.t, err)
	defer rows.Close()
	kept := map[string]string{}
	for rows.Next() {
		var id, kind string
		require.NoError(w.t, rows.Scan(&id, &kind))
		if n, err := strconv.Atoi(id); err != nil || n <= firstStreamed {
			continue // FirstPromoter's own, or one of ours.
		}
		require.NotContains(w.t, kept, id, "an event that is there twice")
		require.Equal(w.t, s.sent[id], kind)
		kept[id] = kind
	}
	require.NoError(w.t, rows.Err())
	missing := maps.Clone(accepted)
	maps.DeleteFunc(missing, func(id, _ string) bool { return kept[id] != "" })
	require.Empty(w.t, missing, "events that were answered and are not in the log")
}
