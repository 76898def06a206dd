package e2e_test

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// TestAnswers200OnlyWithPaymentAndClaim makes every call that closes a reward
// fail for good: then, and only then, a repeated event is answered 200.
func TestAnswers200OnlyWithPaymentAndClaim(t *testing.T) {
	t.Parallel()

	for name, fault := range map[string]simulator.Fault{
		"NotDone":   {On: simulator.Update, Times: math.MaxInt, Status: http.StatusTooManyRequests},
		"Ambiguous": {On: simulator.Update, Times: math.MaxInt, Status: http.StatusInternalServerError},
		"NoAnswer":  {On: simulator.Update, Times: math.MaxInt, Reset: true},
		"Denied":    {On: simulator.Update, Times: math.MaxInt, Status: http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := running(t, settings{CloseByAnswerAfter: time.Second, CheckEvery: 300 * time.Millisecond, RetryEvery: time.Second})
			w.fp.Fail(fault)
			id := w.send(months())
			eventually(t, soon, func() (string, bool) {
				return "no event was answered 200", w.fp.Books().Answered200 == 1
			})
			// The books hold the payment and the claim from before the answer.
			s := w.reward(id, "")
			require.Equal(t, "answer", s.Closing.By)
			require.Equal(t, "paid", s.Payout.State)
			require.Equal(t, 1, w.provider.Books().ByReward[id])
			for _, d := range s.Deliveries[:len(s.Deliveries)-1] {
				require.Equal(t, http.StatusAccepted, d.Answer, "before it, 202 was the answer")
			}

			w.await(soon, id, reward.Fulfilled, "")
			w.requireOnce(id)
			require.Equal(t, []simulator.Completer{simulator.ByAnswer}, w.fp.Books().Rewards[id].Completions)
			require.Equal(t, 1, w.fp.Books().Answered200)
		})
	}
}

// TestNo200BeforeItsTime fires the event of a paid reward again while the call
// that closes it has not come to an end, and before it was paid.
func TestNo200BeforeItsTime(t *testing.T) {
	t.Parallel()

	w := running(t, settings{Policy: "  - {then: ask}", CloseByAnswerAfter: time.Hour})
	id := w.send(months())
	w.await(soon, id, reward.AwaitingApproval, "")
	again, err := w.fp.Refire(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, again.Answer, "it is not paid")

	w.fp.Fail(simulator.Fault{On: simulator.Update, Times: math.MaxInt, Status: http.StatusTooManyRequests})
	require.Equal(t, http.StatusOK, w.decide(id, reward.Approve, "").status)
	eventually(t, soon, func() (string, bool) {
		s := w.reward(id, "")
		return string(s.Status), s.Closing.Call == "not_done"
	})
	again, err = w.fp.Refire(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, again.Answer, "it is paid, and the answer's time has not come")
	require.Zero(t, w.fp.Books().Answered200)
	w.requireNothingBroken()
}
