package encryption

import (
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"strings"
)

// Records encrypts records that wait on this machine's disk, as events do in the
// spool, with a ring's active key. It opens with every key.
type Records struct {
	ring  *Ring
	seals bool
}

// NewRecords returns Records. Without seal, or with a nil ring, it encrypts nothing.
func NewRecords(ring *Ring, seal bool) Records {
	return Records{ring: ring.orEmpty(), seals: seal && ring != nil}
}

// recordPrefix is what an encrypted record begins with. JSON never does.
const recordPrefix = "rfk1."

// Seal encrypts a record. What it returns has no line break.
func (r Records) Seal(record []byte) []byte {
	if !r.seals {
		return record
	}
	id := r.ring.active
	raw := r.ring.keys[id].record.Seal(nil, nil, record, recordBound(id))
	return []byte(recordPrefix + id + "." + base64.RawURLEncoding.EncodeToString(raw))
}

// Open decrypts what Seal made, and returns anything else as it is. Its error wraps
// a *Failure.
func (r Records) Open(kept []byte) ([]byte, error) {
	text, ours := strings.CutPrefix(string(kept), recordPrefix)
	if !ours {
		return kept, nil
	}
	cut := max(strings.LastIndexByte(text, '.'), 0) // An ID may hold dots; base64url holds none.
	id := text[:cut]
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text[cut:], "."))
	if err != nil {
		return nil, fmt.Errorf("decrypting a record: %w", &Failure{KeyID: id, Reason: CutOff})
	}
	plain, err := r.ring.open(id, raw, recordBound(id), func(m material) cipher.AEAD { return m.record })
	if err != nil {
		return nil, fmt.Errorf("decrypting a record: %w", err)
	}
	return plain, nil
}

func recordBound(keyID string) []byte { return []byte(labelRecord + "\x00" + keyID) }
