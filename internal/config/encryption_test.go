package config_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/encryption"
)

// someKey is a key that the tests tell by its letter.
func someKey(letter string) string { return strings.Repeat(letter, 42) + "A" }

func TestEncryptionIsOffWithoutKeys(t *testing.T) {
	t.Parallel()

	cfg := mustParse(t, required, nil)
	require.False(t, cfg.Encryption.On())
	ring, err := cfg.Encryption.Ring()
	require.NoError(t, err)
	require.Nil(t, ring)
}

func TestEncryptionKeysFromFilesAndVariables(t *testing.T) {
	t.Parallel()

	_, text := encryption.NewKey(time.Now())
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte(text+"\n"), 0o600))
	env := environment{
		"REWARDFLOW_ENCRYPTION_KEYS_0_ID": "new", "REWARDFLOW_ENCRYPTION_KEYS_0_KEY_FILE": file,
		"REWARDFLOW_ENCRYPTION_KEYS_1_ID": "old", "REWARDFLOW_ENCRYPTION_KEYS_1_KEY": someKey("b"),
		"REWARDFLOW_ENCRYPTION_ACTIVE": "new", "REWARDFLOW_ENCRYPTION_LEDGER": "true",
	}
	cfg, err := config.Parse([]byte(required), "rewardflow.yaml", env.lookup, env.environ()...)
	require.NoError(t, err)
	ring, err := cfg.Encryption.Ring()
	require.NoError(t, err)
	require.Equal(t, "new", ring.Active())
	require.True(t, ring.Has("old"))
	require.True(t, cfg.Encryption.Ledger)

	var printed bytes.Buffer
	fmt.Fprintf(&printed, "%v %+v %#v %v", cfg.Encryption, cfg.Encryption, cfg.Encryption, cfg.Summary())
	require.NotContains(t, printed.String(), text)
	require.NotContains(t, printed.String(), someKey("b"))
	require.Contains(t, printed.String(), "2 keys, new writes, personal data in the ledger too")

	one := mustParse(t, required+"encryption: {keys: [{id: only, key: "+someKey("a")+"}]}", nil)
	require.Equal(t, "only", one.Encryption.Active)
}

func TestEncryptionMistakes(t *testing.T) {
	t.Parallel()

	a, b := someKey("a"), someKey("b")
	for name, tc := range map[string]struct{ file, want string }{
		"no id":         {"encryption:\n  keys:\n    - key: " + a, "rewardflow.yaml:%d: encryption.keys[0].id: is missing or no ID; allowed: 1 to 40 letters"},
		"no key":        {"encryption: {keys: [{id: a}]}", "encryption.keys[0].key: is missing; allowed: what \"rewardflow keys new\" prints: 32 random bytes in base64; or a file that holds it, by REWARDFLOW_ENCRYPTION_KEYS_0_KEY_FILE"},
		"short key":     {"encryption: {keys: [{id: a, key: c2hvcnQ}]}", "encryption.keys[0].key: has 5 bytes in place of 32"},
		"no base64":     {"encryption: {keys: [{id: a, key: '{...}'}]}", "encryption.keys[0].key: is not base64"},
		"id twice":      {"encryption: {active: a, keys: [{id: a, key: " + a + "}, {id: a, key: " + b + "}]}", `encryption.keys[1].id: "a" is the ID of another key`},
		"key twice":     {"encryption: {active: a, keys: [{id: a, key: " + a + "}, {id: b, key: " + a + "}]}", `encryption.keys[1].key: is the key of "a", too`},
		"no active":     {"encryption: {keys: [{id: a, key: " + a + "}, {id: b, key: " + b + "}]}", "encryption.active: is missing; allowed: the ID of the key that writes"},
		"wrong active":  {"encryption: {active: first, keys: [{id: frist, key: " + a + "}]}", `encryption.active: "first" is not known, did you mean "frist"?; allowed: frist`},
		"half":          {"encryption: {ledger: true}", "encryption.keys: is missing; allowed: a list of keys"},
		"listen":        {"encryption: {codec_server: {listen: here}}", "encryption.codec_server.listen: is not host:port"},
		"origin path":   {"encryption: {keys: [{id: a, key: " + a + "}], codec_server: {ui_origin: 'https://t.example.com/ui'}}", "encryption.codec_server.ui_origin: has a path"},
		"origin http":   {"encryption: {keys: [{id: a, key: " + a + "}], codec_server: {ui_origin: 'http://t.example.com'}}", "encryption.codec_server.ui_origin: is not https"},
		"origin star":   {"encryption: {keys: [{id: a, key: " + a + "}], codec_server: {ui_origin: '*'}}", "encryption.codec_server.ui_origin: is not an absolute URL"},
		"client, no ID": {"encryption: {keys: [{id: a, key: " + a + "}], codec_server: {ui_client_id: ui}}", "encryption.codec_server.ui_client_id: needs auth.oidc"},
	} {
		_, err := config.Parse([]byte(required+tc.file), "rewardflow.yaml", environment{}.lookup)
		want := tc.want
		if strings.Contains(want, "%d") {
			want = fmt.Sprintf(want, strings.Count(required, "\n")+3)
		}
		require.ErrorContains(t, err, want, name)
		require.NotContains(t, err.Error(), a, name)
		require.NotContains(t, err.Error(), "c2hvcnQ", name)
	}
}
