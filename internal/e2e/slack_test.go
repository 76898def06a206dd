package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/slackapproval/slackdouble"
	"github.com/rewardflow/rewardflow/workflows"
)

const (
	slackToken   = "xoxb-of-the-app-0123456789"
	slackSecret  = "signing-secret-of-the-app"
	slackChannel = "C0REWARDS"
)

// withSlack is a world whose approvals are shown in Slack, where alice is a
// member.
func withSlack(t *testing.T) (*world, *slackdouble.Slack, slackdouble.Member) {
	t.Helper()
	w := newWorld(t, settings{Policy: "  - {then: ask}"})
	slack := slackdouble.New(slackToken, slackChannel)
	sum := sha256.Sum256([]byte(token("alice")))
	w.set.More = fmt.Sprintf(`
operators:
  - {name: alice, token_sha256: %q, roles: [approver], slack_user: U0ALICE}
slack: {bot_token: %s, signing_secret: %s, channel: %s, team_id: T0OURS, base_url: %q}
`, hex.EncodeToString(sum[:]), slackToken, slackSecret, slackChannel, w.serve(slack)+"/api")
	w.configure()
	w.start(spec{})
	return w, slack, slackdouble.Member{User: "U0ALICE", Team: "T0OURS", App: "A0OURS"}
}

// shows waits until a message about the reward says something, and returns it.
func shows(t *testing.T, slack *slackdouble.Slack, id reward.ID, words string) slackdouble.Message {
	t.Helper()
	var found slackdouble.Message
	eventually(t, soon, func() (string, bool) {
		for _, m := range slack.Messages() {
			if strings.HasPrefix(m.Text, "Reward "+id.String()+" "+words) {
				found = m
				return "", true
			}
		}
		return fmt.Sprintf("no message says that reward %s %s: %+v", id, words, slack.Messages()), false
	})
	return found
}

func TestApprovedInSlackIsPaid(t *testing.T) {
	t.Parallel()

	w, slack, alice := withSlack(t)
	id := w.send(months())
	m := shows(t, slack, id, "waits for approval")
	value, there := m.Button("rewardflow_approve")
	require.True(t, there)

	click := slack.Click(alice, m, "rewardflow_approve", value)
	for range 2 {
		resp, err := w.http.Do(slackdouble.Request(w.process.URL+"/slack/interactions", slackSecret, click, time.Now()))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	s := w.await(soon, id, reward.Fulfilled, token("alice"))
	w.requireOnce(id)
	require.Len(t, s.Decisions, 1, "a replayed body decides nothing")
	require.Equal(t, reward.LaneSlack, s.Decisions[0].Lane)
	require.Equal(t, "alice", s.Decisions[0].By)
	m = shows(t, slack, id, "is fulfilled")
	require.Contains(t, m.Blocks, "approved by *alice*")
	_, there = m.Button("rewardflow_approve")
	require.False(t, there)
	require.Len(t, slack.Messages(), 1)
	w.process.stop(t)
}

func TestMessageInSlackFollowsTheAPI(t *testing.T) {
	t.Parallel()

	w, slack, _ := withSlack(t)
	// Slack is down, and asks for patience, when the message is due.
	slack.Next("chat.postMessage", slackdouble.Trouble{Status: 503}, slackdouble.Trouble{Status: 429, RetryAfter: "1"})
	id := w.send(months())
	shows(t, slack, id, "waits for approval")
	require.Equal(t, http.StatusOK, w.decide(id, reward.Approve, token("alice")).status)
	w.await(soon, id, reward.Fulfilled, token("alice"))
	m := shows(t, slack, id, "is fulfilled")
	require.Contains(t, m.Blocks, "via API or command line")
	require.Len(t, slack.Messages(), 1)

	history, err := w.client().DescribeWorkflowExecution(t.Context(), workflows.SlackApprovalID(id), "")
	require.NoError(t, err, "it is visible in the Temporal UI")
	require.Equal(t, workflows.SlackApprovalType, history.GetWorkflowExecutionInfo().GetType().GetName())
	w.process.stop(t)
}
