package slackapproval_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/slackapproval"
	"github.com/rewardflow/rewardflow/internal/slackapproval/slackdouble"
	"github.com/rewardflow/rewardflow/workflows"
)

func TestApproveInSlack(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	rec := w.press(alice, approve)
	require.Equal(t, http.StatusOK, rec.Code)
	require.Empty(t, rec.Body.String())

	made := w.decisions()
	require.Len(t, made, 1)
	d := made[0]
	require.True(t, d.Counted)
	require.True(t, d.Verified)
	require.Equal(t, "alice", d.By)
	require.Equal(t, reward.LaneSlack, d.Lane)
	require.Equal(t, reward.Approve, d.Verdict)
	require.Equal(t, reward.Digest("digest-1"), d.Digest)
	require.Equal(t, []string{"approver", "finance"}, d.Roles)
	require.Equal(t, []workflows.Vote{{ID: d.ID, Decision: reward.Approve, Digest: "digest-1"}}, w.engine.told())
	require.Empty(t, w.slack.Whispers(), "the message says it")

	require.Equal(t, []string{slackapproval.Updated}, w.work())
	m := w.message()
	require.Contains(t, m.Text, "Reward 7 is approved")
	require.Contains(t, m.Blocks, "approved by *alice* at")
	require.Contains(t, m.Blocks, "via Slack")
	_, there := m.Button(approve)
	require.False(t, there, "the buttons are gone")
}

func TestRejectInSlackNeedsAReason(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	require.Equal(t, http.StatusOK, w.press(alice, reject).Code)
	require.Empty(t, w.decisions(), "the button alone decides nothing")
	modals := w.slack.Modals()
	require.Len(t, modals, 1)

	for _, none := range []string{"", " \n\t "} {
		rec := w.post(modals[0].Submit(alice, none))
		require.JSONEq(t, `{"response_action":"errors","errors":{"reason":"Say why: a rejection needs a reason."}}`, rec.Body.String())
	}
	require.Contains(t, w.post(modals[0].Submit(alice, strings.Repeat("x", 2001))).Body.String(), "longer than 2000 characters")
	require.Contains(t, w.post(modals[0].Submit(alice, "a\x1b[2Jb")).Body.String(), "control characters")
	require.Empty(t, w.decisions())

	rec := w.post(modals[0].Submit(alice, " a duplicate of reward 6 "))
	require.Equal(t, http.StatusOK, rec.Code)
	require.Empty(t, rec.Body.String(), "the modal closes")
	made := w.decisions()
	require.Len(t, made, 1)
	require.True(t, made[0].Counted)
	require.Equal(t, reward.Reject, made[0].Verdict)
	require.Equal(t, "a duplicate of reward 6", made[0].Comment)
	w.work()
	require.Contains(t, w.message().Blocks, "rejected by *alice*")
	require.NotContains(t, w.message().Blocks, "duplicate", "a comment may hold personal data")
}

