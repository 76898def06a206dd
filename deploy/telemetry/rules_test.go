package telemetry_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const (
	root      = "../.."
	rulesFile = "../prometheus/rules/rewardflow.yaml"
	testsDir  = "../prometheus/tests"
	bookURL   = "https://github.com/rewardflow/rewardflow/blob/main/docs/runbook.md#"
)

func readRules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(rulesFile, false, model.UTF8Validation, parser.NewParser(parser.Options{}), promslog.NewNopLogger())
	require.Empty(t, errs)
	var all []rulefmt.Rule
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

func TestEveryAlertLeadsToWhatToDo(t *testing.T) {
	t.Parallel()

	book, err := os.ReadFile(filepath.Join(root, "docs/runbook.md"))
	require.NoError(t, err)
	sections := sectionsOf(string(book))
	page, err := os.ReadFile(filepath.Join(root, "docs/telemetry.md"))
	require.NoError(t, err)
	for _, r := range readRules(t) {
		require.Contains(t, []string{"critical", "warning"}, r.Labels["severity"], r.Alert)
		require.NotEmpty(t, r.Annotations["summary"], r.Alert)
		require.NotEmpty(t, r.Annotations["description"], r.Alert)
		anchor, ok := strings.CutPrefix(r.Annotations["runbook"], bookURL)
		require.True(t, ok, "%s: %s", r.Alert, r.Annotations["runbook"])
		require.Contains(t, sections, anchor, r.Alert)
		require.Regexp(t, `(?m)\*\*Do:\*\*|what to do`, sections[anchor], "%s: its section says what to do", r.Alert)
		require.Contains(t, string(page), "`"+r.Alert+"`", "docs/telemetry.md")
	}
}

// sectionsOf returns the sections of a page by the anchors that GitHub makes.
func sectionsOf(page string) map[string]string {
	heading := regexp.MustCompile(`(?m)^#+ (.+)$`)
	other := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	sections := map[string]string{}
	found := heading.FindAllStringSubmatchIndex(page, -1)
	for i, at := range found {
		end := len(page)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		anchor := strings.ReplaceAll(other.ReplaceAllString(strings.ToLower(page[at[2]:at[3]]), ""), " ", "-")
		sections[anchor] = page[at[1]:end]
	}
	return sections
}

// unitTests is a file in the format of promtool test rules, as far as it is used:
// https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/.
type unitTests struct {
	RuleFiles          []string       `yaml:"rule_files"`
	EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	Tests              []struct {
		Name        string         `yaml:"name"`
		Interval    model.Duration `yaml:"interval"`
		InputSeries []struct {
			Series string `yaml:"series"`
			Values string `yaml:"values"`
		} `yaml:"input_series"`
		AlertRuleTest []alertTest `yaml:"alert_rule_test"`
	} `yaml:"tests"`
}

type alertTest struct {
	EvalTime  model.Duration `yaml:"eval_time"`
	Alertname string         `yaml:"alertname"`
	ExpAlerts []expected     `yaml:"exp_alerts"`
}

type expected struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

func TestRules(t *testing.T) {
	t.Parallel()

	files, err := filepath.Glob(filepath.Join(testsDir, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	tested := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var u unitTests
		decoder := yaml.NewDecoder(strings.NewReader(string(content)))
		decoder.KnownFields(true)
		require.NoError(t, decoder.Decode(&u))
		for i, rule := range u.RuleFiles {
			u.RuleFiles[i] = filepath.Join(testsDir, rule)
		}
		for _, test := range u.Tests {
			load := "load " + test.Interval.String() + "\n"
			for _, s := range test.InputSeries {
				load += "  " + s.Series + " " + s.Values + "\n"
			}
			fired, quiet := false, false
			for _, at := range test.AlertRuleTest {
				t.Run(fmt.Sprintf("%s at %s", test.Name, at.EvalTime), func(t *testing.T) {
					got := firing(t, load, time.Duration(u.EvaluationInterval), time.Duration(at.EvalTime), at.Alertname, u.RuleFiles)
					want := make([]expected, 0, len(at.ExpAlerts))
					want = append(want, at.ExpAlerts...)
					require.Equal(t, want, got)
				})
				fired, quiet = fired || len(at.ExpAlerts) > 0, quiet || len(at.ExpAlerts) == 0
				tested[at.Alertname] = fired && quiet
			}
		}
	}
	for _, r := range readRules(t) {
		require.True(t, tested[r.Alert], "%s needs a test in which it fires and one in which it is quiet", r.Alert)
	}
}

// firing evaluates the rules up to a time and returns what fires by then.
func firing(t *testing.T, load string, every, at time.Duration, alert string, files []string) []expected {
	t.Helper()
	suite, err := promqltest.NewLazyLoader(load, promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true})
	require.NoError(t, err)
	defer suite.Close()
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:    rules.EngineQueryFunc(suite.QueryEngine(), suite.Storage()),
		AppendableV2: suite.Storage(), Context: t.Context(), Logger: promslog.NewNopLogger(),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {}, Parser: parser.NewParser(parser.Options{}),
	})
	groups, errs := manager.LoadGroups(every, labels.EmptyLabels(), "", nil, false, files...)
	require.Empty(t, errs)
	got := []expected{}
	for _, g := range groups {
		for _, r := range g.Rules() {
			if a, ok := r.(*rules.AlertingRule); ok {
				a.SetRestored(true)
			}
		}
	}
	for now := time.Duration(0); now <= at; now += every {
		suite.WithSamplesTill(time.Unix(0, 0).UTC().Add(now), func(err error) {
			require.NoError(t, err)
			for _, g := range groups {
				g.Eval(suite.Context(), time.Unix(0, 0).UTC().Add(now))
			}
		})
	}
	for _, g := range groups {
		for _, r := range g.Rules() {
			require.NoError(t, r.LastError(), r.Name())
			a, ok := r.(*rules.AlertingRule)
			if !ok || a.Name() != alert {
				continue
			}
			for _, active := range a.ActiveAlerts() {
				if active.State != rules.StateFiring {
					continue
				}
				found := active.Labels.Map()
				delete(found, labels.AlertName)
				got = append(got, expected{Labels: found, Annotations: active.Annotations.Map()})
			}
		}
	}
	slices.SortFunc(got, func(a, b expected) int { return strings.Compare(fmt.Sprint(a.Labels), fmt.Sprint(b.Labels)) })
	return got
}
