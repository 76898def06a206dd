package nemesis

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// shown is a line of the book of what people were shown.
type shown struct {
	At       time.Time     `json:"at"`
	Reward   reward.ID     `json:"reward"`
	Who      string        `json:"who"`
	Digest   reward.Digest `json:"digest"`
	Quantity quantity      `json:"quantity"`
	Promoter int64         `json:"promoter"`
	Cust     string        `json:"cust"`
}

// spoken is a line of the book of decisions: one before it is sent, and one
// more with the answer.
type spoken struct {
	At      time.Time      `json:"at"`
	Key     string         `json:"key"`
	Reward  reward.ID      `json:"reward"`
	Who     string         `json:"who,omitempty"`
	Verdict reward.Verdict `json:"verdict,omitempty"`
	Digest  reward.Digest  `json:"digest,omitempty"`
	Lane    string         `json:"lane"`
	// Answer is the status; zero on the first line, and -1 where no answer came.
	Answer int `json:"answer,omitempty"`
}

// probed is a line of the book of what no genuine event looks like.
type probed struct {
	At     time.Time `json:"at"`
	Which  string    `json:"which"`
	Answer int       `json:"answer"`
}

// detail is what the API shows of a reward, as far as the nemesis reads it.
type detail struct {
	ID       reward.ID       `json:"id"`
	Status   reward.Status   `json:"status"`
	Reason   string          `json:"reason"`
	Quantity reward.Quantity `json:"quantity"`
	Promoter reward.Promoter `json:"promoter"`
	Digest   reward.Digest   `json:"digest"`

	WaitingFor []string  `json:"waiting_for"`
	NextTimer  time.Time `json:"next_timer"`
	UpdatedAt  time.Time `json:"updated_at"`
	Decisions  []struct {
		ID       string         `json:"id"`
		Decision reward.Verdict `json:"decision"`
		By       string         `json:"by"`
		Verified bool           `json:"verified"`
		Counted  bool           `json:"counted"`
		Comment  string         `json:"comment"`
	} `json:"decisions"`
}

// api returns the API that somebody speaks to, each person to another one.
func (w *world) api(who string) string { return w.urls[len(who)%len(w.urls)] }

// look shows a reward to a person, who remembers the digest.
func (w *world) look(ctx context.Context, id reward.ID, who string) (detail, error) {
	var d detail
	reader := who
	if !holds(who, "viewer") && who == "mallory" {
		reader = operator // She has seen it over somebody's shoulder.
	}
	if _, err := w.ask(ctx, http.MethodGet, w.api(who)+"/api/v1/rewards/"+id.String(), reader, nil, nil, &d); err != nil {
		return d, err
	}
	if d.Digest == "" {
		return d, nil
	}
	err := w.shown.write(shown{
		At: time.Now().UTC(), Reward: id, Who: who, Digest: d.Digest,
		Quantity: quantity{d.Quantity.Amount, d.Quantity.Unit}, Promoter: d.Promoter.ID, Cust: d.Promoter.CustID,
	})
	w.mu.Lock()
	w.digests[who+" "+id.String()] = d.Digest
	w.mu.Unlock()
	return d, err
}

// decide has a person look and decide. Where the reward does not wait for
// people yet, the person comes back, until the run is over.
func (w *world) decide(ctx, run context.Context, a Act, id reward.ID) error {
	w.mu.Lock()
	digest := w.digests[a.Who+" "+id.String()]
	w.mu.Unlock()
	if !a.Stale || digest == "" {
		for {
			d, err := w.look(ctx, id, a.Who)
			if err == nil && (d.Status == reward.AwaitingApproval || d.Status.Final()) {
				digest = d.Digest
				break
			}
			if rest(run, 1500*time.Millisecond); run.Err() != nil {
				return nil
			}
		}
	}
	key := fmt.Sprintf("nemesis-%d-%s-%d", a.Reward, a.Who, w.said.Add(1))
	times := 1
	if a.Again {
		times = 2
	}
	for range times {
		w.vote(ctx, id, a.Who, a.Verdict, digest, key)
	}
	return nil
}

// vote sends one decision, and writes down that it was said and what the
// answer was.
func (w *world) vote(ctx context.Context, id reward.ID, who string, v reward.Verdict, digest reward.Digest, key string) int {
	said := spoken{At: time.Now().UTC(), Key: key, Reward: id, Who: who, Verdict: v, Digest: digest, Lane: "api"}
	if err := w.spoken.write(said); err != nil {
		return 0
	}
	status, err := w.ask(ctx, http.MethodPost, w.api(who)+"/api/v1/rewards/"+id.String()+"/decision", who,
		map[string]string{"Idempotency-Key": key}, map[string]any{"decision": v, "digest": digest, "comment": key}, nil)
	if status == 0 && err != nil {
		status = -1
	}
	said.At, said.Answer = time.Now().UTC(), status
	_ = w.spoken.write(said)
	return status
}

// signal sends a decision as the Temporal UI would, which proves no identity.
func (w *world) signal(ctx context.Context, a Act, id reward.ID) error {
	key := fmt.Sprintf("nemesis-signal-%d-%d", a.Reward, w.said.Add(1))
	if err := w.spoken.write(spoken{At: time.Now().UTC(), Key: key, Reward: id, Who: a.Who, Verdict: a.Verdict, Lane: "signal"}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	name := workflows.SignalApprove
	if a.Verdict == reward.Reject {
		name = workflows.SignalReject
	}
	return c.SignalWorkflow(ctx, workflows.FulfilmentID(id), "", name, workflows.Vote{By: a.Who, Comment: key})
}

// brake pauses everything for a while. Whatever happens, it is let go again.
func (w *world) brake(ctx context.Context, length time.Duration) error {
	set := func(paused bool) error {
		var err error
		for range 20 {
			for _, url := range w.urls {
				if _, err = w.ask(ctx, http.MethodPut, url+"/api/v1/brake", operator, nil, map[string]any{"scope": "all", "paused": paused, "reason": "the nemesis"}, nil); err == nil {
					return nil
				}
			}
			rest(ctx, time.Second)
		}
		return err
	}
	if err := set(true); err != nil {
		return err
	}
	rest(ctx, length)
	return set(false)
}

// probe sends what is no event, or what comes by another URL than ours.
func (w *world) probe(ctx context.Context, a Act) error {
	url := w.urls[0] + "/webhooks/firstpromoter/"
	body, which := probeBody(a.Which), a.Which
	if a.Kind == WrongURL {
		url, which = url+strings.Repeat("x", 40), "wrong_url"
		body = `{"event":{"id":1,"type":"fulfilment_pending"},"data":{"id":99,"status":"pending","amount":1,"unit":"credits"}}`
	} else {
		url += webhookSecret
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.http.Do(req)
	if err != nil {
		return nil // No answer is no answer that could be wrong.
	}
	defer resp.Body.Close()
	return w.probes.write(probed{At: time.Now().UTC(), Which: which, Answer: resp.StatusCode})
}

func probeBody(which string) string {
	switch which {
	case "not_json":
		return "this is no JSON"
	case "no_type":
		return `{"event":{"id":5},"data":{"id":7}}`
	case "no_id":
		return `{"event":{"id":6,"type":"fulfilment_pending"},"data":{"amount":3,"unit":"credits"}}`
	case "huge":
		return `{"event":{"id":7,"type":"lead_signup"},"data":{"note":"` + strings.Repeat("x", 2<<20) + `"}}`
	}
	return ""
}
