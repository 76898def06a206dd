package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/policy"
)

// keysOf returns the path of every key of a type: "providers.<name>.url",
// "routes[].unit".
func keysOf(t reflect.Type, path string) []string {
	switch {
	case t.Kind() == reflect.Map:
		return keysOf(t.Elem(), path+".<name>")
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return keysOf(t.Elem(), path+"[]")
	case t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]():
		return []string{path}
	}
	var keys []string
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			keys = append(keys, keysOf(t.Field(i).Type, strings.TrimPrefix(path+"."+name, "."))...)
		}
	}
	return keys
}

// pathsOf returns the path of every key that a document uses, in the same form.
func pathsOf(value any, path string, into map[string]bool) {
	into[path] = true
	switch value := value.(type) {
	case map[string]any:
		for name, child := range value {
			pathsOf(child, strings.TrimPrefix(path+"."+name, "."), into)
		}
		for _, child := range value {
			pathsOf(child, path+".<name>", into)
		}
	case []any:
		for _, child := range value {
			pathsOf(child, path+"[]", into)
		}
	}
}

func TestDocumentsShowEveryKey(t *testing.T) {
	t.Parallel()

	var example map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(read(t, examplePath)), &example))
	used := map[string]bool{}
	pathsOf(example, "", used)
	manual := read(t, "../../docs/configuration.md")

	keys := keysOf(reflect.TypeFor[config.Config](), "")
	require.Contains(t, keys, "providers.<name>.allow_private_networks")
	require.Contains(t, keys, "providers.<name>.credit_value.<name>")
	require.Contains(t, keys, "brake.max_per_day.<name>")
	require.Contains(t, keys, "policy[].until")
	for _, key := range keys {
		require.True(t, used[key], "examples/rewardflow.yaml does not use %s", key)
		name := key
		if strings.HasPrefix(key, "brake.") {
			name = strings.ReplaceAll(key, "<name>", "<unit>")
		} else if above, isMap := strings.CutSuffix(key, "_value.<name>"); isMap {
			name = above + "_value.<currency>"
		}
		require.Contains(t, manual, "| `"+name+"` |", "docs/configuration.md has no row for the key")
		variable := strings.NewReplacer(".", "_", "[]", "_0").Replace(name)
		for _, hole := range []string{"<name>", "<unit>", "<currency>"} {
			variable = strings.ReplaceAll(variable, hole, strings.Trim(hole, "<>"))
		}
		require.Contains(t, manual, "`REWARDFLOW_"+strings.ToUpper(variable)+"`", "docs/configuration.md does not name the variable of %s", key)
	}
}

func TestManualNamesEveryWord(t *testing.T) {
	t.Parallel()

	manual := read(t, "../../docs/configuration.md")
	words := append(config.Roles(), config.NotificationEvents()...)
	for _, f := range policy.FactList() {
		words = append(words, f.Name)
		require.Contains(t, manual, "| `"+f.Name+"` | "+f.Type+" | ")
	}
	words = append(words, "pay", "ask", "hold", "refuse", "log", "slack", "webhook", "manual", "stripe", "paypal", "tremendous", "accept", "ignore", "sqlite")
	for _, word := range words {
		require.Contains(t, manual, "`"+word+"`")
	}
}

// TestRulesOfTheManual compiles every rule that docs/configuration.md shows.
func TestRulesOfTheManual(t *testing.T) {
	t.Parallel()

	shown := 0
	blocks := strings.Split(read(t, "../../docs/configuration.md"), "```")
	for i := 1; i < len(blocks); i += 2 {
		block, isYAML := strings.CutPrefix(blocks[i], "yaml\n")
		if !isYAML || !strings.HasPrefix(block, "policy:") {
			continue
		}
		shown++
		mustParse(t, required+block, nil)
	}
	require.Positive(t, shown)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(required))
	f.Add([]byte("a: &a {b: *a}\nproviders: *a\n"))
	f.Add([]byte("routes: [&r {unit: ${X}, campaign: 5000.5}, *r]\n<<: {}\n"))
	f.Add([]byte("policy: [{when: 'amount >', then: ask, for: 1h}]\nbrake: {max_single: {? [a] : 1}}\n"))
	env := environment{"REWARDFLOW_ROUTES_0_PROVIDER": "p", "REWARDFLOW_PROVIDERS_P_TYPE": "manual", "REWARDFLOW_BRAKE_MAX_SINGLE_EUR": "5"}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := config.Parse(data, "f.yaml", env.lookup, env.environ()...)
		if (cfg == nil) == (err == nil) {
			t.Fatal("either a configuration or an error")
		}
	})
}