// TestForgedRequestsDecideNothing sends what looks like Slack and is not.
func TestForgedRequestsDecideNothing(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	genuine := w.slack.Click(alice, w.message(), approve, w.button(approve))
	request := func(payload []byte, at time.Time) *http.Request {
		return slackdouble.Request("/slack/interactions", signingSecret, payload, at)
	}
	foreign := func(m slackdouble.Member) *http.Request {
		return request(w.slack.Click(m, w.message(), approve, w.button(approve)), time.Now())
	}
	body := url.Values{"payload": {string(genuine)}}.Encode()
	unsigned := func(edit func(*http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/slack/interactions", strings.NewReader(body))
		slackdouble.Sign(r, signingSecret, body, time.Now())
		edit(r)
		return r
	}
	shared := bytes.Replace(genuine, []byte(`"team_id":"T0OURS"`), []byte(`"team_id":"T0THEIRS"`), 1)
	require.NotEqual(t, genuine, shared)

	for name, r := range map[string]*http.Request{
		"another secret":        slackdouble.Request("/slack/interactions", "guessed", genuine, time.Now()),
		"no signature":          unsigned(func(r *http.Request) { r.Header.Del("X-Slack-Signature") }),
		"no timestamp":          unsigned(func(r *http.Request) { r.Header.Del("X-Slack-Request-Timestamp") }),
		"signature of nothing":  unsigned(func(r *http.Request) { r.Header.Set("X-Slack-Signature", "v0=") }),
		"another body":          unsigned(func(r *http.Request) { slackdouble.Sign(r, signingSecret, body+"&x=1", time.Now()) }),
		"six minutes old":       request(genuine, time.Now().Add(-6*time.Minute)),
		"six minutes ahead":     request(genuine, time.Now().Add(6*time.Minute)),
		"a newer timestamp":     unsigned(func(r *http.Request) { r.Header.Set("X-Slack-Request-Timestamp", "1") }),
		"another workspace":     foreign(slackdouble.Member{User: alice.User, Team: "T0THEIRS", App: app}),
		"another app":           foreign(slackdouble.Member{User: alice.User, Team: team, App: "A0THEIRS"}),
		"guest of the channel":  request(shared, time.Now()),
		"without any workspace": foreign(slackdouble.Member{User: alice.User, App: app}),
	} {
		rec := w.send(r)
		require.Equal(t, http.StatusUnauthorized, rec.Code, name)
		require.NotContains(t, rec.Body.String(), "workspace", "the caller learns nothing of why")
	}
	require.Empty(t, w.decisions())
	require.Empty(t, w.slack.Whispers())
	require.Equal(t, http.StatusOK, w.post(genuine).Code, "the same, signed now, counts")
	require.Len(t, w.decisions(), 1)
}

// TestPayloadOfTheQueryIsNotRead is what a library's reader once did.
func TestPayloadOfTheQueryIsNotRead(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	forged := w.slack.Click(alice, w.message(), approve, w.button(approve))
	const harmless = `payload={"type":"block_actions","team":{"id":"T0OURS"},"api_app_id":"A0OURS"}`
	r := httptest.NewRequest(http.MethodPost, "/slack/interactions?"+url.Values{"payload": {string(forged)}}.Encode(), strings.NewReader(harmless))
	slackdouble.Sign(r, signingSecret, harmless, time.Now())
	require.Equal(t, http.StatusOK, w.send(r).Code)
	require.Empty(t, w.decisions())

	r = httptest.NewRequest(http.MethodPost, "/slack/interactions?"+url.Values{"payload": {string(forged)}}.Encode(), strings.NewReader("x=1"))
	slackdouble.Sign(r, signingSecret, "x=1", time.Now())
	require.Equal(t, http.StatusBadRequest, w.send(r).Code)
	require.Empty(t, w.decisions())
}

func TestReplayedBodyIsOneDecision(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	click := w.slack.Click(alice, w.message(), approve, w.button(approve))
	for range 3 {
		require.Equal(t, http.StatusOK, w.post(click).Code)
	}
	require.Len(t, w.decisions(), 1)
	require.Empty(t, w.slack.Whispers())

	w = waiting(t)
	w.press(alice, reject)
	modal := w.slack.Modals()[0]
	for range 3 {
		require.Empty(t, w.post(modal.Submit(alice, "no")).Body.String())
	}
	require.Len(t, w.decisions(), 1)
}

func TestGETChangesNothing(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	click := w.slack.Click(alice, w.message(), approve, w.button(approve))
	target := "/slack/interactions?" + url.Values{"payload": {string(click)}}.Encode()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r := httptest.NewRequest(method, target, nil)
		slackdouble.Sign(r, signingSecret, "", time.Now())
		require.Equal(t, http.StatusMethodNotAllowed, w.send(r).Code)
	}
	require.Empty(t, w.decisions())
}

