package e2e_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// TestAmountsThatCannotBePaid has events and FirstPromoter's own record agree on
// an amount that is no whole number of what it counts. Nothing is reserved, and
// the reason says why.
func TestAmountsThatCannotBePaid(t *testing.T) {
	t.Parallel()

	var says amounts
	w := running(t, settings{Around: says.around})
	const honest = `"amount":7`
	for name, tc := range map[string]struct {
		amount string
		unit   reward.Unit
		reason string
	}{
		"a fraction of a cent":    {`18.999`, reward.Cash, `the amount "18.999" is not a whole number`},
		"half a month":            {`1.5`, reward.FreeMonths, `the amount "1.5" is not a whole number`},
		"an exponent":             {`1e3`, reward.Credits, `the amount "1e3" is not a whole number`},
		"a text":                  {`"12.50"`, reward.Cash, `the amount "12.50" is not a whole number`},
		"less than nothing":       {`-3`, reward.Credits, `must be above zero`},
		"nothing":                 {`0`, reward.Points, `must be above zero`},
		"more than 63 bits":       {`9223372036854775808`, reward.Cash, `the amount "9223372036854775808" is not a whole number of at most 63 bits`},
		"no amount":               {`null`, reward.Credits, `the amount is missing`},
		"more than any float has": {`9007199254740993.5`, reward.Cash, `is not a whole number`},
	} {
		id, event := w.capture(simulator.Spec{Amount: 7, Unit: tc.unit})
		require.Contains(t, string(event), honest)
		amount := `"amount":` + tc.amount
		says.of(id, honest, amount)
		require.Equal(t, http.StatusAccepted, w.deliver(bytes.ReplaceAll(event, []byte(honest), []byte(amount))), name)
		s := w.await(soon, id, reward.Quarantined, "")
		require.Contains(t, s.Reason, tc.reason, name)
		require.Empty(t, s.Payout.State, "%s: nothing was reserved", name)
		require.Empty(t, s.Attempts, name)
	}
	require.Empty(t, w.provider.Books().Effects)
	w.requireNothingBroken()
}

// amounts has FirstPromoter's list say other amounts than its books hold.
type amounts struct {
	mu    sync.Mutex
	texts []string // A reward's ID, what its record says, and what it is to say.
}

func (a *amounts) of(id reward.ID, old, replacement string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.texts = append(a.texts, `"id":`+id.String()+`,`, old, replacement)
}

func (a *amounts) around(double http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/payouts/list") {
			double.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		double.ServeHTTP(answer, r)
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write([]byte(a.rewrite(answer.Body.String())))
	})
}

// rewrite changes the amounts of the records that it was told about.
func (a *amounts) rewrite(list string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := 0; i < len(a.texts); i += 3 {
		before, record, found := strings.Cut(list, a.texts[i])
		if found {
			list = before + a.texts[i] + strings.Replace(record, a.texts[i+1], a.texts[i+2], 1)
		}
	}
	return list
}
