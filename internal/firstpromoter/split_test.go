package firstpromoter

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/firstpromotertest"
)

// FuzzSplit holds objects, and the objects in them, against what encoding/json
// reads of them.
func FuzzSplit(f *testing.F) {
	firstpromotertest.AddBodies(f, "testdata")
	for _, body := range []string{
		`{}`, ` { } `, "\t{\r\n\"a\" :\t1 ,\n\"b\": -0.5e+3 }\n", `null`, `[{"a":1}]`, `"{"`, `7`, ``, `{`, `{"a":1}}`, `{"a":1,}`,
		`{"a":"}","b":"\"","c":"\\","d":"\\\"}{","e":{"}":"]"},"f":["{",[],{"x":[{}]}],"g":true,"h":null,"i":false}`,
		`{"a":1,"a":{"b":2},"\u0061":3,"A":4}`, `{"":"","\ud800":"\ud83d\ude00"}`, "{\"\xff\":\"\xfe\x01\"}", "{\"\xff\":\"\xfe\"}",
		strings.Repeat(`{"a":`, 200) + `1` + strings.Repeat(`}`, 200),
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		requireSplitAsJSON(t, body, readObject(body))
	})
}

func requireSplitAsJSON(t *testing.T, raw []byte, o object) {
	t.Helper()

	var want map[string]json.RawMessage
	if json.Unmarshal(raw, &want) != nil || want == nil {
		require.Nil(t, o)
		return
	}
	require.Len(t, o, len(want))
	for key, value := range want {
		require.Equal(t, string(value), string(o[key]))
		requireSplitAsJSON(t, value, o.object(key))
		var text string
		if value[0] == '"' && json.Unmarshal(value, &text) == nil {
			got, ok := o.scalar(key)
			require.True(t, ok)
			require.Equal(t, text, got)
		}
	}
}
