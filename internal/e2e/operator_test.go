package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// soon is how long anything may take that waits for nothing.
const soon = 30 * time.Second

// shown is what these tests read of GET /api/v1/rewards/{id}.
type shown struct {
	ID         reward.ID       `json:"id"`
	Status     reward.Status   `json:"status"`
	Reason     string          `json:"reason"`
	Quantity   reward.Quantity `json:"quantity"`
	Digest     reward.Digest   `json:"digest"`
	Approvals  int             `json:"approvals"`
	Needed     int             `json:"needed"`
	WaitingFor []string        `json:"waiting_for"`
	Payout     struct {
		State      string `json:"state"`
		Generation int    `json:"generation"`
		Reference  string `json:"reference"`
	} `json:"payout"`
	Closing struct {
		By     string    `json:"by"`
		Call   string    `json:"call"`
		PaidAt time.Time `json:"paid_at"`
	} `json:"closing"`
	Decisions []struct {
		Decision reward.Verdict `json:"decision"`
		By       string         `json:"by"`
		Verified bool           `json:"verified"`
		Lane     reward.Lane    `json:"lane"`
		Counted  bool           `json:"counted"`
		Refusal  string         `json:"refusal"`
		Comment  string         `json:"comment"`
	} `json:"decisions"`
	Resolutions []struct {
		Action reward.Action `json:"action"`
		By     string        `json:"by"`
	} `json:"resolutions"`
	Attempts []struct {
		Kind    string `json:"kind"`
		Outcome string `json:"outcome"`
	} `json:"attempts"`
	Deliveries []struct {
		Answer    int  `json:"answer"`
		Duplicate bool `json:"duplicate"`
	} `json:"deliveries"`
	History []struct {
		To    reward.Status `json:"to"`
		Actor string        `json:"actor"`
	} `json:"history"`
	Links struct {
		Workflow string `json:"workflow"`
	} `json:"links"`
}

// answer is what the HTTP surface said.
type answer struct {
	status int
	body   []byte
}

// into reads the answer's document.
func (a answer) into(w *world, v any) {
	w.t.Helper()
	require.NoError(w.t, json.Unmarshal(a.body, v), "%s", a.body)
}

// ask calls the newest process; token may be empty, body nil.
func (w *world) ask(method, path, token string, body any) (answer, error) {
	payload, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.process.URL+path, bytes.NewReader(payload))
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, body: out}, err
}

// must calls the newest process and wants the given status.
func (w *world) must(status int, method, path, token string, body any) answer {
	w.t.Helper()
	a, err := w.ask(method, path, token, body)
	require.NoError(w.t, err)
	require.Equal(w.t, status, a.status, "%s %s: %s", method, path, a.body)
	return a
}

func (w *world) reward(id reward.ID, token string) shown {
	w.t.Helper()
	var s shown
	w.must(http.StatusOK, http.MethodGet, rewardPath(id), token, nil).into(w, &s)
	return s
}

func rewardPath(id reward.ID) string { return "/api/v1/rewards/" + id.String() }

// await waits until a reward has the status, and returns it. The process may
// not know the reward yet, or not serve.
func (w *world) await(within time.Duration, id reward.ID, status reward.Status, token string) shown {
	w.t.Helper()
	var s shown
	eventually(w.t, within, func() (string, bool) {
		a, err := w.ask(http.MethodGet, rewardPath(id), token, nil)
		if err != nil {
			return err.Error(), false
		}
		if a.status != http.StatusOK {
			return fmt.Sprintf("%d %s", a.status, a.body), false
		}
		s = shown{}
		a.into(w, &s)
		return fmt.Sprintf("reward %s is %s, not %s: %s", id, s.Status, status, s.Reason), s.Status == status
	})
	return s
}

// awaitAll waits until all rewards have the status.
func (w *world) awaitAll(within time.Duration, ids []reward.ID, status reward.Status) {
	w.t.Helper()
	deadline := time.Now().Add(within)
	for _, id := range ids {
		w.await(max(time.Until(deadline), time.Second), id, status, "")
	}
}

// decide sends a decision about what is shown now.
func (w *world) decide(id reward.ID, verdict reward.Verdict, token string) answer {
	w.t.Helper()
	a, err := w.ask(http.MethodPost, rewardPath(id)+"/decision", token, map[string]any{
		"decision": verdict, "digest": w.reward(id, token).Digest, "comment": "seen",
	})
	require.NoError(w.t, err)
	return a
}

// resolve sends an instruction until the workflow is free to take it.
func (w *world) resolve(id reward.ID, token string, instruction map[string]any) {
	w.t.Helper()
	eventually(w.t, soon, func() (string, bool) {
		a, err := w.ask(http.MethodPost, rewardPath(id)+"/resolve", token, instruction)
		require.NoError(w.t, err)
		if a.status == http.StatusConflict && bytes.Contains(a.body, []byte("try again")) {
			return string(a.body), false
		}
		require.Equal(w.t, http.StatusOK, a.status, "%s", a.body)
		return "", true
	})
}
