package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

// What a probe brings is no event, whoever reads it.
func TestProbeIsNoEvent(t *testing.T) {
	t.Parallel()

	_, err := firstpromoter.Decode([]byte(api.ProbeBody))
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
}

// A probe that came through is in no count of deliveries. One that did not, and
// whatever else has the header, is counted as without it.
func TestProbeIsNoDelivery(t *testing.T) {
	t.Parallel()

	unusable := fault.New(fault.Invalid, "intake", "event.type is missing")
	for name, row := range map[string]struct {
		path    string
		header  string
		taken   ledger.Taken
		err     error
		status  int
		counted bool
	}{
		"probe":                 {webhookURL, "doctor", ledger.Taken{Reason: ledger.ReasonNoType}, unusable, 400, false},
		"no event, no probe":    {webhookURL, "", ledger.Taken{Reason: ledger.ReasonNoType}, unusable, 400, true},
		"wrong secret":          {webhookURL + "x", "doctor", ledger.Taken{}, unusable, 401, true},
		"an event after all":    {webhookURL, "doctor", ledger.Taken{Type: "lead_signup", Reason: ledger.ReasonUnusable}, unusable, 400, true},
		"nothing can be stored": {webhookURL, "doctor", ledger.Taken{Reason: ledger.ReasonNotStored}, fault.New(fault.Unavailable, "x", "x"), 503, true},
	} {
		c := &counting{}
		a := newAPITest(t, func(a *apiTest) { a.deps.Unstored = c })
		a.intake.take = intakeAnswer(row.taken, row.err)
		before := a.answers(t)
		rec := a.do(t, http.MethodPost, row.path, api.ProbeBody, header(api.ProbeHeader, row.header))
		require.Equal(t, row.status, rec.Code, name)
		require.Equal(t, row.counted, len(c.counted) == 1, name)
		require.Equal(t, row.counted, a.answers(t) == before+1, name)
	}
}

// answers sums up rewardflow_webhook_answers_total.
func (a *apiTest) answers(t *testing.T) float64 {
	t.Helper()
	families, err := a.registry.Gather()
	require.NoError(t, err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() == "rewardflow_webhook_answers_total" {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
