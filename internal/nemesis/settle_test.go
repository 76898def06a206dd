package nemesis

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// A round of looks may take as long as rewards have to come to rest: what was
// seen in it may be old when it is judged.
func TestRestIsJudgedByAFreshLook(t *testing.T) {
	t.Parallel()

	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, known := map[string]string{
			"/api/v1/rewards/1": `{"status": "fulfilled"}`,
			"/api/v1/rewards/2": `{"status": "received", "waiting_for": ["its workflow to start"]}`,
			"/api/v1/rewards/3": `{"status": "resolving", "waiting_for": ["a look-up"]}`,
			"/api/v1/rewards/4": `{"status": "resolving"}`,
		}[r.URL.Path]
		if !known {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, shown)
	}))
	defer api.Close()

	w := &world{http: api.Client(), direct: []string{api.URL}}
	e := &evidence{shows: map[reward.ID]detail{}, late: map[reward.ID]string{}}
	for id := range reward.ID(4) {
		e.shows[id+1] = detail{Status: reward.Received}
	}

	why := w.judge(t.Context(), e, []reward.ID{1, 2, 3, 4, 5})

	late := func(id reward.ID) bool { _, ok := e.late[id]; return ok }
	require.NotContains(t, why, reward.ID(1), "it has ended meanwhile")
	require.Equal(t, []bool{false, true, false, true, true}, []bool{late(1), late(2), late(3), late(4), late(5)})
	require.Equal(t, "rewardflow does not know it", e.late[5])
	require.Len(t, why, 4)
}

// What FirstPromoter gave up while nobody could be reached is not looked for.
func TestNobodyOwesWhatFirstPromoterCouldNotTell(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		errors []int // What was answered; 0 is nothing.
		told   bool
		never  bool
	}{
		"given up, and nothing was there":  {errors: make([]int, 8), never: true},
		"not given up yet":                 {errors: make([]int, 7)},
		"given up, and a process answered": {errors: []int{0, 0, 0, 500, 0, 0, 0, 0}},
		"given up after it was taken over": {errors: make([]int, 8), told: true},
		"the eighth error after an answer": {errors: []int{0, 0, 0, 202, 0, 0, 0, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := &evidence{}
			for n, answer := range c.errors {
				e.facts = append(e.facts, fact{Kind: "answered", ID: 1, Delivery: n, Answer: answer})
			}
			if c.told {
				e.wire = []delivery{{Reward: 1, Answer: http.StatusAccepted}}
			}
			require.Equal(t, c.never, e.neverOurs()[1])
			require.False(t, e.neverOurs()[2], "nothing was said of it")
		})
	}
}
