package slack

import (
	"strings"

	"github.com/rewardflow/rewardflow/internal/notify"
)

// document is the body of the POST.
type document struct {
	// Text is what notifications and screen readers say.
	Text        string  `json:"text"`
	Blocks      []block `json:"blocks"`
	UnfurlLinks bool    `json:"unfurl_links"`
	UnfurlMedia bool    `json:"unfurl_media"`
}

type block struct {
	Type string `json:"type"`
	Text text   `json:"text"`
}

type text struct {
	Type string `json:"type"`
	Text string `json:"text"`
	// Verbatim keeps Slack from making links and mentions of what it finds.
	Verbatim bool `json:"verbatim"`
}

// maxText is the most characters that the text of one block may have
// (https://docs.slack.dev/reference/block-kit/composition-objects/text-object).
const maxText = 3000

// maxTitle leaves room for the text behind it.
const maxTitle = 300

// format writes a message as Slack shows it: what happened, then the
// particulars, then the link.
func format(m notify.Message) document {
	title := escape(m.Title, maxTitle)
	if title == "" {
		title = "Notification"
	}
	said := escape(m.Text, maxText-2*maxTitle)
	d := document{
		Text:   strings.TrimSuffix(title+": "+said, ": "),
		Blocks: []block{section(strings.TrimSuffix("*"+title+"*\n"+said, "\n"))},
	}
	if lines := particulars(m.Fields); lines != "" {
		d.Blocks = append(d.Blocks, section(lines))
	}
	if link := linkTo(m.Link); link != "" {
		d.Blocks = append(d.Blocks, section(link))
	}
	return d
}

func section(markup string) block {
	return block{Type: "section", Text: text{Type: "mrkdwn", Text: markup, Verbatim: true}}
}

// particulars writes one line for each field, as many as one block can hold.
func particulars(fields []notify.Field) string {
	var lines string
	for _, f := range fields {
		line := "*" + escape(f.Label, maxTitle) + "*: " + escape(f.Value, maxText/2)
		if length(lines)+1+length(line) > maxText-2 {
			return lines + "\n…"
		}
		if lines != "" {
			lines += "\n"
		}
		lines += line
	}
	return lines
}

// linkTo returns the link, or nothing when it is too long to be a whole one.
func linkTo(link string) string {
	if link == "" || strings.ContainsAny(link, "<>| \n") {
		return ""
	}
	if markup := "<" + strings.ReplaceAll(link, "&", "&amp;") + "|Open in rewardflow>"; length(markup) <= maxText {
		return markup
	}
	return ""
}

// escape writes the three characters that Slack's markup reserves as entities
// (https://docs.slack.dev/messaging/formatting-message-text), and stops before
// the result has more than limit characters.
func escape(s string, limit int) string {
	var b strings.Builder
	used := 0
	for _, r := range s {
		piece := string(r)
		switch r {
		case '&':
			piece = "&amp;"
		case '<':
			piece = "&lt;"
		case '>':
			piece = "&gt;"
		}
		// One character is kept for the mark that something is missing.
		if used += length(piece); used >= limit {
			return b.String() + "…"
		}
		b.WriteString(piece)
	}
	return b.String()
}

// length counts as JavaScript does, which is the most that Slack can count.
func length(s string) int {
	n := 0
	for _, r := range s {
		if n++; r > 0xFFFF {
			n++
		}
	}
	return n
}
