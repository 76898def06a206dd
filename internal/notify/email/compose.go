package email

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"html/template"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"

	"github.com/rewardflow/rewardflow/internal/notify"
)

// compose writes the mail: plain text, and the same in HTML.
func (n *Notifier) compose(m notify.Message) (*mail.Msg, error) {
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := message.From(n.cfg.From); err != nil {
		return nil, err
	}
	if err := message.To(n.cfg.To...); err != nil {
		return nil, err
	}
	p := pageOf(m)
	message.Subject(p.Title)
	message.SetDateWithValue(n.cfg.Now())
	message.SetMessageIDWithValue(n.messageID(m.Key))
	message.SetUserAgent("rewardflow")
	// No vacation notice answers it (https://www.rfc-editor.org/rfc/rfc3834).
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(mail.TypeTextPlain, p.plain())
	html := m.HTML
	if html == "" {
		var err error
		if html, err = p.html(); err != nil {
			return nil, err
		}
	}
	message.AddAlternativeString(mail.TypeTextHTML, html)
	return message, nil
}

// messageID is the same on every try of one message to one channel, so that a
// mailbox which holds it twice can tell. It is a digest: a key may hold what
// is no word of a mail's header.
func (n *Notifier) messageID(key string) string {
	sum := sha256.Sum256([]byte(n.cfg.Name + "\x00" + key))
	return "rewardflow." + hex.EncodeToString(sum[:16]) + "@" + n.domain
}

// page is what both forms of a mail show.
type page struct {
	Title       string
	Lines       []string
	Fields      []notify.Field
	NeedsPerson bool
	Link        string
	At          string
}

// maxTitle is how many characters of a title become the subject.
const maxTitle = 200

func pageOf(m notify.Message) page {
	p := page{Title: oneLine(m.Title), NeedsPerson: m.NeedsPerson, Link: webLink(m.Link)}
	if p.Title == "" {
		p.Title = "Notification"
	}
	if runes := []rune(p.Title); len(runes) > maxTitle {
		p.Title = string(runes[:maxTitle-1]) + "…"
	}
	for line := range strings.Lines(m.Text) {
		p.Lines = append(p.Lines, oneLine(line))
	}
	for _, f := range m.Fields {
		if label, value := oneLine(f.Label), oneLine(f.Value); label+value != "" {
			p.Fields = append(p.Fields, notify.Field{Label: label, Value: value})
		}
	}
	if !m.At.IsZero() {
		p.At = m.At.UTC().Format(time.DateTime) + " UTC"
	}
	return p
}

// oneLine keeps printable characters and single spaces: what a promoter chose
// begins no new header and no new line.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.Join(strings.Fields(s), " ")
}

// webLink returns a link that leads to the web, and nothing else.
func webLink(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return u.String()
}

func (p page) plain() string {
	var b strings.Builder
	b.WriteString(p.Title + "\n\n")
	for _, line := range p.Lines {
		b.WriteString(line + "\n")
	}
	b.WriteString("\n")
	for _, f := range p.Fields {
		b.WriteString(f.Label + ": " + f.Value + "\n")
	}
	if p.At != "" {
		b.WriteString("When: " + p.At + "\n")
	}
	if p.Link != "" {
		b.WriteString("\nOpen in rewardflow: " + p.Link + "\n")
	}
	return b.String()
}

func (p page) html() (string, error) {
	var b bytes.Buffer
	err := layout.Execute(&b, p)
	return b.String(), err
}

// layout escapes everything that it is given.
var layout = template.Must(template.New("mail").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}}</title></head>
<body style="font-family:sans-serif;max-width:40em">
<h2 style="{{if .NeedsPerson}}border-left:4px solid #b00;padding-left:.5em{{end}}">{{.Title}}</h2>
<p>{{range $i, $line := .Lines}}{{if $i}}<br>{{end}}{{$line}}{{end}}</p>
{{if or .Fields .At}}<table cellpadding="4">
{{range .Fields}}<tr><th align="left">{{.Label}}</th><td>{{.Value}}</td></tr>
{{end}}{{if .At}}<tr><th align="left">When</th><td>{{.At}}</td></tr>
{{end}}</table>{{end}}
{{if .Link}}<p><a href="{{.Link}}">Open in rewardflow</a></p>{{end}}
</body></html>
`))
