package encryption

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// Sealer encrypts texts for one subject with a data key of its own. The data key
// is stored encrypted (wrapped) with a key of the ring: who changes the ring's key
// wraps data keys anew, and who deletes a data key has deleted all that it sealed.
// It is safe for concurrent use.
type Sealer struct {
	id string
	// random seals the same text to another one each time, same always to the same.
	random, same cipher.AEAD
	// nonces makes the nonces of same, and marks the marks.
	nonces, marks []byte
}

// The uses of a data key.
const (
	labelRandom = "rewardflow/sealed-random/1"
	labelSame   = "rewardflow/sealed-same/1"
	labelNonces = "rewardflow/sealed-same-nonce/1"
	labelMarks  = "rewardflow/mark/1"
)

// What a sealed text begins with, and a mark.
const (
	sealedPrefix = "rfs1."
	markPrefix   = "rfm1."
)

const nonceSize = 12

// NewSealer returns a sealer with a fresh data key, and that key wrapped with the
// active key of the ring.
func (r *Ring) NewSealer() (*Sealer, []byte, error) {
	id, key := make([]byte, 8), make([]byte, KeySize)
	rand.Read(id)  //nolint:errcheck // It never fails.
	rand.Read(key) //nolint:errcheck // It never fails.
	s, err := newSealer(hex.EncodeToString(id), key)
	if err != nil {
		return nil, nil, fmt.Errorf("making a data key: %w", err)
	}
	return s, r.wrap(s.id, key), nil
}

// OpenSealer returns the sealer of a wrapped data key. The error wraps a *Failure,
// which names the ring's key.
func (r *Ring) OpenSealer(id, ringKey string, wrapped []byte) (*Sealer, error) {
	key, err := r.unwrap(id, ringKey, wrapped)
	if err != nil {
		return nil, err
	}
	return newSealer(id, key)
}

// Rewrap returns a data key wrapped with the active key of the ring.
func (r *Ring) Rewrap(id, ringKey string, wrapped []byte) ([]byte, error) {
	key, err := r.unwrap(id, ringKey, wrapped)
	if err != nil {
		return nil, err
	}
	return r.wrap(id, key), nil
}

func (r *Ring) wrap(id string, key []byte) []byte {
	return r.keys[r.active].wrap.Seal(nil, nil, key, wrapBound(id, r.active))
}

func (r *Ring) unwrap(id, ringKey string, wrapped []byte) ([]byte, error) {
	key, err := r.open(ringKey, wrapped, wrapBound(id, ringKey), func(m material) cipher.AEAD { return m.wrap })
	if err != nil {
		return nil, fmt.Errorf("opening a data key of the ledger: %w", err)
	}
	if len(key) != KeySize {
		return nil, fmt.Errorf("opening a data key of the ledger: %w", &Failure{KeyID: ringKey, Reason: NotReadable})
	}
	return key, nil
}

// wrapBound keeps a wrapped key from standing in for another one.
func wrapBound(id, ringKey string) []byte { return []byte(labelWrap + "\x00" + ringKey + "\x00" + id) }

func newSealer(id string, key []byte) (*Sealer, error) {
	s := &Sealer{id: id}
	for label, use := range map[string]*cipher.AEAD{labelRandom: &s.random, labelSame: &s.same} {
		derived, err := hkdf.Key(sha256.New, key, nil, label, KeySize)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(derived)
		if err != nil {
			return nil, err
		}
		if *use, err = cipher.NewGCM(block); err != nil {
			return nil, err
		}
	}
	for label, use := range map[string]*[]byte{labelNonces: &s.nonces, labelMarks: &s.marks} {
		derived, err := hkdf.Key(sha256.New, key, nil, label, KeySize)
		if err != nil {
			return nil, err
		}
		*use = derived
	}
	return s, nil
}

// ID names the data key.
func (s *Sealer) ID() string { return s.id }

// Seal encrypts a text for a use: only Open with the same use opens it.
func (s *Sealer) Seal(use string, plain []byte) string {
	nonce := make([]byte, nonceSize)
	rand.Read(nonce) //nolint:errcheck // It never fails.
	return s.text('r', s.random.Seal(nonce, nonce, plain, s.bound(use)))
}

// SealSame encrypts as Seal does, the same text always to the same, so that a
// database can tell whether two are equal, and nothing else. Its nonce is a MAC of
// the use and the text: it is the same only where these are.
func (s *Sealer) SealSame(use string, plain []byte) string {
	mac := hmac.New(sha256.New, s.nonces)
	mac.Write(s.bound(use))
	mac.Write([]byte{0})
	mac.Write(plain)
	nonce := mac.Sum(nil)[:nonceSize]
	return s.text('s', s.same.Seal(nonce[:nonceSize:nonceSize], nonce, plain, s.bound(use)))
}

// Mark returns what stands for a text where it is searched for: equal for equal
// texts, and nothing can be read from it without the key.
func (s *Sealer) Mark(use, text string) string {
	mac := hmac.New(sha256.New, s.marks)
	mac.Write([]byte(use + "\x00" + text))
	return markPrefix + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18])
}

// Open decrypts what Seal or SealSame made. Its error holds nothing of it.
func (s *Sealer) Open(use, sealed string) ([]byte, error) {
	id, rest, ok := parseSealed(sealed)
	if !ok || id != s.id {
		return nil, errNotOurs
	}
	raw, err := base64.RawURLEncoding.DecodeString(rest[1:])
	if err != nil || len(raw) < nonceSize {
		return nil, errChanged
	}
	aead := s.random
	if rest[0] == 's' {
		aead = s.same
	}
	plain, err := aead.Open(nil, raw[:nonceSize], raw[nonceSize:], s.bound(use))
	if err != nil {
		return nil, errChanged
	}
	return plain, nil
}

// sealError is why a sealed text does not open.
type sealError string

// Error implements error.
func (e sealError) Error() string { return string(e) }

const (
	errNotOurs = sealError("this was sealed with another data key")
	errChanged = sealError("a sealed field of the ledger does not open: the row was changed, or the field was moved there from another row; restore it from a backup")
)

func (s *Sealer) bound(use string) []byte { return []byte(s.id + "\x00" + use) }

func (s *Sealer) text(kind byte, sealed []byte) string {
	return sealedPrefix + s.id + "." + string(kind) + base64.RawURLEncoding.EncodeToString(sealed)
}

// SealedWith returns the ID of the data key that a text was sealed with; false for
// a text that is not sealed.
func SealedWith(text string) (id string, ok bool) {
	id, _, ok = parseSealed(text)
	return id, ok
}

// IsMark reports whether a text is one that Mark made.
func IsMark(text string) bool { return strings.HasPrefix(text, markPrefix) }

func parseSealed(text string) (id, rest string, ok bool) {
	after, ok := strings.CutPrefix(text, sealedPrefix)
	if !ok {
		return "", "", false
	}
	id, rest, ok = strings.Cut(after, ".")
	if !ok || len(id) != 16 || len(rest) < 2 || rest[0] != 'r' && rest[0] != 's' {
		return "", "", false
	}
	return id, rest, true
}
