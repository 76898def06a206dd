package encryption_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/rewardflow/rewardflow/internal/encryption"
)

// key returns a key that is made from one byte.
func key(t require.TestingT, id string, b byte) encryption.Key {
	k, err := encryption.ParseKey(id, hex32(b))
	require.NoError(t, err)
	return k
}

// hex32 is 32 times a byte, in base64.
func hex32(b byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var out strings.Builder
	raw := bytes.Repeat([]byte{b}, encryption.KeySize)
	for bit := 0; bit < len(raw)*8; bit += 6 {
		v := 0
		for i := range 6 {
			v <<= 1
			if at := bit + i; at < len(raw)*8 && raw[at/8]&(0x80>>(at%8)) != 0 {
				v |= 1
			}
		}
		out.WriteByte(alphabet[v])
	}
	return out.String()
}

func ring(t require.TestingT, active string, keys ...encryption.Key) *encryption.Ring {
	r, err := encryption.NewRing(keys, active)
	require.NoError(t, err)
	return r
}

func payload(text string) *commonpb.Payload {
	return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(text)}
}

// knownAnswer is one reward under the key of the byte 1.
const knownAnswer = "070707070707070707070707724d18bea840255ba70ef66cc0852ba180d89149645b7543d0fbeb619b2342d2b172b780cf9bcaf55fd2d1753e21364e72173b198806b54d"

// The vectors were made from the definition (HKDF-SHA256 with the label as info,
// AES-256-GCM, nonce first, tag last), by other code than this package's. They
// keep what is in databases readable.
func TestCodecKnownAnswers(t *testing.T) {
	t.Parallel()

	for _, v := range []struct {
		name, id, data string
		key            byte
		want           *commonpb.Payload
	}{
		{"a reward", "a", knownAnswer, 1, payload(`{"id":2429153}`)},
		{"nothing", "20261126-a1b2c3", "000000000000000000000000831d0c05cf79131b607a1eb0298d55b2", 0xff, &commonpb.Payload{}},
	} {
		sealed, err := hex.DecodeString(v.data)
		require.NoError(t, err, v.name)
		codec := encryption.NewCodec(ring(t, v.id, key(t, v.id, v.key)))
		out, err := codec.Decode([]*commonpb.Payload{{
			Metadata: map[string][]byte{"encoding": []byte("binary/encrypted"), "encryption-key-id": []byte(v.id)}, Data: sealed,
		}})
		require.NoError(t, err, v.name)
		require.True(t, proto.Equal(v.want, out[0]), v.name)
	}
}

// TestCodecIsARoundTrip: whatever goes in comes out, under any ring that holds
// the key, and nothing of it is seen in between.
func TestCodecIsARoundTrip(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		a, b := key(t, "a", 1), key(t, "b", 2)
		before, after := ring(t, "a", a), ring(t, "b", a, b)
		in := rapid.SliceOfN(rapid.Custom(drawPayload), 0, 4).Draw(t, "payloads")
		sealed, err := encryption.NewCodec(before).Encode(in)
		require.NoError(t, err)
		require.Len(t, sealed, len(in))
		for i, p := range sealed {
			require.Equal(t, "binary/encrypted", string(p.GetMetadata()["encoding"]))
			require.Equal(t, "a", string(p.GetMetadata()["encryption-key-id"]))
			require.Len(t, p.GetMetadata(), 2, "the metadata of the content is content")
			if len(in[i].GetData()) > 8 {
				require.False(t, bytes.Contains(p.GetData(), in[i].GetData()))
			}
		}
		again, err := encryption.NewCodec(after).Encode(sealed)
		require.NoError(t, err)
		require.Equal(t, sealed, again, "what is encrypted stays as it is")
		for _, r := range []*encryption.Ring{before, after} {
			out, err := encryption.NewCodec(r).Decode(sealed)
			require.NoError(t, err)
			for i := range in {
				require.True(t, proto.Equal(in[i], out[i]))
			}
		}
	})
}

