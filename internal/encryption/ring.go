// Package encryption keeps what rewardflow writes into Temporal, and personal
// data in the ledger, unreadable to whoever holds only their databases.
//
// A Ring holds the keys: one is active and writes, all of them read. From each
// key one AES-256 key is derived for every use, so that what was encrypted for
// one cannot be passed off as the other. Everything encrypted names its key by
// the key's ID, and no error repeats content.
package encryption

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// Key is one key of a ring. It prints as its ID.
type Key struct {
	// ID names the key in everything that it encrypts. Nobody has to keep it
	// secret. See ValidID.
	ID string

	secret [KeySize]byte
}

// String returns the ID.
func (k Key) String() string { return k.ID }

// GoString returns the ID: %#v would print the secret otherwise.
func (k Key) GoString() string { return k.ID }

// NewKey returns a fresh key, with an ID that sorts by the day, and the text
// that ParseKey takes.
func NewKey(now time.Time) (Key, string) {
	k := Key{}
	rand.Read(k.secret[:]) //nolint:errcheck // It never fails.
	mark := make([]byte, 3)
	rand.Read(mark) //nolint:errcheck // It never fails.
	k.ID = now.UTC().Format("20060102") + fmt.Sprintf("-%x", mark)
	return k, base64.RawURLEncoding.EncodeToString(k.secret[:])
}

// ParseKey reads a key: 32 random bytes in base64, in the standard or the URL
// alphabet, with or without padding. The error does not repeat the text.
func ParseKey(id, text string) (Key, error) {
	if !ValidID(id) {
		return Key{}, errors.New("the key's ID is not 1 to 40 letters, digits, dots, hyphens and underscores")
	}
	plain := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(strings.TrimSpace(text), "="))
	secret, err := base64.RawURLEncoding.DecodeString(plain)
	switch {
	case err != nil:
		return Key{}, errors.New("is not base64")
	case len(secret) != KeySize:
		return Key{}, fmt.Errorf("has %d bytes in place of %d", len(secret), KeySize)
	case [KeySize]byte(secret) == [KeySize]byte{}:
		return Key{}, errors.New("is all zeros")
	}
	return Key{ID: id, secret: [KeySize]byte(secret)}, nil
}

