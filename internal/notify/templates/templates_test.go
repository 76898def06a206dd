package templates_test

import (
	"bytes"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/notify/templates"
)

func load(t *testing.T, files map[string]string) (*templates.Set, error) {
	t.Helper()
	set, _, err := loadLogged(t, files)
	return set, err
}

func loadLogged(t *testing.T, files map[string]string) (*templates.Set, *bytes.Buffer, error) {
	t.Helper()
	dir := fstest.MapFS{}
	for name, content := range files {
		dir[name] = &fstest.MapFile{Data: []byte(content)}
	}
	var logged bytes.Buffer
	set, err := templates.Load(dir, "conf/templates", slog.New(slog.NewTextHandler(&logged, nil)))
	return set, &logged, err
}

const body = `{"lead":{"id":7,"state":"signup","email":"ines@example.net"},"promoter":{"id":5},"campaign":{"id":9,"name":"<b>Spring</b>\n& more"}}`

func TestTemplateWritesTheMessage(t *testing.T) {
	t.Parallel()

	set, err := load(t, map[string]string{
		"lead_signup.txt":  "\nLead {{.Lead.ID}} by {{.Promoter.ID}}\n\nIn {{.Campaign.Name}}.\n{{with .Lead.Email}}Write to {{.}}{{end}}\n",
		"lead_signup.html": `<p title="{{.Campaign.Name}}">{{.Campaign.Name}}</p>`,
		".gitkeep":         "",
	})
	require.NoError(t, err)
	m, err := set.Write("lead_signup", "1", []byte(body))
	require.NoError(t, err)
	require.Equal(t, "Lead 7 by 5", m.Title)
	require.Equal(t, "In <b>Spring</b> & more.\nWrite to ines@example.net", m.Text)
	require.Empty(t, m.Fields, "the template says which particulars it wants")
	require.Equal(t, `<p title="&lt;b&gt;Spring&lt;/b&gt; &amp; more">&lt;b&gt;Spring&lt;/b&gt; &amp; more</p>`, m.HTML)
	require.Equal(t, "lead_signup-1", m.Key)

	built, err := notify.Render("lead_cancelled", "1", []byte(body))
	require.NoError(t, err)
	other, err := set.Write("lead_cancelled", "1", []byte(body))
	require.NoError(t, err)
	require.Equal(t, built, other, "an event without a file keeps the built-in words")

	_, err = set.Write("lead_signup", "1", []byte(`{`))
	require.Error(t, err)
}

func TestHTMLAloneKeepsTheWords(t *testing.T) {
	t.Parallel()

	set, err := load(t, map[string]string{"reward_attention.html": `<h1>{{.Title}}</h1>{{.Status}}: {{.Reason}}{{if .NeedsPerson}}!{{end}} {{.Next}}`})
	require.NoError(t, err)
	m, err := set.Write("reward_attention", "1", []byte(`{"reward_id":7,"status":"attention","reason":"<no route>"}`))
	require.NoError(t, err)
	require.Equal(t, "Reward 7 needs attention", m.Title)
	require.NotEmpty(t, m.Fields)
	require.True(t, m.NeedsPerson)
	require.Contains(t, m.HTML, "<h1>Reward 7 needs attention</h1>attention: &lt;no route&gt;! rewardflow why 7")
}

// Every event's own fields are there, and those of others are not.
func TestEveryEventHasItsFields(t *testing.T) {
	t.Parallel()

	lead := "{{.Lead.ID}}{{.Lead.State}}{{.Lead.Email}}"
	promoter := "{{.Promoter.ID}}{{.Promoter.CustID}}{{.Promoter.Email}}{{.Campaign.ID}}{{.Campaign.Name}}"
	reward := "{{.RewardID}}{{.Status}}{{.Reason}}{{.Next}}{{.NeedsPerson}}"
	created := "{{.Amount}}{{.Unit}}{{.HasIssues}}"
	summary := "{{.Day}}{{range .Statuses}}{{.Status}}{{.Count}}{{.Oldest.Year}}{{.Age}}{{end}}{{range .Waiting}}{{.Age}}{{end}}{{range .Paid}}{{.Unit}}{{.Amount}}{{.Count}}{{end}}"
	for _, event := range notify.Types() {
		own := map[bool][]string{true: {"{{.Type}}{{.ID}}{{.At.Format \"2006\"}}{{.Title}}{{.Text}}"}}
		own[strings.HasPrefix(event, "lead_") || event == "reward_created"] = append(own[strings.HasPrefix(event, "lead_") || event == "reward_created"], lead)
		withPromoter := !strings.HasPrefix(event, "reward_") && event != notify.DailySummary || event == "reward_created"
		own[withPromoter] = append(own[withPromoter], promoter)
		about := strings.HasPrefix(event, "reward_") && event != "reward_created"
		own[about] = append(own[about], reward)
		own[event == "reward_created"] = append(own[event == "reward_created"], created)
		own[event == notify.DailySummary] = append(own[event == notify.DailySummary], summary)
		for _, text := range own[true] {
			_, err := load(t, map[string]string{event + ".txt": "Title\n" + text, event + ".html": text})
			require.NoError(t, err, event)
		}
		for _, text := range own[false] {
			_, err := load(t, map[string]string{event + ".txt": "Title\n" + text})
			require.ErrorContains(t, err, "conf/templates/"+event+".txt:2:", event)
			require.ErrorContains(t, err, "has no field", event)
		}
	}
}

