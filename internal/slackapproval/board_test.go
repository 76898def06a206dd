package slackapproval_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/slackapproval"
	"github.com/rewardflow/rewardflow/internal/slackapproval/slackdouble"
)

func TestMessageShowsWhatMatters(t *testing.T) {
	t.Parallel()

	w := newWorld(t, func(c *slackapproval.Config) {
		c.Link = func(id reward.ID) string { return "https://rewards.example.com/console/rewards/" + id.String() }
	})
	w.ask(7, "digest-of-32-digits", 2, "finance")
	w.work()
	m := w.message()
	require.Equal(t, channel, m.Channel)
	require.Equal(t, "Reward 7 waits for approval: 3 free_months", m.Text)
	shown := unescaped(m.Blocks)
	for _, want := range []string{
		"Reward 7 waits for approval", "3 free_months", "5272969", "Spring &lt;!channel&gt; &amp; more (17476)", "billing",
		"0 of 2, with the role finance", "digest-o", "rule 2: amount &gt; 2: ask &lt;people&gt;",
		"<https://rewards.example.com/console/rewards/7|Open reward 7>", "Approve this reward?",
	} {
		require.Contains(t, shown, want)
	}
	require.Equal(t, "7.digest-of-32-digits", w.button(approve))
	require.Equal(t, "7.digest-of-32-digits", w.button(reject))
	require.NotContains(t, shown, email)
	require.NotContains(t, shown, "cust-7")
}

func TestEmailIsShownWhereItIsConfigured(t *testing.T) {
	t.Parallel()

	w := waiting(t, func(c *slackapproval.Config) { c.ShowEmail = true })
	require.Contains(t, w.message().Blocks, email)
	require.Contains(t, w.message().Blocks, "cust-7")
}

// unescaped undoes what encoding/json does to angle brackets.
func unescaped(blocks string) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(blocks)
}

// TestMessageFollowsEveryLane changes a reward on every way there is.
func TestMessageFollowsEveryLane(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		do   func(w *world)
		text string
		want []string
		open bool
	}{
		"API": {
			do:   func(w *world) { require.Equal(t, http.StatusOK, w.viaAPI("bob", reward.Approve, "digest-1")) },
			text: "is approved", want: []string{"approved by *bob*", "via API or command line"},
		},
		"rejected over the API": {
			do:   func(w *world) { require.Equal(t, http.StatusOK, w.viaAPI("bob", reward.Reject, "digest-1")) },
			text: "is rejected", want: []string{"rejected by *bob*"},
		},
		"signal of Temporal": {
			do: func(w *world) {
				_, err := w.ledger.Decide(t.Context(), reward.Decision{
					ID: "t", RewardID: 7, By: "temporal-ui", Lane: reward.LaneTemporal, Verdict: reward.Approve,
				}, true)
				require.NoError(t, err)
			},
			text: "is approved", want: []string{"approved by *temporal-ui*", "via Temporal, identity not proven"},
		},
		"hold": {
			do: func(w *world) {
				require.NoError(t, w.ledger.Move(t.Context(), ledger.Transition{
					ID: 7, To: reward.Held, Reason: "nobody decided for 168h", Actor: "workflow", Notify: "reward_held",
				}))
			},
			text: "is held, and a decision still counts", want: []string{"nobody decided for 168h"}, open: true,
		},
		"reminder": {
			do: func(w *world) {
				require.NoError(t, w.ledger.Move(t.Context(), ledger.Transition{
					ID: 7, To: reward.AwaitingApproval, Reason: "nobody decided for 24h", Actor: "workflow", Notify: "reward_reminder",
				}))
			},
			text: "waits for approval", want: []string{"nobody decided for 24h"}, open: true,
		},
		"a policy that pays": {
			do:   func(w *world) { w.assess(7, "digest-2", reward.Approved, 0, "") },
			text: "is approved",
		},
		"attention": {
			do:   func(w *world) { w.assess(7, "digest-2", reward.Attention, 0, "") },
			text: "needs attention",
		},
		"abandoned by a person": {
			do: func(w *world) {
				require.NoError(t, w.ledger.Move(t.Context(), ledger.Transition{
					ID: 7, To: reward.Abandoned, Reason: "abandoned by a person's resolution", Actor: "bob", Notify: "reward_abandoned",
				}))
			},
			text: "is abandoned",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := waiting(t)
			tc.do(w)
			w.work()
			m := w.message()
			require.Contains(t, m.Text, "Reward 7 "+tc.text)
			for _, want := range tc.want {
				require.Contains(t, m.Blocks, want)
			}
			_, open := m.Button(approve)
			require.Equal(t, tc.open, open)
			require.Equal(t, 1, m.Edits)
		})
	}
}

