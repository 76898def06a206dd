package simulator_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// call makes one request to the API; contentType empty sends no body.
func (b bundle) call(t *testing.T, method, path, contentType, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.api.URL+simulator.BasePath+"/payouts/"+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("X-API-KEY", testKey)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := b.api.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(got)
}

func (b bundle) client(t *testing.T, key string, timeout time.Duration) *firstpromoter.Client {
	t.Helper()
	own := &http.Client{Timeout: timeout, Transport: &http.Transport{}}
	t.Cleanup(own.CloseIdleConnections)
	return firstpromoter.NewClient(firstpromoter.Config{
		BaseURL: b.api.URL + simulator.BasePath, APIKey: key, RequestsPerMinute: 60_000, HTTP: own,
	})
}

func TestUpdateAnswersAsDocumented(t *testing.T) {
	t.Parallel()

	const form = "application/x-www-form-urlencoded"
	b := setup(t, http.StatusAccepted, nil)
	id := create(t, b.Simulator, simulator.Spec{Amount: 3}).String()
	for name, tc := range map[string]struct {
		path, contentType, body string
		status                  int
		answer                  string
	}{
		"NoID":      {"update", form, "status=completed", 422, `{"error":"You need to find the payout by id."}`},
		"JSONBody":  {"update", "application/json", `{"id":` + id + `,"status":"completed"}`, 422, `{"error":"You need to find the payout by id."}`},
		"UnknownID": {"update?id=99&status=completed", "", "", 404, `{"error":"Payment not found"}`},
		"BadStatus": {"update", form, "id=" + id + "&status=done", 422, `{"error":"Status is not included in the list."}`},
	} {
		status, answer := b.call(t, http.MethodPut, tc.path, tc.contentType, tc.body)
		require.Equal(t, tc.status, status, name)
		require.Equal(t, tc.answer, answer, name)
	}
	require.Equal(t, 1, b.Books().UnknownUpdates)
	require.Equal(t, "pending", b.Books().Rewards[2_900_001].Status)

	status, answer := b.call(t, http.MethodPut, "update", form, "id="+id+"&status=completed")
	require.Equal(t, 200, status)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(answer), &got))
	require.Equal(t, "completed", got["status"])
	require.Equal(t, "2025-05-01T12:00:00.000Z", got["date_paid"])
	require.NotContains(t, got["promoter"], "profile")
	require.Contains(t, got["promoter"], "auth_token")

	status, _ = b.call(t, http.MethodGet, "update", "", "")
	require.Equal(t, http.StatusMethodNotAllowed, status)
}

func TestCompletingTwiceIsCounted(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusAccepted, nil)
	id := create(t, b.Simulator, simulator.Spec{Amount: 3})
	client := b.client(t, testKey, 5*time.Second)
	for range 2 {
		_, err := client.Complete(t.Context(), id)
		require.NoError(t, err, "FirstPromoter does not complain")
	}
	require.Equal(t, 1, b.Books().DoubleCompletions)
	require.Equal(t, 1, b.Books().Rewards[id].Doubles)

	// An undo in between makes the next one rightful, and the event due again.
	require.NoError(t, b.SetStatus(id, "pending"))
	require.NoError(t, b.SetStatus(id, "completed"))
	require.Equal(t, 1, b.Books().DoubleCompletions)
	require.Error(t, b.SetStatus(id, "done"))
	require.Error(t, b.SetStatus(id+1, "pending"))
}

func TestListIsPagedAndFiltered(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusAccepted, nil)
	var ids []reward.ID
	for i := range 120 {
		ids = append(ids, create(t, b.Simulator, simulator.Spec{Amount: int64(i), Silent: true, Promoter: reward.Promoter{ID: 8}}))
	}
	other := create(t, b.Simulator, simulator.Spec{Amount: 1, Promoter: reward.Promoter{ID: 9}, Campaign: reward.Campaign{ID: 3}})
	require.NoError(t, b.SetStatus(other, "completed"))

	client := b.client(t, testKey, 5*time.Second)
	oldest, err := client.Payout(t.Context(), 8, ids[0])
	require.NoError(t, err)
	require.Equal(t, ids[0], oldest.ID)
	require.Equal(t, 3, b.Books().Lists, "50, 50, 20")

	_, err = client.Payout(t.Context(), 8, other)
	require.Equal(t, fault.NotFound, fault.KindOf(err))

	got, err := client.Payout(t.Context(), 9, other)
	require.NoError(t, err)
	require.Equal(t, firstpromoter.StatusCompleted, got.Status)
	require.False(t, got.DatePaid.IsZero())

	for query, want := range map[string]int{
		"": 50, "?per_page=1": 1, "?per_page=100&page=2": 21, "?page=9": 0,
		"?status=completed": 1, "?campaign_id=3": 1, "?campaign_id=3&status=pending": 0, "?promoter_id=8&page=3": 20,
	} {
		_, answer := b.call(t, http.MethodGet, "list"+query, "", "")
		var list []map[string]any
		require.NoError(t, json.Unmarshal([]byte(answer), &list))
		require.Len(t, list, want, query)
	}
	require.Equal(t, fault.Denied, fault.KindOf(b.client(t, "another", time.Second).Check(t.Context())))
}