// validID is what a key's ID looks like: it stands in metadata, in the ledger,
// in names of variables and in messages.
var validID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,40}$`) //nolint:gochecknoglobals // Nothing writes it.

// ValidID reports whether a text can be a key's ID: 1 to 40 letters, digits,
// dots, hyphens and underscores.
func ValidID(id string) bool { return validID.MatchString(id) }

// Same reports whether two keys have the same secret.
func (k Key) Same(other Key) bool { return k.secret == other.secret }

// Ring holds the keys. It is safe for concurrent use and never changes.
type Ring struct {
	active string
	keys   map[string]material
}

// material is what is derived from one key.
type material struct{ payload, wrap, record cipher.AEAD }

// The uses of a key. A label is never used for anything else, and a change of
// what is done with a key needs a new one.
const (
	labelPayload = "rewardflow/temporal-payload/1"
	labelWrap    = "rewardflow/ledger-data-key/1"
	labelRecord  = "rewardflow/record/1"
)

// NewRing returns a ring of keys. active is the ID of the one that writes.
func NewRing(keys []Key, active string) (*Ring, error) {
	r := &Ring{active: active, keys: make(map[string]material, len(keys))}
	for _, k := range keys {
		if _, twice := r.keys[k.ID]; twice {
			return nil, fmt.Errorf("making the key ring: two keys have the ID %q", k.ID)
		}
		m, err := k.material()
		if err != nil {
			return nil, fmt.Errorf("making the key ring: %w", err)
		}
		r.keys[k.ID] = m
	}
	if _, ok := r.keys[active]; !ok {
		return nil, fmt.Errorf("making the key ring: the active key %q is not among the keys", active)
	}
	return r, nil
}

func (k Key) material() (m material, err error) {
	for label, use := range map[string]*cipher.AEAD{labelPayload: &m.payload, labelWrap: &m.wrap, labelRecord: &m.record} {
		if *use, err = derive(k.secret[:], label); err != nil {
			return material{}, err
		}
	}
	return m, nil
}

// orEmpty returns the ring; of a nil one, one without keys, which opens nothing and
// says which key is missing.
func (r *Ring) orEmpty() *Ring {
	if r == nil {
		return &Ring{}
	}
	return r
}

// Active returns the ID of the key that writes.
func (r *Ring) Active() string { return r.active }

// IDs returns the IDs of all keys, sorted.
func (r *Ring) IDs() []string { return slices.Sorted(maps.Keys(r.keys)) }

// Has reports whether the ring holds a key with the ID.
func (r *Ring) Has(id string) bool {
	_, ok := r.keys[id]
	return ok
}

// derive returns the AES-256-GCM of one use of a secret. Its nonces are random,
// and chosen by the library: NIST SP 800-38D, 8.3, allows 2^32 messages under
// one key, which is a hundred a second for more than a year.
func derive(secret []byte, label string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, label, KeySize)
	if err != nil {
		return nil, err
	}
	return newAEAD(key)
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// overhead is how much longer than its content something encrypted is: a nonce
// of 12 bytes before it and a tag of 16 behind.
const overhead = 12 + 16

// Failure is why something encrypted could not be read. It says what to do, and
// holds nothing of the content.
type Failure struct {
	// KeyID is the ID of the key that it names; empty when it names none, or
	// one that no key can have.
	KeyID string
	// Reason is one of the closed set below.
	Reason Reason
}

// Reason is why something encrypted could not be read.
type Reason string

// The reasons.
const (
	// UnknownKey: the ring has no such key.
	UnknownKey Reason = "unknown_key"
	// NotOpened: the key does not open it. It is another key with the same ID,
	// or what was encrypted has been changed.
	NotOpened Reason = "not_opened"
	// CutOff: it is shorter than anything encrypted can be.
	CutOff Reason = "cut_off"
	// NoKey: it does not name a key.
	NoKey Reason = "no_key"
	// NotReadable: it was opened, and its content is of no known form.
	NotReadable Reason = "not_readable"
)

// Error implements error.
func (f *Failure) Error() string {
	switch f.Reason {
	case UnknownKey:
		return fmt.Sprintf("this was encrypted with the key %q, which is not in encryption.keys of this process: put the key back there, "+
			"on every process, and leave it until \"rewardflow keys rotate\" says that nothing needs it", f.KeyID)
	case NotOpened:
		return fmt.Sprintf("this was encrypted with the key %q and does not open: encryption.keys of this process has another key under that ID "+
			"(compare it with the process that wrote it), or what was stored has been changed", f.KeyID)
	case CutOff:
		return fmt.Sprintf("this was encrypted with the key %q and was cut off: what was stored has been changed, restore it from a backup", f.KeyID)
	case NotReadable:
		return fmt.Sprintf("this opens with the key %q, and holds nothing that this version can read: a newer rewardflow wrote it, so use that", f.KeyID)
	case NoKey:
	}
	return "this is marked as encrypted and names no key that there could be: rewardflow did not write it, or what was stored has been changed"
}

// AsFailure returns the Failure in an error; false when there is none.
func AsFailure(err error) (*Failure, bool) { return errors.AsType[*Failure](err) }

// open decrypts with the key of an ID. pick chooses the use.
func (r *Ring) open(id string, sealed, bound []byte, pick func(material) cipher.AEAD) ([]byte, error) {
	if !ValidID(id) {
		return nil, &Failure{Reason: NoKey}
	}
	key, ok := r.keys[id]
	if !ok {
		return nil, &Failure{KeyID: id, Reason: UnknownKey}
	}
	if len(sealed) < overhead {
		return nil, &Failure{KeyID: id, Reason: CutOff}
	}
	plain, err := pick(key).Open(nil, nil, sealed, bound)
	if err != nil {
		return nil, &Failure{KeyID: id, Reason: NotOpened}
	}
	return plain, nil
}
