package firstpromoter

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// split returns the members of a JSON object, nil for another value. The JSON
// must be valid: then the end of a value is found by its brackets and quotes
// alone. encoding/json would check and copy each object again at every level
// above it, which made decoding the dearest part of taking an event in. Values
// are parts of raw, without space around them.
func split(raw []byte) object {
	rest := skipSpace(raw)
	if len(rest) == 0 || rest[0] != '{' {
		return nil
	}
	o := object{}
	for rest = skipSpace(rest[1:]); rest[0] != '}'; {
		n := stringLen(rest)
		key := unquote(rest[:n])
		rest = skipSpace(rest[n:])
		rest = skipSpace(rest[len(":"):])
		n = valueLen(rest)
		o[key] = json.RawMessage(rest[:n:n])
		rest = skipSpace(rest[n:])
		if rest[0] == ',' {
			rest = skipSpace(rest[1:])
		}
	}
	return o
}

func skipSpace(raw []byte) []byte { return bytes.TrimLeft(raw, " \t\r\n") }

// stringLen is how long the string is, quotes included, with which raw begins.
func stringLen(raw []byte) int {
	for i := 1; ; i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// valueLen is how long the value is with which raw begins, and behind which
// another byte follows.
func valueLen(raw []byte) int {
	switch raw[0] {
	case '"':
		return stringLen(raw)
	case '{', '[':
		return bracketsLen(raw)
	}
	return bytes.IndexAny(raw, ",} \t\r\n")
}

// bracketsLen is how long the object or array is with which raw begins.
func bracketsLen(raw []byte) int {
	open := 0
	for i := 0; ; i++ {
		switch raw[i] {
		case '"':
			i += stringLen(raw[i:]) - 1
		case '{', '[':
			open++
		case '}', ']':
			if open--; open == 0 {
				return i + 1
			}
		}
	}
}

// unquote returns the text of a JSON string. What is not UTF-8 in it is
// replaced, as encoding/json does.
func unquote(quoted []byte) string {
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return "" // Not for valid JSON.
	}
	return s
}
