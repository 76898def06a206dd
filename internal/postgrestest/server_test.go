package postgrestest

import (
	"net"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestServer(t *testing.T) {
	s := New(t, Options{Settings: map[string]string{"application_name": "it's"}})
	address := s.Database(t)
	conn, err := pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)`)
	require.NoError(t, err)
	require.NotEqual(t, address, s.Database(t), "each test has a database of its own")

	require.NoError(t, s.Kill())
	require.Error(t, conn.Ping(t.Context()))
	require.NoError(t, s.Kill(), "what is down may be ended again")
	require.NoError(t, s.Up(t.Context()))
	require.Error(t, s.Up(t.Context()), "it is up already")

	conn, err = pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	var n int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT n FROM kept`).Scan(&n))
	require.Equal(t, 7, n, "a crash loses nothing that is committed")

	dir := s.dir
	require.NoError(t, s.Close())
	require.NoDirExists(t, dir)
	_, err = net.Dial("tcp", s.Address())
	require.Error(t, err)
}

func TestServerOfAnEarlierTestIsGone(t *testing.T) {
	var dir string
	t.Run("with a server", func(t *testing.T) {
		dir = New(t, Options{}).dir
		require.DirExists(t, dir)
	})
	_, err := os.Stat(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
}
