package nemesis

import (
	"fmt"
	"strings"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// history is what happened to a reward, from all books, in the order of time.
func (e *evidence) history(id reward.ID) []line {
	var all []line
	for _, f := range e.facts {
		if f.ID == id {
			all = append(all, line{f.At, "FirstPromoter", f.words()})
		}
	}
	for _, d := range e.wire {
		if d.Reward == id && d.Copy {
			all = append(all, line{d.At, "network", fmt.Sprintf("delivered event %d once more to %s: %d", d.EventID, d.To, d.Answer)})
		}
	}
	for _, f := range e.effects {
		if f.Reward == id {
			all = append(all, line{f.At, "provider", fmt.Sprintf("%s: %d %s to %s under %s", f.Status, f.Quantity.Amount, f.Quantity.Unit, f.Cust, f.Key)})
		}
	}
	all = append(all, e.requestsOf(id)...)
	for _, s := range e.spoken {
		if s.Reward == id {
			all = append(all, line{s.At, "people", s.words()})
		}
	}
	for _, h := range e.happened {
		if words, ok := h.about(id); ok {
			all = append(all, line{h.At, "nemesis", words})
		}
	}
	sortLines(all)
	if show, ok := e.shows[id]; ok {
		all = append(all, line{show.UpdatedAt, "rewardflow", fmt.Sprintf("shows it as %s: %s; waiting for %v", show.Status, show.Reason, show.WaitingFor)})
	}
	return all
}

func (e *evidence) requestsOf(id reward.ID) []line {
	var all []line
	ours := map[int64]string{}
	for _, r := range e.requests {
		if r.Method != "" && rewardOf(r.Key) == id {
			ours[r.Number] = r.Method
			all = append(all, line{r.At, "provider", fmt.Sprintf("request %d: %s %s", r.Number, r.Method, r.Key)})
			continue
		}
		if method, ok := ours[r.Number]; ok && r.Method == "" {
			all = append(all, line{r.At, "provider", fmt.Sprintf("request %d: %s answered %d, whole: %v", r.Number, method, r.Answer, r.Whole)})
		}
	}
	return all
}

func (f fact) words() string {
	words := f.Kind
	if f.Record != nil {
		words += fmt.Sprintf(" %d %s for %s", f.Record.Amount, f.Record.Unit, f.Record.Promoter.CustID)
	}
	if f.EventID != 0 {
		words += fmt.Sprintf(" event %d (delivery %d)", f.EventID, f.Delivery)
	}
	if f.Forged {
		words += ", forged"
	}
	if f.Kind == "answered" {
		words += fmt.Sprintf(" delivery %d: %d %s", f.Delivery, f.Answer, f.Problem)
	}
	if f.Status != "" {
		words += " " + f.Status + " by " + f.By
	}
	return strings.TrimSpace(words)
}

func (s spoken) words() string {
	if s.Answer != 0 {
		return fmt.Sprintf("%s was answered %d", s.Key, s.Answer)
	}
	return fmt.Sprintf("%s says %s by %s with digest %.8s as %s", s.Who, s.Verdict, s.Lane, s.Digest, s.Key)
}

// about says whether a happening concerns a reward: an act on it, or whatever
// was done to the world.
func (h happening) about(id reward.ID) (string, bool) {
	switch h.What {
	case "act":
		act, _ := h.More["act"].(map[string]any)
		if of, _ := h.More["reward"].(float64); of != 0 && reward.ID(of) != id {
			return "", false
		}
		if act["kind"] == string(Notice) || act["kind"] == string(Malformed) || act["kind"] == string(WrongURL) {
			return "", false
		}
		return fmt.Sprintf("does %v", compact(act)), true
	case "started", "ended", "stands_still":
		return fmt.Sprintf("%s %v (pid %v) %v", h.What, h.More["slot"], h.More["pid"], compactList(h.More["armed"])), true
	}
	return fmt.Sprintf("%s %v", h.What, h.More), true
}

func compact(act map[string]any) string {
	var words []string
	for _, key := range []string{"kind", "slot", "wire", "point", "n", "how", "who", "verdict", "amount", "which", "for"} {
		if v, ok := act[key]; ok {
			if key == "for" {
				seconds, _ := v.(float64)
				v = fmt.Sprintf("for %.1fs", seconds/1e9)
			}
			words = append(words, fmt.Sprint(v))
		}
	}
	return strings.Join(words, " ")
}

func compactList(v any) string {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return ""
	}
	return fmt.Sprint(list...)
}