func TestBrokenTemplatesStopTheStart(t *testing.T) {
	t.Parallel()

	for want, files := range map[string]map[string]string{
		`conf/templates/lead_sigup.txt: "lead_sigup" is no event, did you mean "lead_signup"?`:           {"lead_sigup.txt": "x"},
		`"new_customer" is no event, did you mean "lead_becomes_referral"?`:                              {"new_customer.txt": "x"},
		`"promoter_signs_up" is no event, did you mean "promoter_signed_up"?`:                            {"promoter_signs_up.html": "x"},
		`conf/templates/lead_signup.tmpl: it is no template`:                                             {"lead_signup.tmpl": "x"},
		`conf/templates/lead_signup.txt:3: bad character`:                                                {"lead_signup.txt": "Title\n\n{{.Lead}"},
		`conf/templates/lead_signup.txt:2:7: lead_signup has no field Nmae, did you mean Name?`:          {"lead_signup.txt": "Title\n{{.Lead.Nmae}}"},
		`conf/templates/lead_signup.html:2:22: lead_signup has no field Promotor, did you mean Promoter`: {"lead_signup.html": "<p>\n{{if eq .Lead.ID 1}}{{.Promotor}}{{end}}"},
		`lead_signup has no field Reason`:                                                                {"lead_signup.txt": "Title\n{{define \"x\"}}{{.Reason}}{{end}}"},
		`can't evaluate field State`:                                                                     {"lead_signup.txt": "Title\n{{.Promoter.State}}"},
		`conf/templates/lead_signup.txt:1: function "shout" not defined`:                                 {"lead_signup.txt": "{{shout .Title}}"},
		`conf/templates/lead_signup.txt:1: the first line is the title, and it is empty`:                 {"lead_signup.txt": "\n  \n"},
		`conf/templates/lead_signup.html:1`:                                                              {"lead_signup.html": "<a href='{{if .Lead.ID}}'{{end}}>x"},
		`it makes more than`:                                                                             {"lead_signup.txt": `Title{{define "x"}}{{.Text}}{{template "x" .}}{{end}}{{template "x" .}}`},
		`it has more than`:                                                                               {"lead_signup.txt": strings.Repeat("x", 1<<17)},
	} {
		_, err := load(t, files)
		require.ErrorContains(t, err, "templates: ", want)
		require.ErrorContains(t, err, want)
	}

	_, err := load(t, map[string]string{"lead_signup.txt": "{{.A}}", "lead_cancelled.txt": "{{.B}}"})
	require.ErrorContains(t, err, "no field A")
	require.ErrorContains(t, err, "no field B", "all that is wrong is said at once")

	_, err = templates.Load(missing{}, "conf/none", slog.New(slog.DiscardHandler))
	require.EqualError(t, err, "templates: conf/none cannot be read: file does not exist")
}

type missing struct{}

func (missing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// A template that fails for an event that is unlike the samples loses no
// message.
func TestTemplateThatFailsLaterLosesNothing(t *testing.T) {
	t.Parallel()

	const broken = `{{if eq .Lead.State "odd"}}{{index .Lead.State 99}}{{else}}fine{{end}}`
	set, logged, err := loadLogged(t, map[string]string{"lead_signup.txt": broken, "lead_signup.html": broken, "lead_cancelled.txt": "{{.Lead.State}}"})
	require.NoError(t, err)
	odd := []byte(strings.Replace(body, "signup", "odd", 1))
	m, err := set.Write("lead_signup", "1", odd)
	require.NoError(t, err)
	require.Equal(t, "A lead signed up", m.Title)
	require.NotEmpty(t, m.Fields)
	require.Empty(t, m.HTML)
	require.Contains(t, logged.String(), "template=lead_signup.txt")
	require.Contains(t, logged.String(), "template=lead_signup.html")
	require.NotContains(t, logged.String(), "ines")

	m, err = set.Write("lead_cancelled", "1", []byte(`{}`))
	require.NoError(t, err)
	require.Equal(t, "A referred customer cancelled", m.Title, "a message has a title")
}

func TestTemplateKeepsItsLimits(t *testing.T) {
	t.Parallel()

	set, err := load(t, map[string]string{"lead_signup.txt": strings.Repeat("long ", 100) + "\n" + strings.Repeat("words\a ", 1000)})
	require.NoError(t, err)
	m, err := set.Write("lead_signup", "1", []byte(body))
	require.NoError(t, err)
	require.Len(t, []rune(m.Title), 200)
	require.Len(t, []rune(m.Text), 3000)
	require.NotContains(t, m.Text, "\a")
}
