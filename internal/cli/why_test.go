package cli_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/cli"
)

// What the money did decides the answer and what is offered: nobody is told to
// pay again what may have been paid.
func TestWhyTellsWhatIsKnownOfTheMoney(t *testing.T) {
	t.Parallel()

	const quantity = `"id":7,"quantity":{"amount":50,"unit":"points"},"promoter":{"id":9}`
	for name, test := range map[string]struct {
		document string
		answer   string
		offers   []string
		closing  string
	}{
		"PaidAndNotClosed": {
			document: `"status":"attention","payout":{"state":"paid","provider":"team"},
				"closing":{"by":"api","call":"not_done","paid_at":"2026-11-23T09:00:00Z"}`,
			answer:  "is paid, and does not go on without a person.",
			offers:  []string{"retry", "abandon"},
			closing: "FirstPromoter was called, and does not have it as completed; it is called again",
		},
		"CameBack": {
			document: `"status":"attention","payout":{"state":"returned","provider":"team"},"closing":{"paid_at":"2026-11-23T09:00:00Z"}`,
			answer:   "was paid, and the payout came back, and does not go on without a person.",
			offers:   []string{"paid", "abandon"},
			closing:  "FirstPromoter was not called yet",
		},
		"KeyKnownWithAnotherBody": {
			document: `"status":"attention","payout":{"state":"conflict","provider":"team"}`,
			answer:   "may have been paid, and does not go on without a person.",
			offers:   []string{"retry", "paid", "abandon"},
			closing:  "not begun: it follows the payout",
		},
		"OnTheWire": {
			document: `"status":"attention","payout":{"state":"submitting","provider":"team"}`,
			answer:   "may have been paid, and does not go on without a person.",
			offers:   []string{"retry", "paid", "abandon"},
			closing:  "not begun: it follows the payout",
		},
		"NothingReserved": {
			document: `"status":"attention","reason":"no route matches"`,
			answer:   "is not paid, and does not go on without a person.",
			offers:   []string{"retry", "paid", "reject"},
			closing:  "not begun: it follows the payout",
		},
		"AbandonedWithoutKnowing": {
			document: `"status":"abandoned","payout":{"state":"unknown","provider":"team"}`,
			answer:   "may have been paid, and was abandoned: nothing more will happen.",
			closing:  "none: it has ended without one",
		},
		"Rejected": {
			document: `"status":"rejected"`,
			answer:   "is not paid and will not be: it was rejected.",
			closing:  "none: it has ended without one",
		},
		"LeftToTheAnswer": {
			document: `"status":"closing","closing":{"by":"answer","paid_at":"2026-11-23T09:00:00Z"}`,
			answer:   "is paid, and is being closed at FirstPromoter.",
			closing:  "left to the answer to FirstPromoter's next webhook",
		},
		"SettlesLater": {
			document: `"status":"settling","waiting_for":["the provider team to finish the payout"],"payout":{"state":"settling"}`,
			answer:   "is not paid yet: the payout was accepted and is not finished.",
			closing:  "not begun: it follows the payout",
		},
		"NewerThanThisProgram": {
			document: `"status":"teleported"`,
			answer:   "has a status that this version does not know.",
			closing:  "not begun: it follows the payout",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "{"+quantity+","+test.document+"}")
			}, "why", "7")

			require.Equal(t, 0, cli.New(b.env).Execute(t.Context()), b.stderr.String())
			answer, facts, _ := strings.Cut(b.stdout.String(), "\n")
			require.Equal(t, "Reward 7 (50 points for promoter 9) "+test.answer, answer)
			require.Regexp(t, `(?m)^closing +`+test.closing+`$`, facts)
			require.Equal(t, test.offers, offered(facts))
		})
	}
}

// offered returns the actions of resolve that can be typed next.
func offered(facts string) []string {
	var actions []string
	for line := range strings.Lines(facts) {
		if rest, ok := strings.CutPrefix(line, "  rewardflow resolve 7 "); ok {
			actions = append(actions, strings.Fields(rest)[0])
		}
	}
	return actions
}

func TestWhySaysTheReasonOnce(t *testing.T) {
	t.Parallel()

	b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id":7,"status":"held","reason":"the refund period","needed":1,
			"waiting_for":["the refund period","the hold to end at 2026-12-07T09:00:00Z","0 of 1 approvals, role approver or finance"]}`)
	}, "why", "7")

	require.Equal(t, 0, cli.New(b.env).Execute(t.Context()), b.stderr.String())
	require.Equal(t, 1, strings.Count(b.stdout.String(), "the refund period"))
	require.Regexp(t, `(?m)^waiting for +the hold to end at 2026-12-07T09:00:00Z\n +0 of 1 approvals, role approver or finance$`, b.stdout.String())
	require.Contains(t, b.stdout.String(), "rewardflow approvals approve 7")
}
