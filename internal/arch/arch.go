// Package arch keeps the rules of who may import whom. It reads the source
// with go/parser: a test that asked the go command would be cached past a
// violation.
package arch

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Module is the path that the module's own packages begin with.
const Module = "github.com/rewardflow/rewardflow"

// Rule says what the packages of a part may not import.
type Rule struct {
	// Part selects packages: a path below the module, or one that ends in
	// "/..." for a whole tree.
	Part string
	// Ours lists the module's packages that may be imported; nil allows all.
	// An entry may end in "/...".
	Ours []string
	// Never lists import paths that are forbidden, the module's own without
	// its path; an entry may end in "/...".
	Never []string
	// FarAway applies the rule to everything of the module that the part
	// imports, directly or not.
	FarAway bool
	// Except lists packages of the part that the rule does not bind.
	Except []string
	// Why says what the rule protects.
	Why string
}

// Rules returns the rules of the house.
func Rules() []Rule {
	outside := []string{"net", "net/http/...", "os/...", "sync/...", "math/rand/...", "database/sql/...", "log/slog", "go.temporal.io/sdk/client"}
	return []Rule{
		{Part: "internal/reward", Ours: []string{}, Why: "the words of the domain know nothing"},
		{Part: "internal/fault", Ours: []string{}, Why: "the kinds of failure know nothing"},
		{Part: "internal/suggest", Ours: []string{}, Why: "it is only about words"},
		{Part: "internal/buildinfo", Ours: []string{}, Why: "it is about this program, whatever that does"},
		{Part: "internal/lockfile", Ours: []string{}, Why: "it is only about files"},
		{Part: "internal/spool", Ours: []string{"internal/fault", "internal/lockfile"}, Why: "it keeps bytes, and does not know what they mean"},
		{
			Part: "workflows", FarAway: true, Never: outside,
			Ours: []string{"activities", "internal/reward", "internal/fault", "internal/ledger", "internal/payout", "internal/notify"},
			Why:  "a workflow decides, and never reaches an adapter, however far away",
		},
		{
			Part: "activities", Never: []string{"net/http/...", "os/...", "database/sql/...", "go.temporal.io/sdk/workflow"},
			Ours: []string{"internal/reward", "internal/fault", "internal/ledger", "internal/payout", "internal/notify"},
			Why:  "an activity acts through ports",
		},
		{Part: "internal/ledger", Ours: []string{"internal/reward", "internal/payout"}, Why: "a port knows no adapter"},
		{
			Part: "internal/ledger/relational", Ours: []string{"internal/ledger", "internal/reward", "internal/payout", "internal/fault"},
			Never: []string{"modernc.org/sqlite/...", "github.com/jackc/pgx/..."},
			Why:   "it is the same for every database",
		},
		{Part: "internal/payout", Ours: []string{"internal/reward", "internal/fault"}, Why: "a port knows no adapter"},
		{Part: "internal/notify", Ours: []string{"internal/reward", "internal/fault"}, Why: "a port knows no adapter"},
		{Part: "internal/provision", Ours: []string{}, Why: "it speaks to Temporal, and knows nothing of rewards"},
		{
			Part: "worker", Ours: []string{"workflows", "activities"}, Why: "it registers, and nothing else",
		},
		{
			Part: "api", Why: "the edge knows ports, and no adapter",
			Ours: []string{
				"internal/reward", "internal/fault", "internal/ledger", "internal/payout", "internal/suggest", "internal/identity", "api/console",
			},
		},
		{
			Part: "api/console", Why: "the pages know ports, and no adapter",
			Ours: []string{"internal/reward", "internal/fault", "internal/ledger", "internal/identity"},
		},
		{Part: "internal/identity", Ours: []string{"internal/fault", "internal/ledger"}, Why: "who somebody is has nothing to do with what is paid"},
		{Part: "internal/openid", Ours: []string{"internal/fault", "internal/egress", "internal/identity"}, Why: "it asks who somebody is, and decides nothing"},
		{
			Part: "internal/ledger/sealed", Ours: []string{"internal/encryption", "internal/fault", "internal/ledger", "internal/payout", "internal/reward"},
			Why: "it seals for any ledger, and knows no database",
		},
		{Part: "internal/encryption", Ours: []string{}, Why: "what turns content into ciphers knows nothing of what it means"},
		{
			Part: "internal/codecserver", Ours: []string{"internal/encryption", "internal/fault", "internal/identity"},
			Why: "it shows what Temporal holds to who may see it, and reaches nothing else",
		},
		{
			Part: "...", Never: []string{"github.com/coreos/go-oidc/...", "golang.org/x/oauth2/..."}, Except: []string{"internal/openid"},
			Why: "tokens of a provider stay in the adapter that asks for them",
		},
		{
			Part: "...", Never: []string{"github.com/gin-gonic/gin/..."}, Except: []string{"api"},
			Why: "gin appears in api and nowhere else",
		},
		{
			Part: "...", Never: []string{"github.com/slack-go/slack/..."}, Except: []string{"internal/slackapproval", "internal/notify/slack"},
			Why: "Slack's words stay in the adapters that speak to it",
		},
		{
			Part: "...", Never: []string{"internal/engine/...", "go.temporal.io/server/...", "github.com/temporalio/ui-server/..."},
			Except: []string{"cmd/standalone", "internal/engine", "internal/engine/enginetest", "bench/internal/plain", "internal/nemesis"},
			Why:    "the lean binary and its image hold no server",
		},
		{
			Part: "bench/...", Ours: []string{"bench/...", "internal/engine", "internal/postgrestest"}, Except: []string{"bench/internal/past"},
			Why: "rewardflow is measured as the program that its users run, and peers use nothing of it but the engine",
		},
		{Part: "release/...", Ours: []string{"release"}, Why: "what makes a release reads the programs from outside"},
		{
			Part: "...", Never: []string{"internal/app"}, Except: []string{"cmd/standalone", "internal/demo", "internal/cli"},
			Why: "wiring is for programs",
		},
		{
			Part: "...", Never: []string{"internal/nemesis", "github.com/Shopify/toxiproxy/..."}, Except: []string{"cmd/nemesis", "internal/nemesis"},
			Why: "what attacks the program is no part of it",
		},
		{
			Part: "...", Never: []string{"internal/crashpoint"}, Except: []string{"internal/app", "internal/nemesis"},
			Why: "the points of crashes stand around the parts, and no part knows them",
		},
		{
			Part: "internal/nemesis", Never: []string{"internal/app", "internal/ledger/...", "internal/policy", "activities"},
			Why: "an oracle does not ask what it judges",
		},
		{
			Part: "cmd/rewardflow", FarAway: true, Never: []string{"internal/firstpromoter/simulator", "internal/payout/sandbox", "internal/demo", "internal/openid/openidtest", "internal/telemetry/otlpdouble"},
			Why: "a double is for tests and the demo",
		},
	}
}