func drawPayload(t *rapid.T) *commonpb.Payload {
	p := &commonpb.Payload{Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data")}
	for _, name := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z-]{1,12}`), 0, 3, rapid.ID[string]).Draw(t, "metadata") {
		if p.Metadata == nil {
			p.Metadata = map[string][]byte{}
		}
		p.Metadata[name] = rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, name)
	}
	return p
}

// TestCodecTellsEveryChange: no byte of what is stored can be changed, cut off or
// moved to another key without being noticed.
func TestCodecTellsEveryChange(t *testing.T) {
	t.Parallel()

	const secret = "canary-4711"
	codec := encryption.NewCodec(ring(t, "a", key(t, "a", 1), key(t, "b", 2)))
	sealed, err := codec.Encode([]*commonpb.Payload{payload(`"` + secret + `"`)})
	require.NoError(t, err)
	data := sealed[0].GetData()
	broken := map[string]*commonpb.Payload{}
	change := func(name, id string, data []byte) {
		broken[name] = &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte(encryption.Encoding), "encryption-key-id": []byte(id)}, Data: data}
	}
	for i := range data {
		changed := slices.Clone(data)
		changed[i] ^= 1
		change(fmt.Sprint("bit of byte ", i), "a", changed)
		change(fmt.Sprint("cut to ", i), "a", data[:i])
	}
	change("longer", "a", append(slices.Clone(data), 0))
	change("another key of the ring", "b", data)
	for name, p := range broken {
		_, err := codec.Decode([]*commonpb.Payload{p})
		failure, ok := encryption.AsFailure(err)
		require.True(t, ok, name)
		require.Contains(t, []encryption.Reason{encryption.NotOpened, encryption.CutOff}, failure.Reason, name)
		require.Contains(t, err.Error(), `"`+string(p.GetMetadata()["encryption-key-id"])+`"`, name)
		require.NotContains(t, err.Error(), secret, name)
	}
}

func TestCodecSaysWhatToDo(t *testing.T) {
	t.Parallel()

	a := key(t, "2026-a", 1)
	sealed, err := encryption.NewCodec(ring(t, "2026-a", a)).Encode([]*commonpb.Payload{payload(`"canary"`)})
	require.NoError(t, err)
	named := func(id string) []*commonpb.Payload {
		return []*commonpb.Payload{{Metadata: map[string][]byte{"encoding": []byte(encryption.Encoding), "encryption-key-id": []byte(id)}, Data: sealed[0].GetData()}}
	}
	for name, tc := range map[string]struct {
		ring   *encryption.Ring
		in     []*commonpb.Payload
		reason encryption.Reason
		says   []string
	}{
		"unknown key": {ring(t, "b", key(t, "b", 2)), sealed, encryption.UnknownKey, []string{`"2026-a"`, "not in encryption.keys", "put the key back", "rewardflow keys rotate"}},
		"wrong key":   {ring(t, "2026-a", key(t, "2026-a", 9)), sealed, encryption.NotOpened, []string{`"2026-a"`, "another key under that ID"}},
		"no key ID":   {ring(t, "2026-a", a), named(""), encryption.NoKey, []string{"names no key"}},
		"a forged ID": {ring(t, "2026-a", a), named("<script>\x1b[31m"), encryption.NoKey, []string{"names no key"}},
		"a long ID":   {ring(t, "2026-a", a), named(strings.Repeat("x", 41)), encryption.NoKey, []string{"names no key"}},
	} {
		_, err := encryption.NewCodec(tc.ring).Decode(tc.in)
		failure, ok := encryption.AsFailure(err)
		require.True(t, ok, name)
		require.Equal(t, tc.reason, failure.Reason, name)
		for _, says := range tc.says {
			require.ErrorContains(t, err, says, name)
		}
		require.NotContains(t, err.Error(), "canary", name)
		require.NotContains(t, err.Error(), "script", name)
	}
}

// What people type into the Temporal UI, and what was written without keys, is
// read as it stands.
func TestCodecLeavesOtherEncodingsAlone(t *testing.T) {
	t.Parallel()

	codec := encryption.NewCodec(ring(t, "a", key(t, "a", 1)))
	in := []*commonpb.Payload{payload(`{"by":"alice"}`), {}, nil, {Metadata: map[string][]byte{"encoding": []byte("binary/zlib")}, Data: []byte{1}}}
	out, err := codec.Decode(in)
	require.NoError(t, err)
	require.Equal(t, in, out)

	var got map[string]string
	dc := encryption.NewDataConverter(converter.GetDefaultDataConverter(), ring(t, "a", key(t, "a", 1)))
	require.NoError(t, dc.FromPayload(in[0], &got))
	require.Equal(t, "alice", got["by"])
}

func TestEqualContentLooksDifferent(t *testing.T) {
	t.Parallel()

	codec := encryption.NewCodec(ring(t, "a", key(t, "a", 1)))
	out, err := codec.Encode([]*commonpb.Payload{payload("same"), payload("same")})
	require.NoError(t, err)
	require.NotEqual(t, out[0].GetData(), out[1].GetData())
}

func TestKeysAreRead(t *testing.T) {
	t.Parallel()

	k, text := encryption.NewKey(time.Date(2026, 11, 26, 3, 4, 5, 0, time.UTC))
	require.Regexp(t, `^20261126-[0-9a-f]{6}$`, k.ID)
	other, otherText := encryption.NewKey(time.Date(2026, 11, 26, 3, 4, 5, 0, time.UTC))
	require.NotEqual(t, text, otherText)
	require.NotEqual(t, k.ID, other.ID)
	for _, form := range []string{text, text + "=", " " + text + "\n", strings.NewReplacer("-", "+", "_", "/").Replace(text)} {
		read, err := encryption.ParseKey(k.ID, form)
		require.NoError(t, err)
		require.True(t, read.Same(k))
	}
	for name, tc := range map[string][2]string{
		"empty": {"a", ""}, "short": {"a", text[:20]}, "long": {"a", text + "AAAA"}, "zeros": {"a", strings.Repeat("A", 43)},
		"no base64": {"a", strings.Repeat("*", 43)}, "no ID": {"", text}, "bad ID": {"a b", text},
	} {
		_, err := encryption.ParseKey(tc[0], tc[1])
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), text[:20], name)
	}
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s %q", k, k, k, k, k), "secret")
	require.Equal(t, k.ID+" "+k.ID+" "+k.ID, fmt.Sprintf("%v %+v %#v", k, k, k))

	_, err := encryption.NewRing([]encryption.Key{k, k}, k.ID)
	require.ErrorContains(t, err, "two keys have the ID")
	_, err = encryption.NewRing([]encryption.Key{k}, "other")
	require.ErrorContains(t, err, `the active key "other" is not among the keys`)
}

// FuzzDecode: nothing that a database or a browser sends makes it panic, and
// nothing that it did not encrypt comes out as content.
func FuzzDecode(f *testing.F) {
	codec := encryption.NewCodec(ring(f, "a", key(f, "a", 1)))
	// Not fresh from Encode: each process of a fuzz run would have another one.
	sealed, err := hex.DecodeString(knownAnswer)
	require.NoError(f, err)
	f.Add("binary/encrypted", "a", sealed)
	f.Add("binary/encrypted", "b", []byte{})
	f.Add("json/plain", "", []byte("{}"))
	f.Fuzz(func(t *testing.T, encoding, id string, data []byte) {
		in := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte(encoding), "encryption-key-id": []byte(id)}, Data: data}
		out, err := codec.Decode([]*commonpb.Payload{in})
		switch {
		case encoding != encryption.Encoding:
			require.NoError(t, err)
			require.True(t, proto.Equal(in, out[0]))
		case id == "a" && bytes.Equal(data, sealed):
			require.NoError(t, err)
		default:
			_, ok := encryption.AsFailure(err)
			require.True(t, ok, "%v", err)
		}
	})
}
