package nemesis

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// tell makes FirstPromoter's double do something.
func (w *world) tell(c command) (reward.ID, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return 0, err
	}
	resp, err := w.http.Post(w.control, "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("FirstPromoter's double answered %d to %s", resp.StatusCode, c.Do)
	}
	var out struct{ ID reward.ID }
	return out.ID, json.NewDecoder(resp.Body).Decode(&out)
}

// awaitReady waits until every API stores events and reaches Temporal.
func (w *world) awaitReady(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for _, url := range w.direct {
		for !w.ready(ctx, url) {
			if rest(ctx, 100*time.Millisecond); ctx.Err() != nil {
				return fmt.Errorf("the API at %s is not ready after %s: see the logs in %s", url, within, w.dir)
			}
		}
	}
	return nil
}

func (w *world) ready(ctx context.Context, url string) bool {
	var state struct {
		Ready    bool
		Temporal struct{ Reachable bool }
	}
	return w.get(ctx, url+"/readyz", &state) == nil && state.Ready && state.Temporal.Reachable
}

// get reads one document as the operator.
func (w *world) get(ctx context.Context, url string, into any) error {
	_, err := w.ask(ctx, http.MethodGet, url, operator, nil, nil, into)
	return err
}

var errStatus = errors.New("the answer is no success")

// ask sends one request, and returns the status; zero where no answer came.
func (w *world) ask(ctx context.Context, method, url, who string, header map[string]string, body, into any) (int, error) {
	var payload bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&payload).Encode(body); err != nil {
			return 0, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, url, &payload)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token(who))
	req.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return resp.StatusCode, fmt.Errorf("%w: %d", errStatus, resp.StatusCode)
	}
	if into == nil {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, json.NewDecoder(resp.Body).Decode(into)
}
