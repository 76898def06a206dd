package notify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func render(t *testing.T, eventType, body string) notify.Message {
	t.Helper()
	m, err := notify.Render(eventType, "31000500", []byte(body))
	require.NoError(t, err)
	require.Equal(t, eventType, m.Type)
	return m
}

// The bodies are those that the inbox holds.
const (
	leadBody = `{"event":{"id":"31000500","type":"lead_signup","created_at":"2025-03-02T08:00:00.301Z"},` +
		`"promoter":{"id":6100033,"status":"active","cust_id":"cus_0042","email":"ines@example.net"},` +
		`"lead":{"id":24000815,"state":"signup","email":"lead@example.org"},"campaign":{"id":4711,"name":"Spring"}}`
	rewardBody = `{"event":{"id":"31000504","type":"reward_created","created_at":"2025-03-02T08:00:00.301Z"},` +
		`"promoter":{"id":6100033},"campaign":{"id":4711,"name":""},` +
		`"reward":{"id":12000333,"status":"approved","amount":-450,"unit":"cash","has_issues":true}}`
	internalBody = `{"reward_id":3150771,"status":"attention","reason":"the provider is not configured","at":"2025-03-02T08:00:00Z"}`
)

func TestRenderALead(t *testing.T) {
	t.Parallel()

	require.Equal(t, notify.Message{
		Key: "lead_signup-31000500", Type: "lead_signup",
		Title: "A lead signed up",
		Text:  "Promoter 6100033 brought this lead in the campaign Spring.",
		Fields: []notify.Field{
			{Label: "Promoter", Value: "6100033"},
			{Label: "Customer ID", Value: "cus_0042", Personal: true},
			{Label: "Promoter e-mail", Value: "ines@example.net", Personal: true},
			{Label: "Lead", Value: "24000815"},
			{Label: "Lead state", Value: "signup"},
			{Label: "Lead e-mail", Value: "lead@example.org", Personal: true},
			{Label: "Campaign", Value: "Spring"},
			{Label: "Campaign ID", Value: "4711"},
		},
		At:    time.Date(2025, 3, 2, 8, 0, 0, 301e6, time.UTC),
		Event: []byte(leadBody),
	}, render(t, "lead_signup", leadBody))
}

func TestRenderAReward(t *testing.T) {
	t.Parallel()

	require.Equal(t, notify.Message{
		Key: "reward_attention-31000500", Type: "reward_attention",
		Title:       "Reward 3150771 needs attention",
		Text:        "It does not go on before somebody has said what to do.",
		NeedsPerson: true,
		Fields: []notify.Field{
			{Label: "Reward", Value: "3150771"},
			{Label: "Reason", Value: "the provider is not configured"},
			{Label: "Next", Value: "rewardflow why 3150771, then rewardflow resolve 3150771 retry|reroute|paid|reject|abandon"},
		},
		RewardID: 3150771,
		At:       time.Date(2025, 3, 2, 8, 0, 0, 0, time.UTC),
		Event:    []byte(internalBody),
	}, render(t, "reward_attention", internalBody))

	created := render(t, "reward_created", rewardBody)
	require.Equal(t, "Promoter 6100033 earned -450 in minor units of cash in campaign 4711.", created.Text)
	require.Contains(t, created.Fields, notify.Field{Label: "Issues", Value: "FirstPromoter reports issues with this reward"})
	require.Zero(t, created.RewardID, "a reward record's ID is not a reward ID")
	require.Equal(t, reward.ID(12000333), render(t, "fulfilment_pending", rewardBody).RewardID)
}

func TestRenderHasWordsForEveryType(t *testing.T) {
	t.Parallel()

	for eventType, title := range map[string]string{
		"lead_signup":              "A lead signed up",
		"lead_becomes_referral":    "A lead became a customer",
		"lead_cancelled":           "A referred customer cancelled",
		"lead_subscribed":          "A lead subscribed",
		"promoter_accepted":        "A promoter was accepted",
		"promoter_signed_up":       "A promoter signed up",
		"reward_created":           "A reward was created",
		"fulfilment_pending":       "A reward is to be fulfilled",
		"reward_quarantined":       "A reward is quarantined",
		"reward_awaiting_approval": "A reward waits for approval",
		"reward_reminder":          "A reward still waits for approval",
		"reward_escalated":         "A reward has waited long for approval",
		"reward_held":              "A reward is held",
		"reward_attention":         "A reward needs attention",
		"reward_retry_budget":      "A reward is close to being marked with issues",
		"reward_rejected":          "A reward was rejected",
		"reward_abandoned":         "A reward was abandoned",
		"reward_fulfilled":         "A reward is fulfilled",
		"reward_settling":          "A reward is settling",
		"something_new":            "Event something_new",
	} {
		// Missing fields never fail, and leave no holes in the sentences.
		for _, body := range []string{"", "{}", "null", `{"promoter":null,"reward":{"amount":"many"}}`, `[1]`, `"x"`} {
			m := render(t, eventType, body)
			require.Equal(t, title, m.Title, body)
			require.NotEmpty(t, m.Text)
			require.NotContains(t, m.Text, "  ")
			require.Equal(t, eventType+"-31000500", m.Key)
		}
		m := render(t, eventType, leadBody)
		require.NotContains(t, m.Title+m.Text, "@", "personal data belongs into fields")
	}
	for _, kind := range []string{
		firstpromoter.LeadSignup, firstpromoter.LeadBecomesReferral, firstpromoter.LeadCancelled, firstpromoter.LeadSubscribed,
		firstpromoter.PromoterAccepted, firstpromoter.PromoterSignedUp, firstpromoter.RewardCreated, firstpromoter.FulfilmentPending,
	} {
		require.NotContains(t, render(t, kind, "").Title, "Event ")
	}
}

func TestRenderSaysWhoMustAct(t *testing.T) {
	t.Parallel()

	for state, want := range map[string]bool{
		"quarantined": true, "awaiting_approval": true, "reminder": true, "escalated": true, "attention": true,
		"held": false, "rejected": false, "abandoned": false, "fulfilled": false, "fulfilled_elsewhere": false,
	} {
		require.Equal(t, want, render(t, "reward_"+state, internalBody).NeedsPerson, state)
	}
	reminder := render(t, "reward_reminder", strings.Replace(internalBody, "attention", "awaiting_approval", 1))
	require.Contains(t, reminder.Fields, notify.Field{Label: "Status", Value: "awaiting approval"})
	require.Contains(t, reminder.Fields, notify.Field{Label: "Next", Value: "rewardflow approvals show 3150771"})
}

func TestRenderTidiesValues(t *testing.T) {
	t.Parallel()

	m := render(t, "reward_rejected", `{"reward_id":7,"reason":" two\nlines\u0000\u202e `+strings.Repeat("x", 600)+`"}`)
	reason := m.Fields[1].Value
	require.True(t, strings.HasPrefix(reason, "two lines xxx"), reason)
	require.Len(t, []rune(reason), 500)
	require.True(t, strings.HasSuffix(reason, "…"))
}

func TestRenderKeysHoldNoFullStop(t *testing.T) {
	t.Parallel()

	m, err := notify.Render("some.type", "1.5", nil)
	require.NoError(t, err)
	require.Equal(t, "some_type-1_5", m.Key)
	require.Equal(t, "some.type", m.Type)
	require.Nil(t, m.Event)
}

func TestRenderRefusesWhatIsNotJSON(t *testing.T) {
	t.Parallel()

	_, err := notify.Render("lead_signup", "1", []byte(`{"email":"ines@example.net"`))
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	require.NotContains(t, err.Error(), "ines")
}