func TestMessageCountsApprovals(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.ask(7, "digest-1", 2, "")
	w.work()
	w.press(alice, approve)
	w.work()
	require.Contains(t, w.message().Blocks, "1 of 2")
	require.Contains(t, w.message().Blocks, "approved by *alice*")
	require.NotEmpty(t, w.button(approve), "one more is needed")
	w.press(bob, approve)
	w.work()
	require.Contains(t, w.message().Blocks, "approved by *bob*")
	require.Contains(t, w.message().Text, "is approved")

	w.assess(7, "digest-1", reward.Approved, 0, "")
	require.Empty(t, w.work(), "a message that is settled hears only of what everybody hears of")
	require.NoError(t, w.ledger.Move(t.Context(), ledger.Transition{ID: 7, To: reward.Fulfilled, Reason: "done", Actor: "close", Notify: "reward_fulfilled"}))
	require.Equal(t, []string{slackapproval.Updated}, w.work())
	require.Contains(t, w.message().Text, "Reward 7 is fulfilled")
}

func TestSameIsDrawnOnce(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	for range 3 {
		did, err := w.board.Show(t.Context(), 7, false)
		require.NoError(t, err)
		require.Equal(t, slackapproval.UpToDate, did)
	}
	require.Equal(t, 1, w.slack.Calls("chat.postMessage"))
	require.Zero(t, w.slack.Calls("chat.update"))
	did, err := w.board.Show(t.Context(), 7, true)
	require.NoError(t, err)
	require.Equal(t, slackapproval.Updated, did, "somebody saw something else")
}

// TestManyProcessesPostOnce has them race for the first message.
func TestManyProcessesPostOnce(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.ask(7, "digest-1", 1, "")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := w.board.Show(t.Context(), 7, false); err != nil && !fault.Is(err, fault.Unavailable) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Len(t, w.slack.Messages(), 1)
}

func TestNothingIsShownOfWhatAsksNobody(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.ask(7, "digest-1", 1, "")
	w.assess(7, "digest-1", reward.Approved, 0, "")
	require.Empty(t, w.work(), "it is approved before anybody looks")
	require.NoError(t, w.ledger.Move(t.Context(), ledger.Transition{ID: 7, To: reward.Fulfilled, Reason: "r", Actor: "a", Notify: "reward_fulfilled"}))
	require.Empty(t, w.work())
	did, err := w.board.Show(t.Context(), 7, true)
	require.NoError(t, err)
	require.Equal(t, slackapproval.Nothing, did)
	require.Zero(t, w.slack.Calls("chat.postMessage"))
}

func TestEventsOfOthersAreNotFollowed(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.ask(7, "digest-1", 1, "")
	for _, row := range []ledger.Pending{
		{Type: "reward_created", Body: []byte(`{"reward_id":7}`)},
		{Type: "lead_signup", Body: []byte(`{"reward_id":7}`)},
		{Type: "reward_held", Body: []byte(`{`)},
		{Type: "reward_held", Body: []byte(`{}`)},
	} {
		require.NoError(t, w.follower.Follow(t.Context(), row))
	}
	require.Empty(t, w.engine.asked())
	require.Equal(t, fault.NotFound, fault.KindOf(w.follower.Follow(t.Context(), ledger.Pending{Type: "reward_held", Body: []byte(`{"reward_id":8}`)})))
}

func TestDeletedMessageIsPostedAnewWhilePeopleAreWaitedFor(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	first := w.message()
	w.slack.Delete(first.Timestamp)
	did, err := w.board.Show(t.Context(), 7, true)
	require.NoError(t, err)
	require.Equal(t, slackapproval.Posted, did)
	require.NotEqual(t, first.Timestamp, w.message().Timestamp)

	w.slack.Delete(w.message().Timestamp)
	w.viaAPI("bob", reward.Reject, "digest-1")
	require.Equal(t, []string{slackapproval.Gone}, w.work())
	require.Empty(t, w.slack.Messages())
	require.Empty(t, w.work())
}

