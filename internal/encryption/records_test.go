package encryption_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/encryption"
)

func TestRecords(t *testing.T) {
	t.Parallel()

	const clear = `{"email":"canary@example.net"}`
	old := ring(t, "2026.a", key(t, "2026.a", 1))
	sealed := encryption.NewRecords(old, true).Seal([]byte(clear))
	require.NotContains(t, string(sealed), "canary")
	require.NotContains(t, string(sealed), "\n")
	for name, records := range map[string]encryption.Records{
		"the same ring":                both(t, "2026.a"),
		"a ring that writes otherwise": both(t, "b"),
		"a ring that seals no records": encryption.NewRecords(old, false),
	} {
		plain, err := records.Open(sealed)
		require.NoError(t, err, name)
		require.Equal(t, clear, string(plain), name)
		plain, err = records.Open([]byte(clear))
		require.NoError(t, err, name)
		require.Equal(t, clear, string(plain), "%s: what was written in clear", name)
	}
	require.Equal(t, clear, string(encryption.NewRecords(nil, true).Seal([]byte(clear))))

	for name, tt := range map[string]struct {
		records encryption.Records
		kept    string
		reason  encryption.Reason
	}{
		"no keys":     {encryption.NewRecords(nil, false), string(sealed), encryption.UnknownKey},
		"another key": {encryption.NewRecords(ring(t, "b", key(t, "b", 2)), true), string(sealed), encryption.UnknownKey},
		"another ID":  {both(t, "b"), strings.Replace(string(sealed), "2026.a", "b", 1), encryption.NotOpened},
		"cut off":     {both(t, "b"), string(sealed[:len(sealed)-30]), encryption.NotOpened},
		"no content":  {both(t, "b"), "rfk1.b.", encryption.CutOff},
		"no base64":   {both(t, "b"), "rfk1.b.=", encryption.CutOff},
		"no key ID":   {both(t, "b"), "rfk1.", encryption.NoKey},
	} {
		_, err := tt.records.Open([]byte(tt.kept))
		failure, ok := encryption.AsFailure(err)
		require.True(t, ok, "%s: %v", name, err)
		require.Equal(t, tt.reason, failure.Reason, name)
	}
}

// both returns records of a ring of two keys, of which active writes.
func both(t *testing.T, active string) encryption.Records {
	t.Helper()
	return encryption.NewRecords(ring(t, active, key(t, "2026.a", 1), key(t, "b", 2)), true)
}
