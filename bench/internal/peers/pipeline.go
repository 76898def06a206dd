package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Pipeline makes the three calls that every peer makes for a reward. They are
// the calls that rewardflow makes, too.
type Pipeline struct {
	// FirstPromoter is the base URL of its v1 API, Provider takes payouts.
	FirstPromoter, Provider string

	http *http.Client
}

// NewPipeline returns a pipeline that keeps its connections.
func NewPipeline(firstPromoter, provider string) *Pipeline {
	return &Pipeline{
		FirstPromoter: firstPromoter, Provider: provider,
		http: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: time.Minute}},
	}
}

// ErrDiffers says that FirstPromoter owes something else than the event says.
var ErrDiffers = errors.New("FirstPromoter's record differs from the event")

// Verify reads the reward back from FirstPromoter, because the event is not
// signed. It reports whether the reward is completed already.
func (p *Pipeline) Verify(ctx context.Context, r Reward) (completed bool, err error) {
	query := url.Values{"promoter_id": {strconv.FormatInt(r.PromoterID, 10)}}
	var page []struct {
		ID       int64
		Status   string
		Amount   int64
		Unit     string
		Promoter struct{ ID int64 }
		Campaign struct{ ID int64 }
	}
	if err := p.call(ctx, http.MethodGet, p.FirstPromoter+"/payouts/list?"+query.Encode(), nil, nil, &page); err != nil {
		return false, fmt.Errorf("verifying: %w", err)
	}
	for _, owed := range page {
		if owed.ID != r.ID {
			continue
		}
		if owed.Amount != r.Amount || owed.Unit != r.Unit || owed.Promoter.ID != r.PromoterID || owed.Campaign.ID != r.CampaignID {
			return false, fmt.Errorf("verifying: %w", ErrDiffers)
		}
		return owed.Status == "completed", nil
	}
	return false, fmt.Errorf("verifying: %w", ErrDiffers)
}

// Pay asks the provider for the payout, under a key that is made of the
// reward's ID and nothing else, and returns the provider's reference. The body
// is the same on every try.
func (p *Pipeline) Pay(ctx context.Context, r Reward) (reference string, err error) {
	body, err := json.Marshal(map[string]any{
		"type": "reward.payout",
		"data": map[string]any{
			"key": r.Key(), "reward": map[string]any{"id": r.ID},
			"quantity": map[string]any{"amount": r.Amount, "unit": r.Unit}, "promoter": map[string]any{"id": r.PromoterID},
			"campaign": map[string]any{"id": r.CampaignID},
		},
	})
	if err != nil {
		return "", err
	}
	var paid struct{ Status, Reference string }
	header := http.Header{"Content-Type": {"application/json"}, "Webhook-Id": {r.Key()}}
	if err := p.call(ctx, http.MethodPost, p.Provider, header, body, &paid); err != nil {
		return "", fmt.Errorf("paying: %w", err)
	}
	if paid.Status != "fulfilled" {
		return "", fmt.Errorf("paying: the provider says %q", paid.Status)
	}
	return paid.Reference, nil
}

// Finish tells FirstPromoter that the reward is fulfilled.
func (p *Pipeline) Finish(ctx context.Context, r Reward) error {
	form := url.Values{"id": {strconv.FormatInt(r.ID, 10)}, "status": {"completed"}}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	var record struct{ Status string }
	if err := p.call(ctx, http.MethodPut, p.FirstPromoter+"/payouts/update", header, []byte(form.Encode()), &record); err != nil {
		return fmt.Errorf("closing: %w", err)
	}
	if record.Status != "completed" {
		return fmt.Errorf("closing: FirstPromoter says %q", record.Status)
	}
	return nil
}

func (p *Pipeline) call(ctx context.Context, method, target string, header http.Header, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if header != nil {
		req.Header = header
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s", resp.StatusCode, strings.TrimSpace(string(answer)))
	}
	return json.Unmarshal(answer, into)
}
