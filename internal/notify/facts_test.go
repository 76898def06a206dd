package notify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func facts(t *testing.T, eventType, body string) any {
	t.Helper()
	f, err := notify.Facts(eventType, "31000500", []byte(body))
	require.NoError(t, err)
	return f
}

func TestFactsOfEveryEvent(t *testing.T) {
	t.Parallel()

	promoter := notify.PromoterFacts{ID: 6100033, CustID: "cus_7", Email: "promoter@example.com"}
	lead := notify.LeadFacts{ID: 24000815, State: "signup", Email: "lead@example.org"}
	campaign := notify.CampaignFacts{ID: 4711, Name: "Spring <2026> & more"}
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for _, eventType := range notify.Types() {
		body := string(notify.Samples(eventType)[0])
		m := render(t, eventType, body)
		about := notify.About{Type: eventType, ID: "31000500", At: at, Title: m.Title, Text: m.Text}
		got := facts(t, eventType, body)
		var want any
		switch {
		case eventType == notify.DailySummary:
			waiting := notify.StatusFacts{Status: "awaiting approval", Count: 2, Oldest: at.Add(-72 * time.Hour), Age: "3 days"}
			event, ok := got.(notify.SummaryEvent)
			require.True(t, ok)
			require.Equal(t, about, event.About)
			require.Equal(t, "2026-03-02", event.Day)
			require.Equal(t, []notify.StatusFacts{waiting}, event.Waiting)
			require.Len(t, event.Statuses, 2)
			require.Len(t, event.Paid, 2)
			require.Equal(t, "free months", event.Paid[0].Unit)
			require.Equal(t, "USD", event.Paid[1].Unit)
			continue
		case eventType == "reward_created":
			want = notify.RewardCreated{
				About: about, Amount: "3 free months", Unit: "free months", HasIssues: true, Lead: lead, Promoter: promoter, Campaign: campaign,
			}
		case strings.HasPrefix(eventType, "reward_"):
			event, ok := got.(notify.RewardEvent)
			require.True(t, ok)
			require.Equal(t, m.NeedsPerson, event.NeedsPerson)
			want = notify.RewardEvent{
				About: about, RewardID: 3150771, Status: "attention", Reason: "the provider is not configured",
				Next: event.Next, NeedsPerson: event.NeedsPerson,
			}
		case strings.HasPrefix(eventType, "lead_"):
			want = notify.LeadEvent{About: about, Lead: lead, Promoter: promoter, Campaign: campaign}
		default:
			want = notify.PromoterEvent{About: about, Promoter: promoter, Campaign: campaign}
		}
		require.Equal(t, want, got)
	}
	require.IsType(t, notify.About{}, facts(t, "something_new", "{}"))
	_, err := notify.Facts("lead_signup", "1", []byte("{"))
	require.Equal(t, fault.Invalid, fault.KindOf(err))
}

func TestFactsAreOnOneLine(t *testing.T) {
	t.Parallel()

	f, ok := facts(t, "lead_signup", `{"lead":{"state":"a\r\nBcc: x\u0000"},"campaign":{"name":"`+strings.Repeat("x", 900)+`"}}`).(notify.LeadEvent)
	require.True(t, ok)
	require.Equal(t, "a Bcc: x", f.Lead.State)
	require.Len(t, []rune(f.Campaign.Name), 500)
}

func TestDailySummaryInWords(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 3, 10, 7, 0, 0, 0, time.UTC)
	body, err := notify.Summary{
		Day: "2026-03-10", At: now,
		Statuses: []notify.SummaryStatus{
			{Status: reward.AwaitingApproval, Count: 3, Oldest: now.Add(-5 * time.Hour)},
			{Status: reward.Attention, Count: 1, Oldest: now.Add(-50 * time.Hour)},
			{Status: reward.Fulfilled, Count: 120, Oldest: now.Add(-900 * time.Hour)},
		},
		Paid: []notify.SummaryPaid{{Unit: reward.FreeMonths, Count: 1, Amount: 3}, {Unit: reward.Cash, Currency: "USD", Count: 2, Amount: 2500}},
	}.Body()
	require.NoError(t, err)
	m := render(t, notify.DailySummary, string(body))
	require.Equal(t, "Daily summary of 2026-03-10", m.Title)
	require.Equal(t, "4 rewards need a person; the oldest has waited 2 days. 3 rewards were paid yesterday.", m.Text)
	require.Equal(t, []notify.Field{
		{Label: "Awaiting approval", Value: "3, the oldest for 5 hours"},
		{Label: "Attention", Value: "1, the oldest for 2 days"},
		{Label: "Fulfilled", Value: "120"},
		{Label: "Paid in free months", Value: "3, in 1 reward"},
		{Label: "Paid in USD", Value: "2500 in minor units, in 2 rewards"},
	}, m.Fields)
	require.Equal(t, now, m.At)
	require.Zero(t, m.RewardID)

	quiet := render(t, notify.DailySummary, `{"day":"2026-03-10"}`)
	require.Equal(t, "No reward needs a person. Nothing was paid yesterday.", quiet.Text)
	one := render(t, notify.DailySummary, `{"at":"2026-03-10T07:00:00Z","statuses":[{"status":"attention","count":1,"oldest":"2026-03-10T06:31:00Z"}],"paid":[{"unit":"credits","count":1,"amount":5}]}`)
	require.Equal(t, "Daily summary", one.Title)
	require.Equal(t, "1 reward needs a person; the oldest has waited 29 minutes. 1 reward was paid yesterday.", one.Text)
}
