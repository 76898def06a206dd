package slackdouble

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Member is somebody who uses Slack, in a workspace, with an app.
type Member struct {
	User, Team, App string
}

// Button returns the value of the first button with this action in a message;
// false when the message has no such button.
func (m Message) Button(action string) (string, bool) {
	var blocks []struct {
		Elements []struct {
			Action string `json:"action_id"`
			Value  string `json:"value"`
		} `json:"elements"`
	}
	_ = json.Unmarshal([]byte(m.Blocks), &blocks)
	for _, b := range blocks {
		for _, e := range b.Elements {
			if e.Action == action {
				return e.Value, true
			}
		}
	}
	return "", false
}

// Click returns the payload of a press of a button. Each is a click of its own.
func (s *Slack) Click(by Member, m Message, action, value string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	trigger := fmt.Sprintf("trigger.%d", s.serial)
	s.triggers[trigger] = false
	return mustJSON(map[string]any{
		"type": "block_actions", "trigger_id": trigger, "api_app_id": by.App, "token": "deprecated",
		"team": map[string]any{"id": by.Team, "domain": "example"},
		"user": map[string]any{"id": by.User, "username": "somebody", "team_id": by.Team},
		"container": map[string]any{
			"type": "message", "channel_id": m.Channel, "message_ts": m.Timestamp, "is_ephemeral": false,
		},
		"channel":      map[string]any{"id": m.Channel, "name": "rewards"},
		"message":      map[string]any{"ts": m.Timestamp, "text": m.Text, "blocks": json.RawMessage(m.Blocks)},
		"response_url": "https://hooks.slack.com/actions/T/1/x",
		"actions": []any{map[string]any{
			"action_id": action, "block_id": "rewardflow", "value": value, "type": "button",
			"action_ts": fmt.Sprintf("%d.%06d", time.Now().Unix(), s.serial),
		}},
	})
}

// Submit returns the payload of a modal that is sent with a reason.
func (m Modal) Submit(by Member, reason string) []byte {
	var view struct {
		CallbackID string `json:"callback_id"`
		Metadata   string `json:"private_metadata"`
		Blocks     []struct {
			Type    string `json:"type"`
			ID      string `json:"block_id"`
			Element struct {
				Action string `json:"action_id"`
			} `json:"element"`
		} `json:"blocks"`
	}
	_ = json.Unmarshal(m.View, &view)
	values := map[string]any{}
	for _, b := range view.Blocks {
		if b.Type == "input" {
			values[b.ID] = map[string]any{b.Element.Action: map[string]any{"type": "plain_text_input", "value": reason}}
		}
	}
	return mustJSON(map[string]any{
		"type": "view_submission", "api_app_id": by.App, "trigger_id": "of-no-use",
		"team": map[string]any{"id": by.Team}, "user": map[string]any{"id": by.User, "team_id": by.Team},
		"view": map[string]any{
			"id": m.ID, "callback_id": view.CallbackID, "private_metadata": view.Metadata, "state": map[string]any{"values": values},
		},
	})
}

// Request returns what Slack sends: a form with the payload, signed at a time
// (https://docs.slack.dev/authentication/verifying-requests-from-slack).
func Request(target, signingSecret string, payload []byte, at time.Time) *http.Request {
	body := url.Values{"payload": {string(payload)}}.Encode()
	r, err := http.NewRequest(http.MethodPost, target, strings.NewReader(body)) //nolint:noctx // The caller gives it one.
	if err != nil {
		panic(err) // The target is written in the test.
	}
	Sign(r, signingSecret, body, at)
	return r
}

// Sign signs a body.
func Sign(r *http.Request, signingSecret, body string, at time.Time) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(signingSecret))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // Maps of texts.
	}
	return text
}
