package nemesis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

const (
	// nameWithin is when every reward must have ended, or name what it waits for.
	nameWithin = time.Minute
	// moveWithin is when nothing may move by itself any more. A workflow that
	// had trouble again and again rests for up to five minutes, and a sweep looks
	// for what lost its workflow every two.
	moveWithin = 6 * time.Minute
)

// settle lets people decide what waits for them, and waits until every reward
// rests. What does not is in the evidence.
func (w *world) settle(ctx context.Context, e *evidence) error {
	began := time.Now()
	e.shows, e.late, e.stuck = map[reward.ID]detail{}, map[reward.ID]string{}, map[reward.ID]string{}
	never := e.neverOurs()
	open := slices.DeleteFunc(e.rewards(), func(id reward.ID) bool { return never[id] })
	var judged bool
	for ctx.Err() == nil {
		why := w.round(ctx, e, open)
		since := time.Since(began)
		if !judged && since >= nameWithin {
			judged = true
			why = w.judge(ctx, e, slices.Sorted(maps.Keys(why)))
		}
		if open = slices.Sorted(maps.Keys(why)); len(open) == 0 {
			break
		}
		if since >= moveWithin || (judged && len(e.late) > 0) {
			for id, words := range why {
				if _, told := e.late[id]; !told && since >= moveWithin {
					e.stuck[id] = words
				}
			}
			break
		}
		rest(ctx, time.Second)
	}
	w.note("settled", map[string]any{"seconds": time.Since(began).Seconds()})
	return ctx.Err()
}

// round asks about rewards one by one, and returns in words why some do not rest.
func (w *world) round(ctx context.Context, e *evidence, ids []reward.ID) map[reward.ID]string {
	why := map[reward.ID]string{}
	for _, id := range ids {
		if words := w.follow(ctx, e, id); words != "" {
			why[id] = words
		}
	}
	return why
}

// judge asks once more about what did not rest in the last round, which may have
// begun long ago, and keeps as late what names nothing that it waits for.
func (w *world) judge(ctx context.Context, e *evidence, moving []reward.ID) map[reward.ID]string {
	why := w.round(ctx, e, moving)
	for id, words := range why {
		if show, known := e.shows[id]; !known || len(show.WaitingFor) == 0 || show.Status == reward.Received {
			e.late[id] = words
		}
	}
	return why
}

// neverOurs returns the rewards that were completed by hand, or given up by
// FirstPromoter because no process could be reached, before one of their events was
// answered 2xx: nobody will send another, and nobody owes anything before then.
func (e *evidence) neverOurs() map[reward.ID]bool {
	never := map[reward.ID]bool{}
	for _, f := range e.facts {
		if f.By == "hand" {
			never[f.ID] = true
		}
	}
	for _, g := range e.givenUp() {
		if !e.reached(g.errors) {
			never[g.reward] = true
		}
	}
	for _, d := range e.wire {
		if d.Answer/100 == 2 {
			delete(never, d.Reward)
		}
	}
	return never
}

// follow looks at one reward, and has people decide what the schedule wants
// decided. It says in words why the reward does not rest; empty when it does.
func (w *world) follow(ctx context.Context, e *evidence, id reward.ID) string {
	var d detail
	status, err := w.ask(ctx, http.MethodGet, w.direct[0]+"/api/v1/rewards/"+id.String(), operator, nil, nil, &d)
	if status == http.StatusNotFound {
		return "rewardflow does not know it"
	}
	if err != nil {
		return "it could not be asked about: " + err.Error()
	}
	e.shows[id] = d
	switch d.Status {
	case reward.AwaitingApproval:
		if w.finish(ctx, d) {
			return "people have just decided about it"
		}
		return ""
	case reward.Quarantined, reward.Attention:
		// A close that FirstPromoter refused is tried again by itself, and a
		// reward that could not be verified as well.
		if strings.Contains(d.Reason, "will be told again") || strings.Contains(d.Reason, "will be asked again") {
			return "it is " + string(d.Status) + ": " + d.Reason
		}
		return ""
	case reward.Held:
		return ""
	}
	if d.Status.Final() {
		return ""
	}
	return fmt.Sprintf("it is %s: %s; it says that it waits for %v", d.Status, d.Reason, d.WaitingFor)
}

// finish has people decide a reward that waits for them, as the schedule wants
// it in the end, and reports whether they did.
func (w *world) finish(ctx context.Context, d detail) bool {
	for n, o := range w.s.Rewards {
		if w.idOf(n+1) != d.ID || o.Final == "" {
			continue
		}
		decided := false
		for _, who := range []string{"alice", "bob", "carol"} {
			seen, err := w.look(ctx, d.ID, who)
			if err != nil || seen.Status != reward.AwaitingApproval {
				continue
			}
			key := fmt.Sprintf("nemesis-final-%d-%s-%.8s", n+1, who, seen.Digest)
			if w.vote(ctx, d.ID, who, o.Final, seen.Digest, key) == http.StatusOK {
				decided = true
			}
		}
		return decided
	}
	return false
}

// collect asks rewardflow and Temporal for what the invariants allow to ask.
func (w *world) collect(ctx context.Context, e *evidence) error {
	for _, id := range e.rewards() {
		var d detail
		if err := w.get(ctx, w.direct[0]+"/api/v1/rewards/"+id.String(), &d); err == nil {
			e.shows[id] = d
		}
	}
	e.events = map[string]bool{}
	for cursor := ""; ; {
		var page struct {
			Events []struct {
				Type    string `json:"type"`
				EventID string `json:"event_id"`
			} `json:"events"`
			NextCursor string `json:"next_cursor"`
		}
		if err := w.get(ctx, w.direct[0]+"/api/v1/events?limit=500&cursor="+cursor, &page); err != nil {
			return fmt.Errorf("reading the delivery log: %w", err)
		}
		for _, ev := range page.Events {
			e.events[ev.Type+" "+ev.EventID] = true
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	return w.countFulfilments(ctx, e)
}

// listsFollow is longer than the lists of the embedded engine may be late.
const listsFollow = 2 * time.Second

func (w *world) countFulfilments(ctx context.Context, e *evidence) error {
	e.completed = map[reward.ID]int{}
	rest(ctx, listsFollow)
	done, err := w.executions(ctx, "WorkflowType = '"+workflows.FulfilmentType+"' AND ExecutionStatus = 'Completed'")
	if err != nil {
		return fmt.Errorf("counting fulfilments in Temporal: %w", err)
	}
	for _, x := range done {
		if id, ok := workflows.RewardOf(x.GetExecution().GetWorkflowId()); ok {
			e.completed[id]++
		}
	}
	return nil
}

// leaks searches everything that rewardflow and Temporal wrote for what must
// not be kept: the doubles' canaries, and the credentials.
func (w *world) leaks(ctx context.Context) ([]string, error) {
	var found []string
	words := map[string]string{
		simulator.Canary: "a value of an event that is on no list", webhookSecret: "the webhook's secret", apiKey: "FirstPromoter's key",
		providerSecret: "the provider's secret", token("alice"): "a person's token",
	}
	if w.s.Postgres {
		var err error
		if found, err = w.leaksInPostgres(ctx, words); err != nil {
			return nil, err
		}
	}
	for _, dir := range []string{w.dataDir(), w.temporalDir(), filepath.Join(w.dir, "logs")} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			for word, what := range words {
				if bytes.Contains(data, []byte(word)) {
					found = append(found, fmt.Sprintf("%s holds %s", strings.TrimPrefix(path, w.dir), what))
				}
			}
			return err
		})
		if err != nil {
			return found, err
		}
	}
	return found, nil
}
