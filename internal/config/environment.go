package config

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/bojanz/currency"
	"go.yaml.in/yaml/v3"

	"github.com/rewardflow/rewardflow/internal/suggest"
)

// fileSuffix marks a variable that names a file which holds the secret.
const fileSuffix = "_FILE"

// foreign returns the variables with our prefix that are no keys: the command
// line uses them.
func foreign() []string {
	return []string{prefix + "CONFIG", prefix + "TOKEN", prefix + "URL"}
}

// overlay lays the environment over the nodes of the file.
type overlay struct {
	lookup func(string) (string, bool)
	// names are the variables with our prefix that the environment holds; nil
	// when the caller gave no list.
	names []string
	// known are the names that were looked for.
	known []string
	// from says which variable a node came from.
	from     map[*yaml.Node]string
	problems Problems
}

func newOverlay(lookup func(string) (string, bool), environ []string) *overlay {
	o := &overlay{lookup: lookup, from: map[*yaml.Node]string{}}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, prefix) && value != "" {
			o.names = append(o.names, name)
		}
	}
	slices.Sort(o.names)
	return o
}

// get returns a variable. An empty one counts as not set, because that is what
// compose files and manifests leave behind for a value that nobody gave.
func (o *overlay) get(name string) (string, bool) {
	o.known = append(o.known, name)
	value, ok := o.lookup(name)
	return value, ok && value != ""
}

func (o *overlay) wrong(name, message, allowed string) {
	o.problems = append(o.problems, Problem{Variable: name, Message: message, Allowed: allowed})
}

// apply returns the node for a key of type t: what the environment says, over
// what the file says. n and the result are nil when nothing is said.
func (o *overlay) apply(n *yaml.Node, t reflect.Type, key string) *yaml.Node {
	if isScalar(t) {
		if replaced := o.scalar(t, key); replaced != nil {
			return replaced
		}
		return n
	}
	if t.Kind() != reflect.Struct {
		if replaced := o.whole(key); replaced != nil {
			n = replaced
		}
	}
	switch t.Kind() {
	case reflect.Struct:
		for _, f := range fieldsOf(t) {
			n = o.child(n, f.name, f.typ, childKey(key, f.name))
		}
	case reflect.Map:
		for _, name := range o.mapKeys(n, t.Elem(), key) {
			n = o.child(n, name, t.Elem(), childKey(key, name))
		}
	default:
		n = o.items(n, t.Elem(), key)
	}
	return n
}

// scalar returns the node of a variable that sets one value, or nil.
func (o *overlay) scalar(t reflect.Type, key string) *yaml.Node {
	name := variable(key)
	value, ok := o.get(name)
	if isSecret(t) {
		path, fromFile := o.get(name + fileSuffix)
		switch {
		case ok && fromFile:
			o.wrong(name+fileSuffix, name+" is set too", "one of the two")
		case fromFile:
			name += fileSuffix
			value, ok = o.readFile(name, path)
		}
	}
	if !ok {
		return nil
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	o.from[n] = name
	return n
}

// readFile returns the content of a secret's file without the newline that
// editors put at its end.
func (o *overlay) readFile(name, path string) (string, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		reason := "cannot be read"
		if errors.Is(err, os.ErrNotExist) {
			reason = "does not exist"
		} else if errors.Is(err, os.ErrPermission) {
			reason = "may not be read by this user"
		}
		o.wrong(name, "the file "+path+" "+reason, "")
		return "", false
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if value == "" {
		o.wrong(name, "the file "+path+" is empty", "")
		return "", false
	}
	return value, true
}

// whole returns the node of a variable that sets a list or a map as one YAML
// or JSON value, or nil.
func (o *overlay) whole(key string) *yaml.Node {
	name := variable(key)
	value, ok := o.get(name)
	if !ok {
		return nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(value), &doc); err != nil || len(doc.Content) != 1 {
		o.wrong(name, "is not readable as YAML or JSON", "one value, such as [{provider: people}]")
		return nil
	}
	o.mark(doc.Content[0], name)
	return doc.Content[0]
}

func (o *overlay) mark(n *yaml.Node, name string) {
	o.from[n] = name
	for _, child := range n.Content {
		o.mark(child, name)
	}
}

// child applies the environment to one entry of a mapping, and returns the
// mapping. It never writes into a node that an anchor shares with others.
func (o *overlay) child(n *yaml.Node, name string, t reflect.Type, key string) *yaml.Node {
	mapping := resolve(n)
	if mapping != nil && isNull(mapping) {
		mapping = nil
	}
	if mapping != nil && mapping.Kind != yaml.MappingNode {
		return n // The decoder will say that this is no mapping.
	}
	at := -1
	if mapping != nil {
		at = entry(mapping, name)
	}
	var before *yaml.Node
	if at >= 0 {
		before = mapping.Content[at]
	}
	after := o.apply(before, t, key)
	if after == before {
		return n
	}
	changed := &yaml.Node{Kind: yaml.MappingNode}
	if mapping != nil {
		changed.Line, changed.Content = mapping.Line, slices.Clone(mapping.Content)
		o.inherit(changed, mapping)
	}
	if at >= 0 {
		changed.Content[at] = after
		return changed
	}
	label := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}
	o.from[label] = variable(key)
	changed.Content = append(changed.Content, label, after)
	return changed
}

