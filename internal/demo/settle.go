package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// patience is how long a demo waits for its rewards to rest.
const patience = 3 * time.Minute

// settle decides what waits, like a team would, until every reward rests: it
// has ended, or it waits for a person who should look into it.
func (d *Demo) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	asked := map[string]bool{} // What was decided already, by reward and round.
	for {
		records, err := d.everything(ctx)
		if err != nil {
			return err
		}
		var moving []string
		for _, rec := range records {
			if rests(rec) {
				continue
			}
			moving = append(moving, fmt.Sprintf("%s is %s", rec.Reward.ID, rec.Status))
			if err := d.act(ctx, rec, asked); err != nil {
				return err
			}
		}
		if len(moving) == 0 {
			return nil
		}
		wait(ctx, 100*time.Millisecond)
		if ctx.Err() != nil {
			return fmt.Errorf("the demo was interrupted or took longer than %s: %s", patience, strings.Join(moving, ", "))
		}
	}
}

// rests reports whether nothing will happen to a reward before a person looks
// into it.
func rests(rec ledger.Record) bool {
	return rec.Status.Final() || rec.Status == reward.Quarantined || rec.Status == reward.Attention && !paid(rec)
}

func paid(rec ledger.Record) bool { return !rec.Closing.PaidAt.IsZero() }

// act does what a team would do about a reward: two colleagues approve, one by
// the API and one from the Temporal UI, and somebody delivers by hand.
func (d *Demo) act(ctx context.Context, rec ledger.Record, asked map[string]bool) error {
	id := rec.Reward.ID
	switch rec.Status {
	case reward.AwaitingApproval:
		if once(asked, id.String()+string(rec.Digest)) {
			return d.post(ctx, id, "decision", map[string]string{
				"decision": "approve", "digest": string(rec.Digest), "comment": "looks right",
			})
		}
		if rec.Approvals > 1 && once(asked, id.String()+string(rec.Digest)+"second") {
			return d.process.Temporal().SignalWorkflow(ctx, workflows.FulfilmentID(id), "", workflows.SignalApprove,
				workflows.Vote{By: "a colleague", Digest: rec.Digest})
		}
	case reward.Settling:
		p, err := d.process.Ledger().Payout(ctx, id)
		if err != nil || p.Provider != "people" || !once(asked, id.String()+"paid") {
			return err
		}
		return d.post(ctx, id, "resolve", map[string]string{"action": "paid", "reference": "demo-" + id.String()})
	default:
	}
	return nil
}

// once reports whether something is asked for the first time.
func once(asked map[string]bool, what string) bool {
	first := !asked[what]
	asked[what] = true
	return first
}

// post calls the operator API, as the command line does. A refusal because the
// workflow is busy is tried again with the next look.
func (d *Demo) post(ctx context.Context, id reward.ID, what string, body any) error {
	payload, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("writing a request: %w", err)
	}
	url := fmt.Sprintf("%s/api/v1/rewards/%s/%s", d.process.URL(), id, what)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(payload))
		if err != nil {
			return fmt.Errorf("making a request: %w", err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("calling the operator API: %w", err)
		}
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		resp.Body.Close()
		switch {
		case resp.StatusCode < http.StatusMultipleChoices:
			return nil
		case resp.StatusCode == http.StatusConflict || resp.StatusCode == http.StatusServiceUnavailable:
			if wait(ctx, 200*time.Millisecond); ctx.Err() == nil && bytes.Contains(answer, []byte("try again")) {
				continue
			}
		}
		return fmt.Errorf("the operator API answered %d to %s of reward %s: %s", resp.StatusCode, what, id, answer)
	}
}

// everything returns all rewards that the ledger holds, newest first.
func (d *Demo) everything(ctx context.Context) ([]ledger.Record, error) {
	var all []ledger.Record
	filter := ledger.Filter{Limit: 500}
	for {
		page, err := d.process.Ledger().ListRewards(ctx, filter)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < filter.Limit {
			return slices.Clip(all), nil
		}
		last := page[len(page)-1]
		filter.Before = ledger.Cursor{ReceivedAt: last.ReceivedAt, ID: last.Reward.ID}
	}
}
