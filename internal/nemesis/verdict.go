package nemesis

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Counts say what a run was made of, so that nobody takes a run in which little
// happened for one that showed much.
type Counts struct {
	Rewards     int            `json:"rewards"`
	Deliveries  int            `json:"deliveries"`
	Effects     int            `json:"effects"`
	Completed   int            `json:"completed"`
	Decisions   int            `json:"decisions"`
	Deaths      int            `json:"deaths"`
	Acts        map[string]int `json:"acts"`
	Statuses    map[string]int `json:"statuses"`
	SettledIn   float64        `json:"settled_seconds"`
	ActsFailed  int            `json:"acts_failed"`
	Unfulfilled int            `json:"not_ended"`
}

func count(e *evidence) Counts {
	c := Counts{
		Rewards: len(e.rewards()), Deliveries: len(e.wire), Decisions: len(e.decisions()),
		Acts: map[string]int{}, Statuses: map[string]int{},
	}
	for _, f := range e.effects {
		if f.paid() {
			c.Effects++
		}
	}
	completed := map[reward.ID]bool{}
	for _, f := range e.facts {
		if f.Kind == "updated" && f.Status == "completed" || f.Kind == "answered" && f.Answer == 200 && f.ID != 0 {
			completed[f.ID] = true
		}
	}
	c.Completed = len(completed)
	for _, d := range e.shows {
		c.Statuses[string(d.Status)]++
		if !d.Status.Final() {
			c.Unfulfilled++
		}
	}
	for _, h := range e.happened {
		switch h.What {
		case "ended":
			c.Deaths++
		case "act_failed":
			c.ActsFailed++
		case "settled":
			c.SettledIn, _ = h.More["seconds"].(float64)
		case "act":
			if act, ok := h.More["act"].(map[string]any); ok {
				c.Acts[fmt.Sprint(act["kind"])]++
			}
		}
	}
	return c
}

// Write prints the verdict for people.
func (v Verdict) Write(out io.Writer) {
	for _, b := range v.Broken {
		about := ""
		if b.Reward != 0 {
			about = fmt.Sprintf(" (reward %s)", b.Reward)
		}
		fmt.Fprintf(out, "\nBROKEN %s%s: %s\n", b.Invariant, about, b.Why)
		for _, l := range b.History {
			fmt.Fprintf(out, "    %s  %-13s  %s\n", stamp(l.At), l.From, l.What)
		}
	}
	c := v.Counts
	fmt.Fprintf(out, "\n%d rewards, %d deliveries, %d decisions; %d paid, %d completed; %d processes ended; at rest %.0f s after the faults\n",
		c.Rewards, c.Deliveries, c.Decisions, c.Effects, c.Completed, c.Deaths, c.SettledIn)
	fmt.Fprintf(out, "acts: %s\n", list(c.Acts))
	fmt.Fprintf(out, "rewards: %s\n", list(c.Statuses))
	name := fmt.Sprintf("seed %d", v.Seed)
	if v.Drill != "" {
		name = "drill " + v.Drill
	}
	if v.OK() {
		fmt.Fprintf(out, "%s on %s: no invariant is broken (%.0f s)\n", name, v.Database, v.Elapsed)
		return
	}
	fmt.Fprintf(out, "%s on %s: %d INVARIANTS BROKEN (%.0f s); books and logs: %s\n", name, v.Database, len(v.Broken), v.Elapsed, v.Dir)
}

func list(counts map[string]int) string {
	var words []string
	for name, n := range counts {
		words = append(words, fmt.Sprintf("%d %s", n, name))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