func TestBadDays(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		fault     simulator.Fault
		kind      fault.Kind
		completed bool
	}{
		"StatusBefore": {simulator.Fault{Status: 503}, fault.Ambiguous, false},
		"StatusAfter":  {simulator.Fault{Status: 500, AfterEffect: true}, fault.Ambiguous, true},
		"Throttled":    {simulator.Fault{Status: 429, RetryAfter: 7 * time.Second}, fault.Throttled, false},
		"ResetBefore":  {simulator.Fault{Reset: true}, fault.Ambiguous, false},
		"ResetAfter":   {simulator.Fault{Reset: true, AfterEffect: true}, fault.Ambiguous, true},
		"Cut":          {simulator.Fault{Cut: true}, fault.Ambiguous, true},
		"LateEffect":   {simulator.Fault{Delay: 3 * time.Second}, fault.Ambiguous, true},
		"LateAnswer":   {simulator.Fault{Delay: 3 * time.Second, AfterEffect: true}, fault.Ambiguous, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, http.StatusAccepted, nil)
			id := create(t, b.Simulator, simulator.Spec{Amount: 3})
			tc.fault.On = simulator.Update
			b.Fail(tc.fault)
			patience := 20 * time.Second
			if tc.fault.Delay > 0 {
				patience = tc.fault.Delay / 3
			}
			client := b.client(t, testKey, patience)
			require.NoError(t, client.Check(t.Context()), "the fault is not for this call")

			_, err := client.Complete(t.Context(), id)
			require.Equal(t, tc.kind, fault.KindOf(err), err)
			require.Equal(t, tc.fault.RetryAfter, fault.RetryAfter(err))
			if name == "LateEffect" {
				require.Equal(t, "pending", b.Books().Rewards[id].Status)
			}
			if !tc.completed {
				_, err := client.Complete(t.Context(), id)
				require.NoError(t, err, "one fault is one call")
			}
			require.Eventually(t, func() bool { return b.Books().Rewards[id].Status == "completed" }, time.Minute, time.Millisecond)
			require.Zero(t, b.Books().DoubleCompletions)
		})
	}
}

func TestFaultsAreUsedUpInOrder(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusAccepted, nil)
	b.Fail(simulator.Fault{Status: 500, Times: 2})
	b.Fail(simulator.Fault{On: simulator.List, Status: 502})
	var got []int
	for range 4 {
		status, _ := b.call(t, http.MethodGet, "list", "", "")
		got = append(got, status)
	}
	require.Equal(t, []int{500, 500, 502, 200}, got)
}

func TestDownDropsEveryCall(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusAccepted, nil)
	id := create(t, b.Simulator, simulator.Spec{Amount: 3})
	b.Down(true)
	client := b.client(t, testKey, 5*time.Second)
	_, err := client.Complete(t.Context(), id)
	require.Equal(t, fault.Ambiguous, fault.KindOf(err))
	require.Equal(t, fault.Unavailable, fault.KindOf(client.Check(t.Context())))
	b.Down(false)
	require.NoError(t, client.Check(t.Context()))
	require.Empty(t, b.Books().Rewards[id].Completions)
}

// The double and the decoder share no code; here they meet.
func TestTheDecoderReadsWhatTheDoubleSends(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusAccepted, nil)
	want := reward.Reward{
		Quantity: reward.Quantity{Amount: 12, Unit: reward.Points},
		Promoter: reward.Promoter{ID: 77, CustID: "c-77", Email: "p77@example.net"},
		Campaign: reward.Campaign{ID: 31, Name: "Summer"},
	}
	want.ID = create(t, b.Simulator, simulator.Spec{Amount: 12, Unit: reward.Points, Promoter: want.Promoter, Campaign: want.Campaign})
	for _, kind := range []string{
		"lead_signup", "new_customer", "lead_cancelled", "promoter_accepted", "promoter_signs_up", "reward_created", "lead_subscribed",
	} {
		_, err := b.Fire(t.Context(), simulator.Occasion{Type: kind, Promoter: want.Promoter, Campaign: want.Campaign})
		require.NoError(t, err)
	}
	for _, a := range b.hooks.arrivals() {
		require.Contains(t, a.body, simulator.Canary)
		ev, err := firstpromoter.Decode([]byte(a.body))
		require.NoError(t, err)
		require.True(t, ev.Known, a.Type)
		require.Equal(t, b.clock.Now(), ev.CreatedAt)
		require.Equal(t, int64(77), ev.Fields.Promoter.ID)
		require.NotContains(t, string(ev.Body()), simulator.Canary)
		if ev.Reward != nil {
			require.Equal(t, want, ev.Reward.Reward)
			require.Empty(t, ev.Reward.Defect)
		}
	}
	got, err := b.client(t, testKey, 5*time.Second).Payout(context.WithoutCancel(t.Context()), 77, want.ID)
	require.NoError(t, err)
	require.Equal(t, want, got.Reward())
}
