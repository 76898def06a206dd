package spool_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/spool"
)

// marked is a cipher that everybody sees through. It opens nothing while locked.
type marked struct{ locked *atomic.Bool }

func (marked) Seal(record []byte) []byte { return append([]byte("sealed:"), record...) }

func (m marked) Open(kept []byte) ([]byte, error) {
	plain, ours := bytes.CutPrefix(kept, []byte("sealed:"))
	if ours && m.locked.Load() {
		return nil, errors.New("put the key back")
	}
	return plain, nil
}

// TestRecordsAreOnTheDiskAsTheCipherMadeThem also takes the key away: what was
// written with it waits for a process that has it, and keeps nothing else back.
func TestRecordsAreOnTheDiskAsTheCipherMadeThem(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	clear := open(t, dir, spool.Options{})
	appendAll(t, clear, "a")
	require.NoError(t, clear.Close())

	cipher := marked{locked: new(atomic.Bool)}
	s := open(t, dir, spool.Options{Cipher: cipher})
	appendAll(t, s, "b", "c")
	require.Contains(t, onDisk(t, dir), " sealed:b\n")

	require.NoError(t, s.Close())

	cipher.locked.Store(true)
	var log bytes.Buffer
	s = open(t, dir, spool.Options{Cipher: cipher, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	k := &keeper{}
	for range 2 {
		_, err := s.Fold(t.Context(), k.take)
		require.Equal(t, fault.Unavailable, fault.KindOf(err))
		require.ErrorIs(t, err, spool.ErrNotDecrypted)
		require.ErrorContains(t, err, "put the key back")
		require.Equal(t, []string{"a"}, k.taken, "what was written in clear")
		require.Equal(t, 2, s.State().Records)
		require.NotZero(t, s.State().Oldest)
	}
	require.Equal(t, 2, strings.Count(log.String(), "spool.adopted"), "each once")

	// What this process can read goes on.
	cipher.locked.Store(false)
	appendAll(t, s, "d")
	_, err := s.Fold(t.Context(), k.take)
	require.ErrorIs(t, err, spool.ErrNotDecrypted)
	require.Equal(t, []string{"a", "d"}, k.taken)

	// And what it cannot, another takes.
	require.Equal(t, []string{"b", "c"}, fold(t, open(t, dir, spool.Options{Cipher: cipher})))
	require.Empty(t, fold(t, s))
	require.Zero(t, s.State().Records)
	require.Empty(t, onDisk(t, dir))
}

// onDisk returns everything in the directory's files.
func onDisk(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range files(t, dir) {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		all.Write(data)
	}
	return all.String()
}
