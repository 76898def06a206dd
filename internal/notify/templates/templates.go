// Package templates lets operators write messages in their own words: one file
// for each type of event, read and tried out once, when the process starts.
//
// DIR/lead_signup.txt is a text/template. Its first line is the title, and the
// rest is the text, for every channel; a channel escapes what its own format
// needs. DIR/lead_signup.html is an html/template, the HTML of an e-mail, which
// escapes by itself.
package templates

import (
	"bytes"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/suggest"
)

const (
	// maxFile bounds a template file, maxTitle and maxText what it makes, in
	// characters, and maxHTML in bytes.
	maxFile  = 64 << 10
	maxTitle = 200
	maxText  = 3000
	maxHTML  = 256 << 10
)

// executor is a template of either kind.
type executor interface {
	Execute(w io.Writer, data any) error
}

// Set holds the templates that were found. It is safe for concurrent use.
type Set struct {
	text map[string]executor
	html map[string]executor
	log  *slog.Logger
}

// Load reads every template of a directory and executes it against samples of
// its event. dir stands in messages for the directory. The error names every
// file that is wrong, with its line: a name that is no event's, what cannot be
// parsed, and fields that the event does not have.
func Load(files fs.FS, dir string, logger *slog.Logger) (*Set, error) {
	s := &Set{text: map[string]executor{}, html: map[string]executor{}, log: logger}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("templates: %s cannot be read: %w", dir, reasonOf(err))
	}
	var errs []error
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue // What editors and mounted volumes leave there.
		}
		if err := s.load(files, dir, entry); err != nil {
			errs = append(errs, fmt.Errorf("templates: %w", err))
		}
	}
	return s, errors.Join(errs...)
}

// reasonOf leaves out the path, which fs.PathError repeats.
func reasonOf(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}

func (s *Set) load(files fs.FS, dir string, entry fs.DirEntry) error {
	name := path.Join(dir, entry.Name())
	extension := path.Ext(entry.Name())
	event := strings.TrimSuffix(entry.Name(), extension)
	if extension != ".txt" && extension != ".html" {
		return fmt.Errorf("%s: it is no template: a file is named for its event, with .txt or .html", name)
	}
	if !slices.Contains(notify.Types(), event) {
		return fmt.Errorf("%s: %q is no event%s; events: %s", name, event, didYouMean(event), strings.Join(notify.Types(), ", "))
	}
	content, err := fs.ReadFile(files, entry.Name())
	if err != nil {
		return fmt.Errorf("%s: it cannot be read: %w", name, reasonOf(err))
	}
	if len(content) > maxFile {
		return fmt.Errorf("%s: it has more than %d bytes", name, maxFile)
	}
	compiled, err := compile(name, extension, event, string(content))
	if err != nil {
		return located(err)
	}
	if extension == ".html" {
		s.html[event] = compiled
		return nil
	}
	s.text[event] = compiled
	return nil
}

func didYouMean(event string) string {
	// FirstPromoter spells two of them in two ways.
	near := map[string]string{"new_customer": "lead_becomes_referral", "promoter_signs_up": "promoter_signed_up"}[event]
	if near == "" {
		near = suggest.Nearest(event, notify.Types())
	}
	if near == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", near)
}

// compile parses a template, checks the names that it uses, and tries it out.
func compile(name, extension, event, content string) (executor, error) {
	var compiled executor
	if extension == ".html" {
		t, err := htmltemplate.New(name).Parse(content)
		if err != nil {
			return nil, err
		}
		for _, part := range t.Templates() {
			if err := checkNames(part.Tree, event); err != nil {
				return nil, err
			}
		}
		compiled = t
	} else {
		t, err := template.New(name).Parse(content)
		if err != nil {
			return nil, err
		}
		for _, part := range t.Templates() {
			if err := checkNames(part.Tree, event); err != nil {
				return nil, err
			}
		}
		compiled = t
	}
	for i, body := range notify.Samples(event) {
		facts, err := notify.Facts(event, "31000500", body)
		if err != nil {
			return nil, err
		}
		out, err := execute(compiled, facts)
		if err != nil {
			return nil, err
		}
		if title, _ := split(out); extension == ".txt" && title == "" && i == 0 {
			return nil, fmt.Errorf("%s:1: the first line is the title, and it is empty", name)
		}
	}
	return compiled, nil
}

// located cuts the name of the package from an error of a template, so that it
// begins with the file and the line.
func located(err error) error {
	text := err.Error()
	for _, prefix := range []string{"html/template: ", "html/template:", "template: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return errors.New(text)
}

// execute returns what a template makes, and fails when that is too long.
func execute(t executor, facts any) (string, error) {
	var out bytes.Buffer
	if err := t.Execute(&limited{to: &out, left: maxHTML}, facts); err != nil {
		return "", err
	}
	return out.String(), nil
}

// limited stops a template that would write without end.
type limited struct {
	to   io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, fmt.Errorf("it makes more than %d bytes", maxHTML)
	}
	return l.to.Write(p)
}

// Write writes the message about an event: by its template where it has one,
// else in the built-in words. A template that fails all the same, because an
// event is unlike every sample, loses no message: the built-in words stand in.
func (s *Set) Write(eventType, eventID string, body []byte) (notify.Message, error) {
	m, err := notify.Render(eventType, eventID, body)
	if err != nil {
		return m, err
	}
	text, html := s.text[eventType], s.html[eventType]
	if text == nil && html == nil {
		return m, nil
	}
	facts, err := notify.Facts(eventType, eventID, body)
	if err != nil {
		return m, err
	}
	if text != nil {
		out, err := execute(text, facts)
		if title, words := split(out); err == nil && title != "" {
			// The template has been given all particulars, and says those it wants.
			m.Title, m.Text, m.Fields = title, words, nil
		} else {
			s.failed(eventType+".txt", m.Key)
		}
	}
	if html != nil {
		if m.HTML, err = execute(html, facts); err != nil {
			m.HTML = ""
			s.failed(eventType+".html", m.Key)
		}
	}
	return m, nil
}

// failed does not tell the error, which may quote the event.
func (s *Set) failed(file, key string) {
	s.log.Warn("notification.template_failed", "template", file, "key", key, "consequence", "the built-in words were used")
}

// split returns the first line, and the rest without empty lines around it,
// both of printable characters.
func split(out string) (title, text string) {
	title, text, _ = strings.Cut(strings.TrimLeft(out, "\r\n\t "), "\n")
	return shorten(strings.TrimSpace(printable(title)), maxTitle), shorten(strings.TrimSpace(printable(text)), maxText)
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
}

func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
