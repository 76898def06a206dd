package config

import (
	"bytes"
	"errors"
	"io"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Load reads the file at path and lays the environment over it.
//
// lookup gives the value of a variable, as os.LookupEnv does. environ is the
// whole environment, as os.Environ returns it; with it, variables that begin
// with REWARDFLOW_ and mean nothing are refused, and entries of maps and lists
// may stand in the environment alone. An empty path reads no file.
//
// The error is of type Problems and holds every mistake.
func Load(path string, lookup func(string) (string, bool), environ ...string) (*Config, error) {
	if path == "" {
		return Parse(nil, "", lookup, environ...)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		message := "the file cannot be read"
		if errors.Is(err, os.ErrNotExist) {
			message = "the file does not exist"
		}
		return nil, Problems{{File: path, Message: message, Allowed: "a YAML file such as examples/rewardflow.yaml"}}
	}
	return Parse(data, path, lookup, environ...)
}

// Parse does what Load does with the content of a file. name stands in
// messages for the file.
func Parse(data []byte, name string, lookup func(string) (string, bool), environ ...string) (*Config, error) {
	root, err := parseYAML(data, name)
	if err != nil {
		return nil, err
	}
	over := newOverlay(lookup, environ)
	root = over.apply(root, reflect.TypeFor[Config](), "")
	over.unknown()

	cfg := Default()
	d := &decoder{file: name, lookup: lookup, from: over.from, origins: map[string]origin{}, problems: over.problems}
	if root != nil {
		d.value(root, reflect.ValueOf(cfg).Elem(), "")
	}
	cfg.complete(d)
	cfg.validate(d)
	if err := d.problems.err(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// parseYAML returns the one mapping that a file holds, or nil for an empty
// file.
func parseYAML(data []byte, name string) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(shield(data)))
	var doc, more yaml.Node
	err := decoder.Decode(&doc)
	unshield(&doc)
	if errors.Is(err, io.EOF) || err == nil && isNull(doc.Content[0]) {
		return nil, nil //nolint:nilnil // An empty file says nothing, and that is allowed.
	}
	if err == nil {
		if err = decoder.Decode(&more); errors.Is(err, io.EOF) {
			return doc.Content[0], nil
		} else if err == nil {
			return nil, Problems{{File: name, Line: more.Line, Message: "the file holds a second YAML document", Allowed: "one document"}}
		}
	}
	return nil, Problems{syntaxProblem(err, name)}
}

// Two characters for private use stand for the braces of a variable while the
// file is parsed: YAML has a meaning of its own for braces inside of {...}, and
// ${NAME} must not need quotes there.
const (
	shieldedOpen  = "\uE000"
	shieldedClose = "\uE001"
)

// shield hides the braces of variables from YAML. A file that uses the two
// characters itself is left as it is.
func shield(data []byte) []byte {
	if bytes.Contains(data, []byte(shieldedOpen)) || bytes.Contains(data, []byte(shieldedClose)) {
		return data
	}
	return regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`).ReplaceAll(data, []byte("$$"+shieldedOpen+"${1}"+shieldedClose))
}

// unshield brings the braces back, in keys and values of the whole document.
func unshield(n *yaml.Node) {
	n.Value = strings.NewReplacer("$"+shieldedOpen, "${", shieldedClose, "}").Replace(n.Value)
	for _, child := range n.Content {
		unshield(child)
	}
}

// syntaxProblem rewrites "yaml: line 3: ...", and keeps from the message what
// might be a value: an alias that was meant as text.
func syntaxProblem(err error, name string) Problem {
	p := Problem{File: name, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := regexp.MustCompile(`^line (\d+): (.*)`).FindStringSubmatch(p.Message); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Message = m[2]
	}
	if strings.HasPrefix(p.Message, "unknown anchor") {
		p.Message = "a value begins with *, which means an alias, and has no anchor"
	}
	p.Message = "is not YAML: " + p.Message
	p.Allowed = "indentation by spaces, and quotes around values with : # * & ! %"
	return p
}
