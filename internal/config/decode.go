package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rewardflow/rewardflow/internal/suggest"
)

// origin is where a key stands.
type origin struct {
	line     int
	given    bool   // False for a key without a value.
	variable string // Set when the environment gave it.
	raw      string // A scalar as it stands in the file.
}

// decoder writes nodes into a Config and collects every mistake on its way.
type decoder struct {
	file     string
	lookup   func(string) (string, bool)
	from     map[*yaml.Node]string
	origins  map[string]origin
	problems Problems
	// unreadable is how many of the problems are about reading; those of
	// validation follow.
	unreadable int
}

// wrong records a mistake about a key, at the place that gave the key its
// value, or else at the nearest key above it.
func (d *decoder) wrong(key, message, allowed string) {
	d.problems = append(d.problems, d.problem(key, message, allowed))
}

func (d *decoder) problem(key, message, allowed string) Problem {
	p := Problem{File: d.file, Key: key, Message: message, Allowed: allowed}
	if key != "" {
		p.Variable = variable(key)
	}
	for at := key; ; {
		if o, ok := d.origins[at]; ok {
			p.Line = o.line
			if o.variable != "" {
				p.File, p.Line, p.Variable = "", 0, o.variable
			}
			return p
		}
		cut := strings.LastIndexAny(at, ".[")
		if cut < 0 {
			return p
		}
		at = at[:cut]
	}
}

// given reports whether a key was given a value at all.
func (d *decoder) given(key string) bool {
	return d.origins[key].given
}

// value writes a node into v, which holds the key's default.
func (d *decoder) value(n *yaml.Node, v reflect.Value, key string) {
	n = resolve(n)
	if isNull(n) {
		return // The key stands there without a value: the default holds.
	}
	at := d.origins[key]
	if at.line == 0 {
		at.line = n.Line
	}
	at.given, at.variable, at.raw = true, d.from[n], n.Value
	d.origins[key] = at
	if isScalar(v.Type()) {
		if n.Kind != yaml.ScalarNode {
			d.wrong(key, "is a "+kindName(n), "one value")
			return
		}
		d.scalar(n, v, key)
		return
	}
	want := map[reflect.Kind]yaml.Kind{reflect.Struct: yaml.MappingNode, reflect.Map: yaml.MappingNode, reflect.Slice: yaml.SequenceNode}
	if n.Kind != want[v.Kind()] {
		d.wrong(key, "is a "+kindName(n), "a "+kindName(&yaml.Node{Kind: want[v.Kind()]}))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, key)
	case reflect.Map:
		d.mapping(n, v, key)
	default:
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, item := range n.Content {
			d.value(item, v.Index(i), itemKey(key, i))
		}
	}
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "map of keys"
	case yaml.SequenceNode:
		return "list"
	default:
		return "single value"
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, key string) {
	fields := map[string]field{}
	for _, f := range fieldsOf(v.Type()) {
		fields[f.name] = f
	}
	d.eachEntry(n, key, func(label, value *yaml.Node) {
		f, ok := fields[label.Value]
		if !ok {
			d.unknownKey(label, key, fieldNames(v.Type()))
			return
		}
		d.entry(label, value, v.Field(f.index), childKey(key, f.name))
	})
}

// mapping decodes a map with names as keys.
func (d *decoder) mapping(n *yaml.Node, v reflect.Value, key string) {
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Content)/2))
	d.eachEntry(n, key, func(label, value *yaml.Node) {
		elem := reflect.New(v.Type().Elem()).Elem()
		d.entry(label, value, elem, childKey(key, label.Value))
		v.SetMapIndex(reflect.ValueOf(label.Value), elem)
	})
}

// entry decodes the value of one entry. Its line is the label's.
func (d *decoder) entry(label, value *yaml.Node, v reflect.Value, key string) {
	d.origins[key] = origin{line: label.Line, variable: d.from[label]}
	d.value(value, v, key)
}

