package config

import (
	"reflect"
	"strconv"
	"strings"
	"time"
)

// prefix begins the name of every variable.
const prefix = "REWARDFLOW_"

// variable returns the name of the variable that sets a key:
// "routes[0].provider" is REWARDFLOW_ROUTES_0_PROVIDER.
func variable(key string) string {
	return prefix + variablePart(key)
}

func variablePart(key string) string {
	return strings.ToUpper(strings.NewReplacer(".", "_", "[", "_", "]", "", "-", "_").Replace(key))
}

func childKey(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

func itemKey(parent string, index int) string {
	return parent + "[" + strconv.Itoa(index) + "]"
}

// field is one key of a struct.
type field struct {
	name  string
	index int
	typ   reflect.Type
}

// fieldsOf returns the keys of a struct in their order: the exported fields
// with a yaml name.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		if name := f.Tag.Get("yaml"); f.IsExported() && name != "" && name != "-" {
			fields = append(fields, field{name: name, index: i, typ: f.Type})
		}
	}
	return fields
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for _, f := range fieldsOf(t) {
		names = append(names, f.name)
	}
	return names
}

// isScalar reports whether a key of the type is written as one scalar.
func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		return t == reflect.TypeFor[time.Time]()
	case reflect.Map, reflect.Slice:
		return false
	default:
		return true
	}
}

func isSecret(t reflect.Type) bool { return t == reflect.TypeFor[Secret]() }

// leaf is one scalar key below a struct, as the end of a variable's name.
type leaf struct {
	suffix string
	secret bool
}

// leavesOf returns all scalar keys below a struct.
func leavesOf(t reflect.Type, parent string) []leaf {
	var leaves []leaf
	for _, f := range fieldsOf(t) {
		key := childKey(parent, f.name)
		switch {
		case isScalar(f.typ):
			leaves = append(leaves, leaf{variablePart(key), isSecret(f.typ)})
		case f.typ.Kind() == reflect.Struct:
			leaves = append(leaves, leavesOf(f.typ, key)...)
		default:
			leaves = append(leaves, leaf{suffix: variablePart(key)})
		}
	}
	return leaves
}
