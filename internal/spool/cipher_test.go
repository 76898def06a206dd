package spool_test

import (
	"bytes"
	"errors"
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

// TestRecordsAreOnTheDiskAsTheCipherMadeThem also takes the key away: what waits
// goes on waiting, and is whole when the key is back.
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

	cipher.locked.Store(true)
	k := &keeper{}
	_, err := s.Fold(t.Context(), k.take)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.ErrorContains(t, err, "put the key back")
	require.Equal(t, []string{"a"}, k.taken, "what was written in clear")
	require.Equal(t, 2, s.State().Records)

	cipher.locked.Store(false)
	require.Equal(t, []string{"b", "c"}, fold(t, s))
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
