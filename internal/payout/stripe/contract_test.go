package stripe_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// mockVariable names the base URL of a running stripe-mock.
const mockVariable = "REWARDFLOW_STRIPE_MOCK"

// judge lets stripe-mock see every request before the fake answers it.
// stripe-mock validates against Stripe's published OpenAPI document and keeps
// no state, so its answers are of no use, only its verdict.
type judge struct {
	fake *fakeStripe
	mock string

	mu       sync.Mutex
	verdicts []string
	rejected []string
}

// ServeHTTP implements http.Handler.
func (j *judge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	verdict, said := j.ask(r, body)
	line := fmt.Sprintf("%d %s %s %s", verdict, r.Method, r.URL.RequestURI(), body)
	j.mu.Lock()
	j.verdicts = append(j.verdicts, line)
	if verdict/100 != 2 {
		j.rejected = append(j.rejected, line+": "+said)
	}
	j.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	j.fake.ServeHTTP(w, r)
}

func (j *judge) ask(r *http.Request, body []byte) (int, string) {
	ask, err := http.NewRequestWithContext(r.Context(), r.Method, j.mock+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	ask.Header = r.Header.Clone()
	resp, err := http.DefaultClient.Do(ask)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(said)
}

// Every request that the adapter can send passes stripe-mock, which runs with
// its strict version check.
func TestContractWithStripeMock(t *testing.T) {
	t.Parallel()

	mock := strings.TrimSuffix(os.Getenv(mockVariable), "/")
	if mock == "" {
		t.Skipf("%s is not set: start stripe-mock v0.203.0 with -strict-version-check and name its base URL", mockVariable)
	}
	for name, c := range map[string]struct {
		quantity reward.Quantity
		change   func(*fakeStripe)
		requests int
	}{
		"credits":          {kinds()["Credits"].quantity, nil, 3},
		"a long list":      {kinds()["Credits"].quantity, manyCredits, 5},
		"free months":      {kinds()["FreeMonths"].quantity, nil, 6},
		"old markers":      {kinds()["FreeMonths"].quantity, oldMarkers, 6},
		"per cent":         {kinds()["DiscountPer"].quantity, nil, 9},
		"beside discounts": {kinds()["DiscountPer"].quantity, twoDiscounts, 9},
		"money off":        {kinds()["DiscountMon"].quantity, nil, 9},
		"cash":             {kinds()["Cash"].quantity, nil, 5},
		"cash, sent later": {kinds()["Cash"].quantity, func(f *fakeStripe) { f.balance = nil }, 5},
	} {
		fake := newFake()
		if c.change != nil {
			c.change(fake)
		}
		j := &judge{fake: fake, mock: mock}
		p := serve(t, j)
		req := prepare(t, p, order(c.quantity))
		out := p.Send(t.Context(), req)
		require.Contains(t, []payout.Class{payout.ClassAccepted, payout.ClassNotSent}, out.Class, out.Detail)
		require.NotEqual(t, payout.CannotTell, p.Lookup(t.Context(), req).Answer)
		require.Empty(t, j.rejected, name)
		require.Len(t, j.verdicts, c.requests, "%s: %s", name, strings.Join(j.verdicts, "\n"))
	}
}

func TestContractOfTheCheckWithStripeMock(t *testing.T) {
	t.Parallel()

	mock := strings.TrimSuffix(os.Getenv(mockVariable), "/")
	if mock == "" {
		t.Skipf("%s is not set", mockVariable)
	}
	j := &judge{fake: newFake(), mock: mock}
	_, err := serve(t, j).Check(t.Context(), everyUnit())
	require.NoError(t, err)
	require.Empty(t, j.rejected)
	require.Len(t, j.verdicts, 7, strings.Join(j.verdicts, "\n"))
}

// The judge is worth something: it rejects what is not in the document.
func TestStripeMockRejectsWhatIsWrong(t *testing.T) {
	t.Parallel()

	mock := strings.TrimSuffix(os.Getenv(mockVariable), "/")
	if mock == "" {
		t.Skipf("%s is not set", mockVariable)
	}
	j := &judge{fake: newFake(), mock: mock}
	for body, want := range map[string]int{
		"amount=-500&currency=usd":       200,
		"amount=-500&currency=usd&fee=3": 400,
		"amount=much&currency=usd":       400,
		"amount=-500":                    400,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/customers/cus_9/balance_transactions", nil)
		require.NoError(t, err)
		r.Header = http.Header{
			"Authorization":  {"Bearer " + apiKey},
			"Content-Type":   {"application/x-www-form-urlencoded"},
			"Stripe-Version": {"2026-08-26.dahlia"},
		}
		got, said := j.ask(r, []byte(body))
		require.Equal(t, want, got, "%s: %s", body, said)
		r.Header.Set("Stripe-Version", "2019-01-01")
		got, said = j.ask(r, []byte(body))
		require.Equal(t, 400, got, "stripe-mock runs without -strict-version-check: %s", said)
	}
}

func manyCredits(f *fakeStripe) {
	for i := range 201 {
		f.txns = append(f.txns, credited(fmt.Sprintf("cbtxn_old%d", i), "other", -1, "usd"))
	}
}

func oldMarkers(f *fakeStripe) {
	old := map[string]string{}
	for i := range 30 {
		old[fmt.Sprintf("rf_%d_1", i+1)] = time.Date(2020, 1, 1+i, 0, 0, 0, 0, time.UTC).Format(time.RFC3339) + " months=1"
	}
	f.sub()["metadata"] = old
}

func twoDiscounts(f *fakeStripe) {
	f.sub()["discounts"] = []object{attached("di_a", "summer"), attached("di_b", "winter")}
}
