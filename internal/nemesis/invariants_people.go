package nemesis

import (
	"fmt"
	"slices"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// approvedEffect judges every effect by the oracle's own reading of the policy,
// by what FirstPromoter held, by what people were shown, and by what they said.
func approvedEffect(e *evidence) (broken []Broken) {
	for _, f := range e.effects {
		if !f.paid() {
			continue
		}
		if why := e.unapproved(f); why != "" {
			broken = append(broken, Broken{Reward: f.Reward, Why: why})
		}
	}
	return broken
}

// unapproved says why an effect should not have been; empty where it was right.
func (e *evidence) unapproved(f effect) string {
	q := quantity{f.Quantity.Amount, f.Quantity.Unit}
	if !slices.ContainsFunc(e.records(f.Reward, f.At), func(r record) bool {
		return r.quantity() == q && r.Promoter.ID == f.Promoter && r.Promoter.CustID == f.Cust
	}) {
		return fmt.Sprintf("%d %s went to customer %q of promoter %d, which FirstPromoter never owed", q.Amount, q.Unit, f.Cust, f.Promoter)
	}
	if q.Unit == reward.Cash && f.Quantity.Currency != "USD" {
		return fmt.Sprintf("cash was paid in %q", f.Quantity.Currency)
	}
	rule := ruleFor(q)
	switch {
	case rule.refuse:
		return fmt.Sprintf("%d %s were paid, which the policy refuses", q.Amount, q.Unit)
	case rule.pay:
		return ""
	}
	if who := e.rejectedBefore(f); who != "" {
		return who + " had rejected it"
	}
	if approvers := e.approversOf(f, rule.role); len(approvers) < rule.approvals {
		return fmt.Sprintf("%d %s need %d approvals, and could have had those of %v", q.Amount, q.Unit, rule.approvals, approvers)
	}
	return ""
}

// said is one decision: what was sent, and the last word of an answer.
type said struct {
	spoken

	answer int
}

// decisions joins each decision's lines.
func (e *evidence) decisions() []said {
	var all []said
	at := map[string]int{}
	for _, s := range e.spoken {
		n, known := at[s.Key]
		if !known {
			at[s.Key] = len(all)
			all = append(all, said{spoken: s, answer: s.Answer})
			continue
		}
		// A decision is said once, however often it was sent: one answer that it
		// counts is enough.
		if s.Answer == 200 || all[n].answer <= 0 {
			all[n].answer = s.Answer
		}
	}
	return all
}

// approversOf returns the people whose approval may have counted for an effect:
// they hold the role, said yes before it to exactly what was paid, and were not
// told that it does not count. Who got no answer may have been heard.
func (e *evidence) approversOf(f effect, role string) []string {
	var names []string
	for _, d := range e.decisions() {
		counts := d.answer == 200 || d.answer <= 0 || d.answer >= 500
		if d.Reward == f.Reward && d.Lane == "api" && d.Verdict == reward.Approve && counts && holds(d.Who, role) &&
			d.At.Before(f.At) && e.wasShown(d.Digest, f) {
			names = append(names, d.Who)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// wasShown reports whether a digest stood for what was paid.
func (e *evidence) wasShown(digest reward.Digest, f effect) bool {
	return digest != "" && slices.ContainsFunc(e.shown, func(s shown) bool {
		return s.Digest == digest && s.Reward == f.Reward && s.Promoter == f.Promoter && s.Cust == f.Cust &&
			s.Quantity == quantity{f.Quantity.Amount, f.Quantity.Unit}
	})
}

// rejectedBefore returns who was told, before the effect, that a rejection of
// just that counts. A reward that changes asks again, as after an approval: who
// rejected what it was has said nothing of what it is.
func (e *evidence) rejectedBefore(f effect) string {
	for _, s := range e.spoken {
		if s.Reward == f.Reward && s.Lane == "api" && s.Verdict == reward.Reject && s.Answer == 200 && s.At.Before(f.At) &&
			e.wasShown(s.Digest, f) {
			return s.Who
		}
	}
	return ""
}

// decisionsOnce looks for every decision in the record: once where an answer
// said that it is there, never twice, and none that nobody made. Its comment
// carries the key.
func decisionsOnce(e *evidence) (broken []Broken) {
	known := map[string]bool{}
	for _, d := range e.decisions() {
		known[d.Key] = true
		show, ok := e.shows[d.Reward]
		if !ok {
			continue
		}
		times := 0
		for _, r := range show.Decisions {
			if r.Comment == d.Key {
				times++
			}
		}
		// 200 says that it counts, and 409 that it is recorded and does not.
		must := d.Lane == "api" && (d.answer == 200 || d.answer == 409)
		switch {
		case times > 1:
			broken = append(broken, Broken{Reward: d.Reward, Why: fmt.Sprintf("%s's decision %s is in the record %d times", d.Who, d.Key, times)})
		case must && times == 0:
			broken = append(broken, Broken{Reward: d.Reward, Why: fmt.Sprintf("%s's decision %s was answered %d and is not in the record", d.Who, d.Key, d.answer)})
		}
	}
	for id, show := range e.shows {
		for _, r := range show.Decisions {
			if !known[r.Comment] {
				broken = append(broken, Broken{Reward: id, Why: fmt.Sprintf("the record holds a decision by %s that nobody made", r.By)})
			}
			if r.Counted && !r.Verified {
				broken = append(broken, Broken{Reward: id, Why: fmt.Sprintf("a decision in the name of %s that proves no identity counted", r.By)})
			}
		}
	}
	return sorted(broken)
}
