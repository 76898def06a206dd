package lanes_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/cli"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/slackapproval/slackdouble"
)

// lane is one way by which a person's decision comes in.
type lane struct {
	name string
	// as is the ledger's word for it.
	as reward.Lane
	// look shows a person a reward, as the lane does before anything is decided.
	look func(w *world, t *testing.T, who person, id reward.ID) question
	// send decides what was asked. Sent again, a question is the same request
	// again, as far as the lane can tell.
	send func(w *world, t *testing.T, q question, v reward.Verdict) answer
}

// The names of the lanes.
const (
	console = "console"
	overAPI = "API"
	command = "command line"
	inSlack = "Slack"
	update  = "Temporal update"
	signal  = "Temporal signal"
)

// lanes are all of them.
func lanes() []lane {
	return []lane{
		{console, reward.LaneConsole, openPage, sendForm},
		{overAPI, reward.LaneAPI, read, post},
		{command, reward.LaneAPI, show, run},
		{inSlack, reward.LaneSlack, seeMessage, press},
		{update, reward.LaneTemporal, query, sendUpdate},
		{signal, reward.LaneTemporal, query, sendSignal},
	}
}

// question is what a person was shown, and is about to decide.
type question struct {
	who    person
	id     reward.ID
	digest reward.Digest
	// once makes one request of what is sent twice.
	once string
	// comment is said with the decision, where the lane takes one.
	comment string
	// message is the one in Slack, and body a click on it.
	message slackdouble.Message
	body    []byte
	// again says that the same request was sent before.
	again bool
}

// answer is what the person is told.
type answer struct {
	// code is the HTTP status or the exit code; zero where the lane has none.
	code  int
	words string
	// counted says that the lane told the person that the decision counts.
	counted bool
}

// read gets the reward from the API.
func read(w *world, t *testing.T, who person, id reward.ID) question {
	t.Helper()
	status, body := w.call(t, http.MethodGet, "/api/v1/rewards/"+id.String(), "", bearer(who))
	require.Equal(t, http.StatusOK, status, body)
	var shown struct {
		Digest reward.Digest `json:"digest"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &shown))
	return question{who: who, id: id, digest: shown.Digest, once: uuid.NewString()}
}

func decisionPath(id reward.ID) string { return "/api/v1/rewards/" + id.String() + "/decision" }

func post(w *world, t *testing.T, q question, v reward.Verdict) answer {
	t.Helper()
	status, body := w.call(t, http.MethodPost, decisionPath(q.id), bodyOf(t, q, v),
		bearer(q.who), header("Idempotency-Key", q.once))
	return answer{code: status, words: body, counted: status == http.StatusOK}
}

func bodyOf(t *testing.T, q question, v reward.Verdict) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"decision": v, "digest": q.digest, "comment": q.comment})
	require.NoError(t, err)
	return string(body)
}

// show is what rewardflow show says.
func show(w *world, t *testing.T, who person, id reward.ID) question {
	t.Helper()
	a := w.rewardflow(t, who, "show", id.String(), "-o", "json")
	require.Zero(t, a.code, a.words)
	var shown struct {
		Digest reward.Digest `json:"digest"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.words), &shown))
	return question{who: who, id: id, digest: shown.Digest}
}

func run(w *world, t *testing.T, q question, v reward.Verdict) answer {
	t.Helper()
	args := []string{"approvals", string(v), q.id.String(), "--yes", "--digest", string(q.digest)}
	if q.comment != "" || v == reward.Reject {
		args = append(args, "--comment", "because "+q.comment)
	}
	a := w.rewardflow(t, q.who, args...)
	a.counted = a.code == 0
	return a
}

// rewardflow runs a command as a person types it.
func (w *world) rewardflow(t *testing.T, who person, args ...string) answer {
	t.Helper()
	var said bytes.Buffer
	environ := map[string]string{"REWARDFLOW_URL": w.url}
	if who != "" {
		environ["REWARDFLOW_TOKEN"] = who.token()
	}
	code := cli.New(cli.Env{
		Args: args, Stdin: strings.NewReader(""), Stdout: &said, Stderr: &said,
		Lookup:  func(name string) (string, bool) { value, set := environ[name]; return value, set },
		Environ: func() []string { return nil }, Version: "lanes", Now: time.Now,
	}).Execute(t.Context())
	return answer{code: code, words: said.String()}
}

// edit changes a request.
type edit func(*http.Request)

func bearer(who person) edit {
	return func(r *http.Request) {
		if who != "" {
			r.Header.Set("Authorization", "Bearer "+who.token())
		}
	}
}

func header(name, value string) edit { return func(r *http.Request) { r.Header.Set(name, value) } }

// call makes one request, and returns what came back.
func (w *world) call(t *testing.T, method, path, body string, edits ...edit) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	require.NoError(t, err)
	for _, edit := range edits {
		edit(req)
	}
	return w.do(t, req)
}

func (w *world) do(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	resp, err := w.http.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if resp.StatusCode == http.StatusSeeOther {
		return resp.StatusCode, resp.Header.Get("Location")
	}
	return resp.StatusCode, string(out)
}
