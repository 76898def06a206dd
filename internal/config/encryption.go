package config

import (
	"github.com/rewardflow/rewardflow/internal/encryption"
)

// Encryption says with which keys what goes to Temporal is encrypted, and
// whether personal data in the ledger is. Without keys nothing is.
type Encryption struct {
	// Keys are the key ring: all of them read, Active writes.
	Keys []EncryptionKey `yaml:"keys"`
	// Active is the ID of the key that writes. Load fills it in where there is
	// one key.
	Active string `yaml:"active"`
	// Ledger has personal data encrypted in the ledger, too.
	Ledger      bool        `yaml:"ledger"`
	CodecServer CodecServer `yaml:"codec_server"`
}

// EncryptionKey is one key of the ring.
type EncryptionKey struct {
	// ID names the key in what it encrypts: encryption.ValidID.
	ID string `yaml:"id"`
	// Key is what "rewardflow keys new" prints: 32 random bytes in base64.
	Key Secret `yaml:"key"`
}

// CodecServer decrypts what the Temporal UI shows, for people who may see it.
type CodecServer struct {
	// Listen is its address, as host:port.
	Listen string `yaml:"listen"`
	// UIOrigin is the origin of the Temporal UI, scheme and host and port; only
	// its pages may ask. Empty leaves it to the standalone program, which knows
	// its own.
	UIOrigin string `yaml:"ui_origin"`
	// UIClientID is the client of OpenID Connect as which the Temporal UI signs
	// people in. Empty takes no access tokens.
	UIClientID string `yaml:"ui_client_id"`
}

// On reports whether there are keys.
func (e Encryption) On() bool { return len(e.Keys) > 0 }

// Ring returns the key ring; nil without keys.
func (e Encryption) Ring() (*encryption.Ring, error) {
	if !e.On() {
		return nil, nil //nolint:nilnil // Without keys nothing is encrypted, and that is allowed.
	}
	keys := make([]encryption.Key, len(e.Keys))
	for i, k := range e.Keys {
		var err error
		if keys[i], err = encryption.ParseKey(k.ID, k.Key.Reveal()); err != nil {
			return nil, err
		}
	}
	return encryption.NewRing(keys, e.Active)
}

func (e Encryption) words() string {
	if !e.On() {
		return "off"
	}
	text := counted(len(e.Keys), "key") + ", " + e.Active + " writes"
	if e.Ledger {
		text += ", personal data in the ledger too"
	}
	return text
}