// Check parses every package below root and returns the broken rules in words,
// sorted. Tests are not bound by the rules.
func Check(root fs.FS, rules []Rule) ([]string, error) {
	imports, err := read(root)
	if err != nil {
		return nil, err
	}
	var broken []string
	for _, rule := range rules {
		for pkg := range imports {
			if !matches(rule.Part, pkg) || slices.Contains(rule.Except, pkg) {
				continue
			}
			broken = append(broken, rule.check(pkg, imports)...)
		}
	}
	slices.Sort(broken)
	return slices.Compact(broken), nil
}

func (r Rule) check(pkg string, imports map[string][]string) []string {
	var broken []string
	bound := []string{pkg}
	for i := 0; i < len(bound); i++ {
		for _, imported := range imports[bound[i]] {
			local, ours := strings.CutPrefix(imported, Module+"/")
			switch {
			case r.forbids(imported, local, ours):
				broken = append(broken, fmt.Sprintf("%s imports %s: %s", bound[i], imported, r.Why))
			case ours && r.FarAway && !slices.Contains(bound, local):
				bound = append(bound, local)
			}
		}
	}
	return broken
}

func (r Rule) forbids(imported, local string, ours bool) bool {
	for _, never := range r.Never {
		if matches(never, imported) || ours && matches(never, local) {
			return true
		}
	}
	return ours && r.Ours != nil && !slices.ContainsFunc(r.Ours, func(allowed string) bool { return matches(allowed, local) })
}

// matches reports whether a pattern of a rule selects an import path.
func matches(pattern, name string) bool {
	if pattern == "..." {
		return true
	}
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == tree || strings.HasPrefix(name, tree+"/")
	}
	return name == pattern
}

// read returns what every package imports, tests left out.
func read(root fs.FS) (map[string][]string, error) {
	imports := map[string][]string{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
		if err != nil {
			return fmt.Errorf("parsing %s: %w", name, err)
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return fmt.Errorf("reading an import of %s: %w", name, err)
			}
			imports[path.Dir(name)] = append(imports[path.Dir(name)], imported)
		}
		return nil
	})
	return imports, err
}
