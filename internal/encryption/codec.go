package encryption

import (
	"crypto/cipher"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// What a payload that Codec wrote is known by. The names are those that
// Temporal's own samples use, so that other tools know what they see:
// https://github.com/temporalio/samples-go (encryption).
const (
	// Encoding is the value of the metadata "encoding".
	Encoding = "binary/encrypted"
	// MetadataKeyID is the metadata that names the key.
	MetadataKeyID = "encryption-key-id"
)

// Codec encrypts the payloads that go to Temporal, each with its metadata, with
// AES-256-GCM. It writes with the ring's active key and reads with every key.
//
// A payload is bound to its format's version and to the key's ID (as additional
// data), and to nothing else: not to the namespace, because whoever holds the
// key names the namespace too, and a namespace that is restored or moved must
// stay readable; and not to the workflow, because a codec server is shown
// payloads alone. What moving a payload within Temporal could do is kept from
// money by the ledger.
type Codec struct{ ring *Ring }

var _ converter.PayloadCodec = (*Codec)(nil)

// NewCodec returns a Codec.
func NewCodec(ring *Ring) *Codec { return &Codec{ring: ring} }

// bound is the additional data of a payload.
func bound(keyID string) []byte { return []byte(labelPayload + "\x00" + keyID) }

// Encode implements converter.PayloadCodec. A payload that is encrypted already
// stays as it is, and so does every payload where the ring is empty.
func (c *Codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	if c.ring.active == "" {
		return payloads, nil
	}
	out := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		if encrypted(p) {
			out[i] = p
			continue
		}
		plain, err := proto.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("encrypting a payload: %w", err)
		}
		out[i] = &commonpb.Payload{
			Metadata: map[string][]byte{
				converter.MetadataEncoding: []byte(Encoding),
				MetadataKeyID:              []byte(c.ring.active),
			},
			Data: c.ring.keys[c.ring.active].payload.Seal(nil, nil, plain, bound(c.ring.active)),
		}
	}
	return out, nil
}

// Decode implements converter.PayloadCodec. A payload of another encoding stays
// as it is: what somebody types into the Temporal UI, and what was written
// before there was a key. The error wraps a *Failure.
func (c *Codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		if !encrypted(p) {
			out[i] = p
			continue
		}
		id := string(p.GetMetadata()[MetadataKeyID])
		plain, err := c.ring.open(id, p.GetData(), bound(id), func(m material) cipher.AEAD { return m.payload })
		if err != nil {
			return nil, fmt.Errorf("decrypting a payload: %w", err)
		}
		out[i] = &commonpb.Payload{}
		if proto.Unmarshal(plain, out[i]) != nil { // Its error may hold content.
			return nil, fmt.Errorf("decrypting a payload: %w", &Failure{KeyID: id, Reason: NotReadable})
		}
	}
	return out, nil
}

func encrypted(p *commonpb.Payload) bool {
	return string(p.GetMetadata()[converter.MetadataEncoding]) == Encoding
}