// TestAskedAgainIsANewMessage comes to a reward that changed after it was
// approved: nobody looks at a message of last week.
func TestAskedAgainIsANewMessage(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	w.press(alice, approve)
	w.work()
	w.assess(7, "digest-2", reward.Verifying, 0, "")
	w.assess(7, "digest-2", reward.AwaitingApproval, 1, "")
	require.Equal(t, []string{slackapproval.Posted}, w.work())
	all := w.slack.Messages()
	require.Len(t, all, 2)
	_, open := all[0].Button(approve)
	require.False(t, open)
	value, open := all[1].Button(approve)
	require.True(t, open)
	require.Equal(t, "7.digest-2", value)
	require.NotContains(t, all[1].Blocks, "alice", "what was decided on something else does not count")
}

// TestDecidedWhileItIsPosted decides between the claim and Slack's answer.
func TestDecidedWhileItIsPosted(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.ask(7, "digest-1", 1, "")
	now := time.Now()
	taken, err := w.ledger.ClaimApprovalMessage(t.Context(), 7, "", now, now.Add(-time.Second))
	require.NoError(t, err)
	require.True(t, taken, "a process died while it posted")
	w.viaAPI("bob", reward.Approve, "digest-1")
	did := w.work()
	require.Contains(t, did, slackapproval.Nothing)
	require.Zero(t, w.slack.Calls("chat.postMessage"))
}

// TestProcessThatDiedWhileItPostedAnew leaves the settled message settled.
func TestProcessThatDiedWhileItPostedAnew(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	w.press(alice, approve)
	w.work()
	settled := w.message()
	w.assess(7, "digest-2", reward.AwaitingApproval, 2, "")
	now := time.Now()
	taken, err := w.ledger.ClaimApprovalMessage(t.Context(), 7, settled.Timestamp, now, now.Add(-time.Second))
	require.NoError(t, err)
	require.True(t, taken)
	require.Equal(t, []string{slackapproval.Posted}, w.work())
	all := w.slack.Messages()
	require.Len(t, all, 2)
	require.Equal(t, settled, all[0])
}

// TestTroubleWithSlack classifies what Slack and the network do.
func TestTroubleWithSlack(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		trouble slackdouble.Trouble
		edit    func(*slackapproval.Config)
		kind    fault.Kind
		after   time.Duration
		words   string
		posted  int
	}{
		"not in the channel": {trouble: slackdouble.Trouble{Error: "not_in_channel"}, kind: fault.Denied, after: 10 * time.Minute, words: "invite the app"},
		"no such channel":    {edit: func(c *slackapproval.Config) { c.Channel = "G0SECRET" }, kind: fault.Denied, after: 10 * time.Minute, words: "channel_not_found"},
		"never invited":      {edit: func(c *slackapproval.Config) { c.Channel = "C0OTHER" }, kind: fault.Denied, after: 10 * time.Minute, words: "not_in_channel"},
		"wrong token":        {edit: func(c *slackapproval.Config) { c.BotToken = "xoxb-old" }, kind: fault.Denied, after: 10 * time.Minute, words: "slack.bot_token"},
		"scope is missing":   {trouble: slackdouble.Trouble{Error: "missing_scope"}, kind: fault.Denied, after: 10 * time.Minute, words: "chat:write"},
		"archived":           {trouble: slackdouble.Trouble{Error: "is_archived"}, kind: fault.Denied, after: 10 * time.Minute, words: "archived"},
		"too much":           {trouble: slackdouble.Trouble{Status: 429, RetryAfter: "37"}, kind: fault.Throttled, after: 37 * time.Second},
		"too much, no word":  {trouble: slackdouble.Trouble{Status: 429}, kind: fault.Throttled, after: time.Second},
		"too much, in words": {trouble: slackdouble.Trouble{Error: "ratelimited", RetryAfter: "5"}, kind: fault.Throttled, after: 5 * time.Second},
		"5xx":                {trouble: slackdouble.Trouble{Status: 503, RetryAfter: "9"}, kind: fault.Ambiguous, after: 9 * time.Second, words: "503"},
		"lost answer":        {trouble: slackdouble.Trouble{Status: 500, Done: true}, kind: fault.Ambiguous, posted: 1},
		"fatal_error":        {trouble: slackdouble.Trouble{Error: "fatal_error"}, kind: fault.Ambiguous},
		"not JSON":           {trouble: slackdouble.Trouble{Status: 404}, kind: fault.Ambiguous, words: "404"},
		"our own mistake":    {trouble: slackdouble.Trouble{Error: "invalid_blocks"}, kind: fault.Invalid, words: "invalid_blocks"},
		"words of a stranger": {
			trouble: slackdouble.Trouble{Error: "see https://evil.example/?" + token}, kind: fault.Invalid, words: "something unreadable",
		},
		"no answer": {
			trouble: slackdouble.Trouble{Hang: true}, edit: func(c *slackapproval.Config) { c.Timeout = 100 * time.Millisecond },
			kind: fault.Ambiguous, words: "timed out",
		},
		"nobody there": {edit: func(c *slackapproval.Config) { c.BaseURL = "http://127.0.0.1:1/api" }, kind: fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			edits := []func(*slackapproval.Config){}
			if tc.edit != nil {
				edits = append(edits, tc.edit)
			}
			w := newWorld(t, edits...)
			if tc.trouble != (slackdouble.Trouble{}) {
				w.slack.Next("chat.postMessage", tc.trouble)
			}
			w.ask(7, "digest-1", 1, "")
			_, err := w.board.Show(t.Context(), 7, false)
			require.Equal(t, tc.kind, fault.KindOf(err), "%v", err)
			require.Equal(t, tc.after, fault.RetryAfter(err))
			require.Contains(t, err.Error(), tc.words)
			for _, hidden := range []string{token, "xoxb-old", "http://", "https://"} {
				require.NotContains(t, err.Error(), hidden)
			}
			require.Len(t, w.slack.Messages(), tc.posted)

			if tc.edit != nil {
				return // It stays as it is.
			}
			did, err := w.board.Show(t.Context(), 7, false)
			require.NoError(t, err, "another try is not kept from posting")
			require.Equal(t, slackapproval.Posted, did)
			require.Len(t, w.slack.Messages(), tc.posted+1)
		})
	}
}

