package spool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/spool"
)

func open(t *testing.T, dir string, opts spool.Options) *spool.Spool {
	t.Helper()
	s, err := spool.Open(dir, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func appendAll(t *testing.T, s *spool.Spool, records ...string) {
	t.Helper()
	for _, r := range records {
		require.NoError(t, s.Append(t.Context(), []byte(r)))
	}
}

// keeper takes records and remembers them.
type keeper struct {
	taken   []string
	refuses string
	fails   error
}

// Take implements spool.Take.
func (k *keeper) take(_ context.Context, records []spool.Record) (refused int, err error) {
	if k.fails != nil {
		return 0, k.fails
	}
	for _, r := range records {
		if string(r.Data) == k.refuses {
			refused++
			continue
		}
		k.taken = append(k.taken, string(r.Data))
	}
	return refused, nil
}

func fold(t *testing.T, s *spool.Spool) []string {
	t.Helper()
	var k keeper
	n, err := s.Fold(t.Context(), k.take)
	require.NoError(t, err)
	require.Len(t, k.taken, n)
	return k.taken
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	return found
}

func TestFoldHandsOnWhatWasAppendedOnce(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "spool")
	now := time.Date(2026, 11, 23, 11, 0, 0, 123456789, time.UTC)
	s := open(t, dir, spool.Options{Now: func() time.Time { return now }})
	require.Empty(t, files(t, dir), "no record, no file")
	require.Zero(t, s.State())

	appendAll(t, s, "one", `{"two": "ü 🎉"}`, "three 3")
	st := s.State()
	require.Equal(t, 3, st.Records)
	require.Equal(t, now.Truncate(time.Millisecond), st.Oldest)
	require.Equal(t, time.Minute+456789*time.Nanosecond, st.Waited(now.Add(time.Minute)))
	require.Zero(t, st.Waited(now.Add(-time.Hour)), "the clock was stepped back")
	info, err := os.Stat(files(t, dir)[0])
	require.NoError(t, err)
	require.Equal(t, st.Bytes, info.Size())
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	var got []spool.Record
	n, err := s.Fold(t.Context(), func(_ context.Context, records []spool.Record) (int, error) {
		got = append(got, records...)
		return 0, nil
	})
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, spool.Record{At: now.Truncate(time.Millisecond), Data: []byte(`{"two": "ü 🎉"}`)}, got[1])
	require.Empty(t, files(t, dir))
	require.Zero(t, s.State())
	require.Empty(t, fold(t, s))

	appendAll(t, s, "four")
	require.Equal(t, []string{"four"}, fold(t, s))
}

func TestWhatIsNoRecordIsRefused(t *testing.T) {
	t.Parallel()

	s := open(t, t.TempDir(), spool.Options{})
	for _, data := range []string{"", "two\nlines", "\n"} {
		require.Equal(t, fault.Invalid, fault.KindOf(s.Append(t.Context(), []byte(data))), "%q", data)
	}
}

func TestFailedFoldKeepsEverything(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	s := open(t, dir, spool.Options{})
	appendAll(t, s, "one", "two")
	down := keeper{fails: fault.New(fault.Unavailable, "test", "the database is locked")}
	for range 5 {
		n, err := s.Fold(t.Context(), down.take)
		require.ErrorIs(t, err, down.fails)
		require.Zero(t, n)
		appendAll(t, s, "more")
	}
	require.Equal(t, 7, s.State().Records)
	require.Len(t, files(t, dir), 2, "a failure makes no file")
	require.Equal(t, []string{"one", "two", "more", "more", "more", "more", "more"}, fold(t, s))
	require.Empty(t, files(t, dir))
}

func TestFoldGoesOnWhereItFailed(t *testing.T) {
	t.Parallel()

	s := open(t, t.TempDir(), spool.Options{})
	var want []string
	for i := range 700 {
		want = append(want, fmt.Sprint(i))
	}
	var appending sync.WaitGroup
	for _, r := range want {
		appending.Go(func() { require.NoError(t, s.Append(context.Background(), []byte(r))) })
	}
	appending.Wait()
	errDown := errors.New("down")
	var got []string
	calls := 0
	take := func(_ context.Context, records []spool.Record) (int, error) {
		if calls++; calls == 2 {
			return 0, errDown
		}
		for _, r := range records {
			got = append(got, string(r.Data))
		}
		return 0, nil
	}
	n, err := s.Fold(t.Context(), take)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Equal(t, 256, n)
	require.Equal(t, 700-256, s.State().Records)
	n, err = s.Fold(t.Context(), take)
	require.NoError(t, err)
	require.Equal(t, 700-256, n)
	require.ElementsMatch(t, want, got)
}

func TestTheNextProcessFoldsWhatIsLeft(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	alive, err := spool.Open(dir, spool.Options{})
	require.NoError(t, err)
	appendAll(t, alive, "one", "two")

	other := open(t, dir, spool.Options{})
	appendAll(t, other, "three")
	require.Equal(t, []string{"three"}, fold(t, other), "the file of a process that lives is its own")
	require.NoError(t, alive.Close())
	require.NoError(t, alive.Close(), "closing twice is safe")
	require.Error(t, alive.Append(t.Context(), []byte("late")))
	require.Equal(t, []string{"one", "two"}, fold(t, other))
	require.Empty(t, files(t, dir))
}

