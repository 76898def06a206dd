package templates_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/notify"
)

const manual = "../../../docs/notifications.md"

// TestManualNamesEveryField compares docs/notifications.md with what templates
// are given.
func TestManualNamesEveryField(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile(manual)
	require.NoError(t, err)
	var names func(of reflect.Type) []string
	names = func(of reflect.Type) []string {
		var all []string
		for f := range of.Fields() {
			switch {
			case !f.IsExported():
			case f.Anonymous:
				all = append(all, names(f.Type)...)
			case f.Type.Kind() == reflect.Struct && f.Type.PkgPath() != "time":
				for _, inner := range names(f.Type) {
					all = append(all, f.Name+"."+inner)
				}
			case f.Type.Kind() == reflect.Slice:
				all = append(append(all, f.Name), names(f.Type.Elem())...)
			default:
				all = append(all, f.Name)
			}
		}
		return all
	}
	for _, event := range notify.Types() {
		require.Contains(t, string(text), "`"+event+"`")
		facts, err := notify.Facts(event, "", []byte("{}"))
		require.NoError(t, err)
		for _, name := range names(reflect.TypeOf(facts)) {
			require.Contains(t, string(text), "`."+name+"`", event)
		}
	}
}

// TestTemplateOfTheManual tries the template that the manual shows.
func TestTemplateOfTheManual(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile(manual)
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```\n(Lead .*?)```").FindAllSubmatch(text, -1)
	require.Len(t, blocks, 1)
	set, err := load(t, map[string]string{"lead_becomes_referral.txt": string(blocks[0][1])})
	require.NoError(t, err)
	m, err := set.Write("lead_becomes_referral", "1", []byte(body))
	require.NoError(t, err)
	require.Equal(t, "Lead 7 is a customer now", m.Title)
	require.Equal(t, "Brought by promoter 5 in <b>Spring</b> & more.\nWrite to ines@example.net.", m.Text)
	require.True(t, slices.Contains(notify.Types(), "lead_becomes_referral"))
}