// eachEntry calls do for every entry of a mapping, and refuses labels that are
// no names, or that stand there twice.
func (d *decoder) eachEntry(n *yaml.Node, key string, do func(label, value *yaml.Node)) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		label, value := n.Content[i], n.Content[i+1]
		at := d.problem(key, "", "")
		if at.File != "" {
			at.Line = label.Line
		}
		switch line, twice := first[label.Value]; {
		case label.Kind != yaml.ScalarNode:
			at.Message = "a " + kindName(label) + " cannot be a key"
			d.problems = append(d.problems, at)
			continue
		case label.Value == "<<" && label.ShortTag() == "!!merge":
			at.Message, at.Allowed = "merge keys (<<) are not supported", "write the keys out"
			d.problems = append(d.problems, at)
			continue
		case twice:
			at.Key, at.Variable = childKey(key, label.Value), variable(childKey(key, label.Value))
			at.Message, at.Allowed = fmt.Sprintf("is given twice, in line %d too", line), "each key once"
			d.problems = append(d.problems, at)
			continue
		}
		first[label.Value] = label.Line
		do(label, value)
	}
}

// unknownKeyMessage begins what is said of a key that nobody knows.
const unknownKeyMessage = "is not a known key"

func (d *decoder) unknownKey(label *yaml.Node, parent string, known []string) {
	p := d.problem(parent, "", strings.Join(known, ", "))
	if p.File != "" {
		p.Line, p.Variable = label.Line, ""
	}
	p.Key, p.Message = childKey(parent, label.Value), unknownKeyMessage
	if near := suggest.Nearest(label.Value, known); near != "" {
		p.Message += fmt.Sprintf(", did you mean %q?", near)
	}
	d.problems = append(d.problems, p)
}

// shown returns a value in quotes and a space, for the beginning of a message.
// It repeats only what stands in the file, as it stands there: what a variable
// holds may be a secret, and then it returns the empty text.
func (d *decoder) shown(key string) string {
	if o := d.origins[key]; o.variable == "" && o.raw != "" {
		return fmt.Sprintf("%.60q ", o.raw)
	}
	return ""
}

// scalar writes one value.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, key string) {
	text, ok := d.text(n, key)
	if !ok {
		return
	}
	switch v.Interface().(type) {
	case time.Duration:
		parsed, err := time.ParseDuration(text)
		if err != nil {
			d.wrong(key, d.shown(key)+"is not a duration", "a number with a unit, such as 30s, 10m or 24h")
			return
		}
		v.SetInt(int64(parsed))
		return
	case time.Time:
		d.time(text, v, key)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			d.wrong(key, d.shown(key)+"is neither true nor false", "true, false")
			return
		}
		v.SetBool(text == "true")
	default:
		parsed, err := strconv.ParseInt(text, 10, 64)
		if err != nil || v.OverflowInt(parsed) {
			d.wrong(key, d.shown(key)+"is not a whole number", "digits only, such as 5000, without fraction, exponent or separators")
			return
		}
		v.SetInt(parsed)
	}
}

func (d *decoder) time(text string, v reflect.Value, key string) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if parsed, err := time.Parse(layout, text); err == nil {
			v.Set(reflect.ValueOf(parsed.UTC()))
			return
		}
	}
	d.wrong(key, d.shown(key)+"is not a time", "2026-12-31T00:00:00Z, or 2026-12-31 for its first moment in UTC")
}

// text returns the value of a scalar. In the file ${NAME} stands for a
// variable and $$ for one $; what the environment gave stays as it is.
func (d *decoder) text(n *yaml.Node, key string) (string, bool) {
	if d.from[n] != "" || !strings.Contains(n.Value, "$") {
		return n.Value, true
	}
	var b strings.Builder
	complete := true
	for rest := n.Value; rest != ""; {
		before, after, found := strings.Cut(rest, "$")
		b.WriteString(before)
		switch {
		case !found:
			rest = ""
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			rest = after[1:]
		case strings.HasPrefix(after, "{"):
			name, tail, closed := strings.Cut(after[1:], "}")
			rest = tail
			if !closed || !isVariableName(name) {
				d.wrong(key, "holds ${ that does not begin a variable", "${NAME} with letters, digits and _, or $$ for one $")
				return "", false
			}
			value, set := d.lookup(name)
			if !set {
				d.wrong(key, "the variable "+name+" is not set", "set "+name+", or write $${...} for the text itself")
				complete = false
			}
			b.WriteString(value)
		default:
			b.WriteByte('$')
			rest = after
		}
	}
	return b.String(), complete
}

func isVariableName(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}