// TestTroubleWhileUpdating leaves the message to be drawn by the next try.
func TestTroubleWhileUpdating(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	w.viaAPI("bob", reward.Approve, "digest-1")
	for _, trouble := range []slackdouble.Trouble{{Status: 502}, {Error: "invalid_auth"}, {Status: 429, RetryAfter: "1"}} {
		w.slack.Next("chat.update", trouble)
		_, err := w.board.Show(t.Context(), 7, false)
		require.Error(t, err)
	}
	did, err := w.board.Show(t.Context(), 7, false)
	require.NoError(t, err)
	require.Equal(t, slackapproval.Updated, did)
	require.Contains(t, w.message().Text, "is approved")
}

// slow is a desk before a disk that has stopped.
type slow struct {
	release chan struct{}
	tally   ledger.Tally
}

func (s slow) Record(context.Context, reward.Decision) (ledger.Tally, error) {
	<-s.release
	return s.tally, nil
}
func (slow) Tell(context.Context, ledger.Tally) {}

func TestAnswerWhileTheLedgerHangs(t *testing.T) {
	t.Parallel()

	w := waiting(t)
	desk := slow{release: make(chan struct{}), tally: ledger.Tally{Decision: ledger.Recorded{Counted: true}}}
	client, err := slackapproval.NewClient(slackapproval.Config{
		BotToken: token, SigningSecret: signingSecret, Channel: channel, TeamID: team, People: people(), BaseURL: w.url,
	})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	interactions := slackapproval.NewInteractions(client, w.ledger, desk, w.follower, nil)
	r := slackdouble.Request("/slack/interactions", signingSecret, w.slack.Click(alice, w.message(), approve, w.button(approve)), time.Now())
	body := new(strings.Builder)
	require.NoError(t, r.Write(body))
	_, form, _ := strings.Cut(body.String(), "\r\n\r\n")

	answer, err := interactions.Take(t.Context(), r.Header, []byte(form))
	require.NoError(t, err)
	require.Nil(t, answer)
	require.Empty(t, w.slack.Whispers(), "nothing is known yet")
	close(desk.release)
	interactions.Wait()
	require.Equal(t, "Reward 7: recorded, approved by alice.", w.lastWhisper(alice))
}