func TestTornRecordIsReportedAndNobodyMissesIt(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	dead, err := spool.Open(dir, spool.Options{})
	require.NoError(t, err)
	appendAll(t, dead, "one", "two", "three")
	require.NoError(t, dead.Close())
	path := files(t, dir)[0]
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	third := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1

	for cut := third + 1; cut < len(whole); cut++ {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		var log bytes.Buffer
		s, err := spool.Open(dir, spool.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		require.Equal(t, []string{"one", "two"}, fold(t, s), "cut at byte %d", cut)
		require.NoError(t, s.Close())
		require.Contains(t, log.String(), "spool.torn")
		require.NotContains(t, log.String(), "thr", "what a record holds is not logged")
		require.Empty(t, files(t, dir), "nobody was told that it is kept")
	}
}

func TestDamagedRecordIsKeptForAPerson(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	dead, err := spool.Open(dir, spool.Options{})
	require.NoError(t, err)
	appendAll(t, dead, "one", "two", "three")
	require.NoError(t, dead.Close())
	path := files(t, dir)[0]
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, bytes.Replace(whole, []byte("two"), []byte("twO"), 1), 0o600))

	var log bytes.Buffer
	s := open(t, dir, spool.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.Equal(t, []string{"one", "three"}, fold(t, s), "the records around it are whole")
	require.Contains(t, log.String(), "spool.damaged")
	require.Contains(t, log.String(), "spool.kept")
	require.Equal(t, []string{path + ".kept"}, files(t, dir))
	require.Empty(t, fold(t, s), "what is kept is not folded again")
}

func TestRefusedRecordIsKeptForAPerson(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	s := open(t, dir, spool.Options{})
	appendAll(t, s, "one", "poison", "three")
	k := keeper{refuses: "poison"}
	n, err := s.Fold(t.Context(), k.take)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, []string{"one", "three"}, k.taken)
	require.Zero(t, s.State().Records)
	left := files(t, dir)
	require.Len(t, left, 1)
	require.True(t, strings.HasSuffix(left[0], ".spool.kept"), left[0])

	// Its old name folds it again.
	require.NoError(t, os.Rename(left[0], strings.TrimSuffix(left[0], ".kept")))
	require.Equal(t, []string{"one", "poison", "three"}, fold(t, s))
}

func TestCheckLeavesNothing(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	s := open(t, dir, spool.Options{})
	require.NoError(t, s.Check(t.Context()))
	appendAll(t, s, "one")
	require.NoError(t, s.Check(t.Context()))
	info, err := os.Stat(files(t, dir)[0])
	require.NoError(t, err)
	require.Equal(t, s.State().Bytes, info.Size())
	appendAll(t, s, "two")
	require.Equal(t, 2, s.State().Records)
	require.Equal(t, []string{"one", "two"}, fold(t, s))
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, s.Close())
	require.Empty(t, files(t, dir))
}

func TestTheSpoolIsBounded(t *testing.T) {
	t.Parallel()

	s := open(t, t.TempDir(), spool.Options{MaxBytes: 1000})
	var kept []string
	var err error
	for i := 0; err == nil; i++ {
		require.Less(t, i, 100)
		record := fmt.Sprintf("record %d %s", i, strings.Repeat(".", 50))
		if err = s.Append(t.Context(), []byte(record)); err == nil {
			kept = append(kept, record)
		}
	}
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Contains(t, fault.Message(err), "the spool is full")
	require.Equal(t, kept, fold(t, s))
	appendAll(t, s, "there is room again")
}

func TestDirectoryThatIsGone(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, dir, spool.Options{})
	require.NoError(t, os.Remove(dir))
	require.Equal(t, fault.Unavailable, fault.KindOf(s.Append(t.Context(), []byte("one"))))
	require.Equal(t, fault.Unavailable, fault.KindOf(s.Check(t.Context())))
	_, err := s.Fold(t.Context(), (&keeper{}).take)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.NoError(t, os.Mkdir(dir, 0o700))
	appendAll(t, s, "one")

	appendAll(t, open(t, filepath.Join(dir, "a", "b"), spool.Options{}), "what is above is made too")
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = spool.Open(filepath.Join(file, "spool"), spool.Options{})
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
}

// TestAppendingWhileFolding has everything that was appended folded once, by
// whoever of several processes comes first.
func TestAppendingWhileFolding(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	var (
		mu    sync.Mutex
		taken []string
		want  []string
	)
	take := func(_ context.Context, records []spool.Record) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range records {
			taken = append(taken, string(r.Data))
		}
		return 0, nil
	}
	var processes sync.WaitGroup
	for p := range 3 {
		for i := range 200 {
			want = append(want, fmt.Sprintf("%d/%d", p, i))
		}
		s, err := spool.Open(dir, spool.Options{})
		require.NoError(t, err)
		processes.Go(func() {
			var appending sync.WaitGroup
			for i := range 200 {
				appending.Go(func() { require.NoError(t, s.Append(context.Background(), fmt.Appendf(nil, "%d/%d", p, i))) })
			}
			for range 5 {
				_, err := s.Fold(context.Background(), take)
				require.NoError(t, err)
			}
			appending.Wait()
			require.NoError(t, s.Close())
		})
	}
	processes.Wait()
	last := open(t, dir, spool.Options{})
	_, err := last.Fold(t.Context(), take)
	require.NoError(t, err)
	slices.Sort(want)
	slices.Sort(taken)
	require.Len(t, taken, len(want))
	require.True(t, slices.Equal(want, taken))
	require.Empty(t, files(t, dir))
}