func (o *overlay) inherit(to, from *yaml.Node) {
	if name, ok := o.from[from]; ok {
		o.from[to] = name
	}
}

// items applies the environment to the items of a list, and appends those that
// follow directly on the last.
func (o *overlay) items(n *yaml.Node, elem reflect.Type, key string) *yaml.Node {
	list := resolve(n)
	if list != nil && isNull(list) {
		list = nil
	}
	if list != nil && list.Kind != yaml.SequenceNode {
		return n
	}
	changed := &yaml.Node{Kind: yaml.SequenceNode}
	if list != nil {
		changed.Line, changed.Content = list.Line, slices.Clone(list.Content)
		o.inherit(changed, list)
	}
	touched := false
	for i := 0; i < len(changed.Content) || o.mentions(variable(itemKey(key, i))); i++ {
		var before *yaml.Node
		if i < len(changed.Content) {
			before = changed.Content[i]
		}
		after := o.apply(before, elem, itemKey(key, i))
		if after == nil {
			break
		}
		touched = touched || after != before
		if before == nil {
			changed.Content = append(changed.Content, after)
		} else {
			changed.Content[i] = after
		}
	}
	if !touched {
		return n
	}
	return changed
}

// mentions reports whether a variable of that name, or below it, is set.
func (o *overlay) mentions(name string) bool {
	return slices.ContainsFunc(o.names, func(n string) bool {
		return n == name || strings.HasPrefix(n, name+"_")
	})
}

// mapKeys returns the keys of a map: those in the file, and those that only
// the environment names. The latter are in lower case, except currencies.
func (o *overlay) mapKeys(n *yaml.Node, elem reflect.Type, key string) []string {
	var keys []string
	taken := map[string]bool{}
	if mapping := resolve(n); mapping != nil && mapping.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			keys = append(keys, mapping.Content[i].Value)
			taken[variablePart(mapping.Content[i].Value)] = true
		}
	}
	for _, name := range o.names {
		rest, ok := strings.CutPrefix(name, variable(key)+"_")
		if !ok {
			continue
		}
		part := entryPart(rest, elem)
		if part == "" || taken[part] {
			continue
		}
		taken[part] = true
		if currency.IsValid(part) && isScalar(elem) {
			keys = append(keys, part)
		} else {
			keys = append(keys, strings.ToLower(part))
		}
	}
	return keys
}

// entryPart returns the part of a variable's name that names the map's entry:
// "TEAM" of "TEAM_SECRET_FILE".
func entryPart(rest string, elem reflect.Type) string {
	if isScalar(elem) {
		return rest
	}
	longest := ""
	for _, l := range leavesOf(elem, "") {
		suffixes := []string{"_" + l.suffix}
		if l.secret {
			suffixes = append(suffixes, "_"+l.suffix+fileSuffix)
		}
		for _, suffix := range suffixes {
			if strings.HasSuffix(rest, suffix) && len(suffix) > len(longest) {
				longest = suffix
			}
		}
	}
	if longest == "" {
		return ""
	}
	return strings.TrimSuffix(rest, longest)
}

// unknown reports every variable with our prefix that means nothing.
func (o *overlay) unknown() {
	for _, name := range o.names {
		if slices.Contains(o.known, name) || slices.Contains(foreign(), name) {
			continue
		}
		allowed := "the names in docs/configuration.md"
		if near := suggest.Nearest(name, o.known); near != "" {
			allowed = "did you mean " + near + "?"
		}
		o.wrong(name, "is not a variable of rewardflow", allowed)
	}
}

// entry returns the index of a key's value in a mapping, or -1.
func entry(mapping *yaml.Node, name string) int {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return i + 1
		}
	}
	return -1
}

// resolve follows an alias to its anchor.
func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
