// Package slackdouble is Slack for tests: the methods of the Web API that
// approvals use, with their answers and errors, over real HTTP
// (https://docs.slack.dev/reference/methods), and the requests that Slack sends
// when somebody presses a button.
package slackdouble

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Message is one message in a channel.
type Message struct {
	Channel   string
	Timestamp string
	Text      string
	Blocks    string // JSON
	// Edits counts how often it was updated.
	Edits int
}

// Whisper is an ephemeral message.
type Whisper struct {
	Channel, User, Text string
}

// Modal is a view that was opened.
type Modal struct {
	ID      string
	Trigger string
	View    json.RawMessage
}

// Trouble is one bad answer of a method.
type Trouble struct {
	// Status is the HTTP status; zero means 200.
	Status int
	// Error is what Slack names in an answer of 200.
	Error string
	// RetryAfter is the header.
	RetryAfter string
	// Done carries the call out before the answer is spoilt.
	Done bool
	// Hang answers when the caller has gone.
	Hang bool
}

// Slack is one workspace. It is safe for concurrent use.
type Slack struct {
	token string

	mu       sync.Mutex
	channels []string
	messages []*Message
	whispers []Whisper
	modals   []Modal
	triggers map[string]bool // Whether it was used.
	trouble  map[string][]Trouble
	calls    map[string]int
	serial   int
}

// New returns a workspace with an app that has this bot token and was invited
// into these channels.
func New(token string, channels ...string) *Slack {
	return &Slack{
		token: token, channels: channels,
		triggers: map[string]bool{}, trouble: map[string][]Trouble{}, calls: map[string]int{},
	}
}

// Next makes the next calls of a method ("chat.postMessage") go wrong.
func (s *Slack) Next(method string, trouble ...Trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble[method] = append(s.trouble[method], trouble...)
}

// Messages returns what stands in the channels, oldest first.
func (s *Slack) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Message, 0, len(s.messages))
	for _, m := range s.messages {
		out = append(out, *m)
	}
	return out
}

// Whispers returns what single people were told.
func (s *Slack) Whispers() []Whisper {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.whispers)
}

// Modals returns the views that were opened.
func (s *Slack) Modals() []Modal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.modals)
}

// Calls counts the calls of a method.
func (s *Slack) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// Delete removes a message, as a person does.
func (s *Slack) Delete(timestamp string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = slices.DeleteFunc(s.messages, func(m *Message) bool { return m.Timestamp == timestamp })
}

// ServeHTTP answers the Web API below /api/.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	args := arguments(r)
	s.mu.Lock()
	s.calls[method]++
	var t Trouble
	if next := s.trouble[method]; len(next) > 0 {
		t, s.trouble[method] = next[0], next[1:]
	}
	var answer map[string]any
	if t.Done || t == (Trouble{}) {
		answer = s.call(method, args)
	}
	s.mu.Unlock()
	switch {
	case t.Hang:
		<-r.Context().Done()
		return
	case t.Error != "":
		answer = failure(t.Error)
	}
	if t.RetryAfter != "" {
		w.Header().Set("Retry-After", t.RetryAfter)
	}
	if t.Status != 0 {
		w.WriteHeader(t.Status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(answer)
}

// arguments reads either of the forms that methods are called in.
func arguments(r *http.Request) map[string]string {
	args := map[string]string{}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var body map[string]json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&body)
		for name, value := range body {
			args[name] = strings.Trim(string(value), `"`)
		}
	} else if r.ParseForm() == nil {
		for name := range r.PostForm {
			args[name] = r.PostForm.Get(name)
		}
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		args["token"] = bearer
	}
	return args
}

func failure(name string) map[string]any { return map[string]any{"ok": false, "error": name} }

func (s *Slack) call(method string, args map[string]string) map[string]any {
	if args["token"] != s.token {
		return failure("invalid_auth")
	}
	switch method {
	case "chat.postMessage", "chat.postEphemeral", "chat.update":
		if !strings.HasPrefix(args["channel"], "C") {
			return failure("channel_not_found")
		}
		if !slices.Contains(s.channels, args["channel"]) {
			return failure("not_in_channel")
		}
		if args["text"] == "" && args["blocks"] == "" {
			return failure("no_text")
		}
		if !drawable(args["blocks"]) {
			return failure("invalid_blocks")
		}
	}
	switch method {
	case "chat.postMessage":
		m := &Message{Channel: args["channel"], Timestamp: s.timestamp(), Text: args["text"], Blocks: args["blocks"]}
		s.messages = append(s.messages, m)
		return map[string]any{"ok": true, "channel": m.Channel, "ts": m.Timestamp}
	case "chat.update":
		for _, m := range s.messages {
			if m.Channel == args["channel"] && m.Timestamp == args["ts"] {
				m.Text, m.Blocks = args["text"], args["blocks"]
				m.Edits++
				return map[string]any{"ok": true, "channel": m.Channel, "ts": m.Timestamp, "text": m.Text}
			}
		}
		return failure("message_not_found")
	case "chat.postEphemeral":
		s.whispers = append(s.whispers, Whisper{args["channel"], args["user"], args["text"]})
		return map[string]any{"ok": true, "message_ts": s.timestamp()}
	case "views.open":
		return s.open(args)
	}
	return failure("unknown_method")
}

func (s *Slack) open(args map[string]string) map[string]any {
	used, known := s.triggers[args["trigger_id"]]
	switch {
	case !known:
		return failure("expired_trigger_id")
	case used:
		return failure("exchanged_trigger_id")
	case !fits(args["view"]):
		return failure("invalid_arguments")
	}
	s.triggers[args["trigger_id"]] = true
	s.serial++
	id := fmt.Sprintf("V%d", s.serial)
	s.modals = append(s.modals, Modal{ID: id, Trigger: args["trigger_id"], View: json.RawMessage(args["view"])})
	return map[string]any{"ok": true, "view": map[string]any{"id": id}}
}

func (s *Slack) timestamp() string {
	s.serial++
	return fmt.Sprintf("%d.%06d", time.Now().Unix(), s.serial)
}

// drawable holds the limits of blocks
// (https://docs.slack.dev/reference/block-kit/blocks).
func drawable(blocks string) bool {
	if blocks == "" {
		return true
	}
	var list []map[string]any
	if json.Unmarshal([]byte(blocks), &list) != nil || len(list) > 50 {
		return false
	}
	for _, b := range list {
		fields, _ := b["fields"].([]any)
		if len(fields) > 10 || !within(b["text"], 3000) {
			return false
		}
		for _, f := range fields {
			if !within(f, 2000) {
				return false
			}
		}
		elements, _ := b["elements"].([]any)
		for _, e := range elements {
			button, _ := e.(map[string]any)
			confirm, _ := button["confirm"].(map[string]any)
			value, _ := button["value"].(string)
			if len(value) > 2000 || !within(confirm["title"], 100) || !within(confirm["text"], 300) {
				return false
			}
		}
	}
	return true
}

// fits holds the limits of a modal.
func fits(view string) bool {
	var v map[string]any
	if json.Unmarshal([]byte(view), &v) != nil || v["type"] != "modal" {
		return false
	}
	metadata, _ := v["private_metadata"].(string)
	return within(v["title"], 24) && within(v["submit"], 24) && within(v["close"], 24) && len(metadata) <= 3000
}

// within reports whether a text object is there at all, and short enough.
func within(object any, limit int) bool {
	o, ok := object.(map[string]any)
	if !ok {
		return object == nil
	}
	text, _ := o["text"].(string)
	return text != "" && utf8.RuneCountInString(text) <= limit
}