func TestUnmappedPersonIsToldWhyNot(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	require.Equal(t, http.StatusOK, w.press(mallory, approve).Code)
	require.Contains(t, w.lastWhisper(mallory), "does not know who you are")
	require.Contains(t, w.lastWhisper(mallory), "slack_user: U0MALLORY")
	require.Equal(t, http.StatusOK, w.press(mallory, reject).Code)
	require.Empty(t, w.slack.Modals())

	w.press(alice, reject)
	require.Contains(t, w.post(w.slack.Modals()[0].Submit(mallory, "no")).Body.String(), "does not know who you are")
	require.Empty(t, w.decisions(), "unverified decisions count here, and this is none")
}

// TestRulesOfTheLedgerHoldInSlack has one row for each refusal.
func TestRulesOfTheLedgerHoldInSlack(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		role   string
		before func(w *world)
		by     slackdouble.Member
		want   string
	}{
		"wrong role":      {by: carol, want: "the role approver or finance is needed"},
		"role of a rule":  {role: "finance", by: bob, want: "the policy asks for the role finance"},
		"same person":     {before: func(w *world) { w.press(alice, approve) }, by: alice, want: "alice has decided already: approved"},
		"already decided": {before: func(w *world) { w.viaAPI("bob", reward.Reject, "digest-1") }, by: alice, want: "bob rejected it"},
		"has ended": {before: func(w *world) {
			require.NoError(t, w.ledger.Move(t.Context(), ledger.Transition{ID: 7, To: reward.Abandoned, Reason: "r", Actor: "bob"}))
		}, by: alice, want: "is abandoned and waits for no decision"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t)
			w.ask(7, "digest-1", 2, tc.role)
			w.work()
			if tc.before != nil {
				tc.before(w)
			}
			made := len(w.decisions())
			// The message still has its buttons: it was not drawn since.
			require.Equal(t, http.StatusOK, w.press(tc.by, approve).Code)
			require.Contains(t, w.lastWhisper(tc.by), tc.want)
			all := w.decisions()
			require.Len(t, all, made+1, "a refused attempt is recorded")
			require.False(t, all[made].Counted)
			require.Contains(t, all[made].Refusal, tc.want)
			require.Equal(t, reward.LaneSlack, all[made].Lane)

			w.press(tc.by, reject)
			rec := w.post(w.slack.Modals()[0].Submit(tc.by, "no"))
			require.Contains(t, rec.Body.String(), "does not count")
			require.Contains(t, rec.Body.String(), `"response_action":"errors"`)
		})
	}
}

// TestRoleThatWasGivenLaterCounts keeps a refused click from spoiling the next.
func TestRoleThatWasGivenLaterCounts(t *testing.T) {
	t.Parallel()

	roles := people()
	w := waiting(t, func(c *slackapproval.Config) { c.People = roles })
	w.press(carol, approve)
	roles[carol.User] = slackapproval.Person{Name: "carol", Roles: []string{"approver"}}
	w.press(carol, approve)
	made := w.decisions()
	require.Len(t, made, 2)
	require.True(t, made[1].Counted)
}

func TestStaleDigestIsRefusedAndRedrawn(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	seen := w.slack.Click(alice, w.message(), approve, w.button(approve))
	w.assess(7, "digest-2", reward.AwaitingApproval, 1, "")
	require.Equal(t, http.StatusOK, w.post(seen).Code)
	require.Contains(t, w.lastWhisper(alice), "not what was shown any more")
	require.False(t, w.decisions()[0].Counted)
	require.Equal(t, []workflows.Redraw{{}, {Always: true}}, w.engine.asked())

	w.work()
	require.Equal(t, "7.digest-2", w.button(approve), "the same message, with what is so now")
	w.press(alice, approve)
	require.True(t, w.decisions()[1].Counted)
}

// hasty is after how long Slack is answered where something hangs: long enough for
// what does not, and a third of what goes on afterwards.
const hasty = 4 * time.Second

