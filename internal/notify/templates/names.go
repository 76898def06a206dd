package templates

import (
	"fmt"
	"reflect"
	"slices"
	"text/template/parse"

	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/suggest"
)

// checkNames refuses a field that nothing of the event has, in branches too
// that the samples do not take. Whether it stands in the right place shows the
// execution.
func checkNames(tree *parse.Tree, event string) error {
	if tree == nil || tree.Root == nil {
		return nil
	}
	facts, err := notify.Facts(event, "", []byte(`{}`))
	if err != nil {
		return err
	}
	known := map[string]bool{}
	collect(reflect.TypeOf(facts), known, map[reflect.Type]bool{})
	var wrong error
	walk(reflect.ValueOf(tree.Root), func(n parse.Node, names []string) {
		for _, name := range names {
			if known[name] || wrong != nil {
				continue
			}
			location, _ := tree.ErrorContext(n)
			wrong = fmt.Errorf("%s: %s has no field %s%s", location, event, name, nearest(name, known))
		}
	})
	return wrong
}

func nearest(name string, known map[string]bool) string {
	var names []string
	for k := range known {
		names = append(names, k)
	}
	slices.Sort(names)
	if near := suggest.Nearest(name, names); near != "" {
		return fmt.Sprintf(", did you mean %s?", near)
	}
	return ""
}

// collect adds the names of all fields and methods that can be reached.
func collect(t reflect.Type, known map[string]bool, seen map[reflect.Type]bool) {
	if seen[t] {
		return
	}
	seen[t] = true
	for m := range t.Methods() {
		known[m.Name] = true
	}
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			if f.IsExported() {
				known[f.Name] = true
				collect(f.Type, known, seen)
			}
		}
	case reflect.Slice, reflect.Pointer:
		collect(t.Elem(), known, seen)
	}
}

// walk calls found for every node that names fields. The tree's types are many
// and all alike: nodes within nodes.
func walk(v reflect.Value, found func(n parse.Node, names []string)) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() || v.Type() == reflect.TypeFor[*parse.Tree]() {
			return
		}
		switch n := v.Interface().(type) {
		case *parse.FieldNode:
			found(n, n.Ident)
		case *parse.VariableNode:
			found(n, n.Ident[1:])
		case *parse.ChainNode:
			found(n, n.Field)
		}
		walk(v.Elem(), found)
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				walk(v.Field(i), found)
			}
		}
	}
}
