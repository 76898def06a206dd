package lanes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/slackapproval/slackdouble"
)

// The names of the buttons in Slack.
const (
	approveButton = "rewardflow_approve"
	rejectButton  = "rewardflow_reject"
)

// message waits until a message shows what the ledger holds now, and returns
// it with the value of its button.
func (w *world) message(t *testing.T, id reward.ID, button string) (slackdouble.Message, string) {
	t.Helper()
	var found slackdouble.Message
	var value string
	eventually(t, func() (string, bool) {
		want := id.String() + "." + string(w.record(t, id).Digest)
		for _, m := range w.slack.Messages() {
			if got, there := m.Button(button); there && got == want {
				found, value = m, got
				return "", true
			}
		}
		return fmt.Sprintf("no message has the button %s for %s", button, want), false
	})
	return found, value
}

func seeMessage(w *world, t *testing.T, who person, id reward.ID) question {
	t.Helper()
	m, value := w.message(t, id, approveButton)
	return question{
		who: who, id: id, digest: w.record(t, id).Digest,
		message: m, body: w.slack.Click(who.member(), m, approveButton, value),
	}
}

// press sends a click as Slack does, and waits until the person was told, or
// the ledger holds a decision that counts.
func press(w *world, t *testing.T, q question, v reward.Verdict) answer {
	t.Helper()
	if v == reward.Reject {
		return w.reject(t, q)
	}
	told, counted := len(w.whispers(q)), w.countedIn(t, q)
	status, body := w.do(t, slackdouble.Request(w.url+"/slack/interactions", slackSecret, q.body, time.Now()))
	a := answer{code: status, words: body}
	if status != http.StatusOK {
		return a
	}
	if q.again {
		return a // It is answered, and nobody is told anything.
	}
	eventually(t, func() (string, bool) {
		if all := w.whispers(q); len(all) > told {
			a.words = all[len(all)-1]
			// That is said when Slack's seconds were over before it was known; nothing otherwise.
			if a.counted = strings.Contains(a.words, ": recorded, "); a.counted {
				a.words = ""
			}
			return "", true
		}
		a.counted = w.countedIn(t, q) > counted
		return "the click has led to nothing", a.counted
	})
	return a
}

// reject presses the other button, and sends the modal that opens.
func (w *world) reject(t *testing.T, q question) answer {
	t.Helper()
	var click struct {
		Trigger string `json:"trigger_id"`
	}
	body := w.slack.Click(q.who.member(), q.message, rejectButton, q.id.String()+"."+string(q.digest))
	require.NoError(t, json.Unmarshal(body, &click))
	status, said := w.do(t, slackdouble.Request(w.url+"/slack/interactions", slackSecret, body, time.Now()))
	require.Equal(t, http.StatusOK, status, said)
	var modal slackdouble.Modal
	for _, opened := range w.slack.Modals() {
		if opened.Trigger == click.Trigger {
			modal = opened
		}
	}
	require.NotEmpty(t, modal.ID, "the modal is open before the click is answered")
	status, said = w.do(t, slackdouble.Request(w.url+"/slack/interactions", slackSecret,
		modal.Submit(q.who.member(), "because "+q.comment), time.Now()))
	return answer{code: status, words: said, counted: status == http.StatusOK && said == ""}
}

// whispers is what a person was told alone about a reward, or about who the
// person is.
func (w *world) whispers(q question) []string {
	var all []string
	for _, s := range w.slack.Whispers() {
		about := strings.Contains(s.Text, "eward "+q.id.String()+":") || strings.Contains(s.Text, "who you are")
		if s.User == q.who.member().User && about {
			all = append(all, s.Text)
		}
	}
	return all
}

// countedIn counts decisions of a person that came by Slack and count.
func (w *world) countedIn(t *testing.T, q question) int {
	t.Helper()
	n := 0
	for _, d := range w.decisions(t, q.id) {
		if d.Counted && d.Lane == reward.LaneSlack && d.By == string(q.who) {
			n++
		}
	}
	return n
}