func TestAnswerWhileTemporalHangs(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	w.interactions.SetWithin(hasty)
	w.engine.hanging = true
	click := slackdouble.Request("/slack/interactions", signingSecret, w.slack.Click(alice, w.message(), approve, w.button(approve)), time.Now())
	began := time.Now()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, click)
	require.Less(t, time.Since(began), 3*hasty)
	require.Equal(t, http.StatusOK, rec.Code)
	require.True(t, w.decisions()[0].Counted, "recorded, and delivered later")
	w.interactions.Wait()
	waiting, err := w.ledger.Undelivered(t.Context(), time.Now().Add(time.Second), 10)
	require.NoError(t, err)
	require.Len(t, waiting, 1)
}

func TestModalThatSlackDoesNotOpen(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	w.interactions.SetWithin(hasty)
	w.slack.Next("views.open", slackdouble.Trouble{Error: "expired_trigger_id"})
	require.Equal(t, http.StatusOK, w.press(alice, reject).Code)
	require.Contains(t, w.lastWhisper(alice), "rewardflow approvals reject 7 --comment TEXT")

	w.slack.Next("views.open", slackdouble.Trouble{Hang: true})
	began := time.Now()
	require.Equal(t, http.StatusOK, w.press(alice, reject).Code)
	require.Less(t, time.Since(began), 3*hasty, "Slack is answered while Slack does not answer")
	require.Len(t, w.slack.Whispers(), 2)
	require.Empty(t, w.decisions())
}

func TestUnreadablePayloads(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	own := `"team":{"id":"T0OURS"},"api_app_id":"A0OURS","user":{"id":"U0ALICE"}`
	for payload, status := range map[string]int{
		`{`:  http.StatusBadRequest,
		`[]`: http.StatusBadRequest,
		`{"type":"block_actions",` + own + `,"actions":[{"action_id":"rewardflow_approve","value":"x"}]}`:           http.StatusBadRequest,
		`{"type":"block_actions",` + own + `,"actions":[{"action_id":"rewardflow_approve","value":"-7.digest-1"}]}`: http.StatusBadRequest,
		`{"type":"view_submission",` + own + `,"view":{"callback_id":"rewardflow_reject","private_metadata":"{}"}}`: http.StatusBadRequest,
		`{"type":"view_submission",` + own + `,"view":{"callback_id":"of_another","private_metadata":"{}"}}`:        http.StatusOK,
		`{"type":"block_actions",` + own + `,"actions":[{"action_id":"of_another","value":"7.digest-1"}]}`:          http.StatusOK,
		`{"type":"shortcut",` + own + `}`: http.StatusOK,
		`{"type":"block_actions",` + own + `,"actions":[{"action_id":"rewardflow_approve","value":"999.digest-1","action_ts":"1"}]}`: http.StatusOK,
	} {
		require.Equal(t, status, w.post([]byte(payload)).Code, payload)
	}
	require.Empty(t, w.decisions())
	require.NotContains(t, w.logs.String(), token)
	require.NotContains(t, w.logs.String(), signingSecret)
}

// TestSecondMessageIsRetired presses the button of a message that was posted
// twice because Slack's first answer was lost.
func TestSecondMessageIsRetired(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.slack.Next("chat.postMessage", slackdouble.Trouble{Status: 500, Done: true})
	w.ask(7, "digest-1", 1, "")
	_, err := w.board.Show(t.Context(), 7, false)
	require.Error(t, err)
	did, err := w.board.Show(t.Context(), 7, false)
	require.NoError(t, err)
	require.Equal(t, slackapproval.Posted, did)
	all := w.slack.Messages()
	require.Len(t, all, 2)

	value, _ := all[0].Button(approve)
	require.Equal(t, http.StatusOK, w.post(w.slack.Click(alice, all[0], approve, value)).Code)
	require.True(t, w.decisions()[0].Counted, "it says the same")
	require.Contains(t, w.slack.Messages()[0].Text, "There is a newer message")
	w.work()
	require.Contains(t, w.slack.Messages()[1].Text, "is approved")
}
