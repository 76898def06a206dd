package report

import (
	"fmt"
	"strings"
)

// noise is how far two figures may be apart and still be called the same. Two
// runs on one machine differ by as much.
const noise = 1.1

// measure is one figure by which two contenders are compared.
type measure struct {
	of func(Row) float64
	// more says that more is better.
	more bool
	// words say it of the contender, with a factor of rewardflow's figure:
	// "1.5 times", "40%".
	words string
}

func measures() []measure {
	return []measure{
		{of: func(r Row) float64 { return r.accepted }, more: true, words: "accepts %s as many events a second"},
		{of: func(r Row) float64 { return r.fulfilled }, more: true, words: "fulfils %s as many rewards a second"},
		{of: func(r Row) float64 { return float64(r.p99) }, words: "answers in %s the time at p99"},
		{of: func(r Row) float64 { return float64(r.cost.Memory) }, words: "needs %s the memory"},
		{of: func(r Row) float64 { return max(r.cost.Bytes, 0) }, words: "keeps %s the bytes of a reward"},
		{of: recovery, words: "has recovered from the last kill in %s the time"},
	}
}

// recovery is zero, which is not compared, for who loses rewards.
func recovery(r Row) float64 {
	if r.killed == nil || r.killed.Lost > 0 {
		return 0
	}
	return float64(r.killed.Recovered)
}

// Comparison is how a peer stands against rewardflow on the same kind of
// database.
type Comparison struct {
	Title, Against string
	// Better is what the peer does better, Worse what it does worse, in words.
	Better, Worse string
	// Faster says that it fulfils more a second, or accepts more.
	Faster bool
	// Unsafe says what it loses or doubles under the kills; empty when nothing.
	Unsafe string
}

// Comparisons compares every peer.
func (r Report) Comparisons() []Comparison {
	var all []Comparison
	rows := r.Rows()
	for _, peer := range rows {
		if peer.ours || peer.Skipped != "" {
			continue
		}
		if ours, ok := likeFor(rows, peer); ok {
			all = append(all, compare(peer, ours))
		}
	}
	return all
}

// likeFor finds rewardflow on the database that a peer has; on SQLite when it
// did not run there.
func likeFor(rows []Row, peer Row) (Row, bool) {
	var found Row
	ok := false
	for _, row := range rows {
		if !row.ours || row.Skipped != "" {
			continue
		}
		if row.postgres == peer.postgres {
			return row, true
		}
		if !ok {
			found, ok = row, true
		}
	}
	return found, ok
}

func compare(peer, ours Row) Comparison {
	c := Comparison{Title: peer.Title, Against: ours.Title}
	var better, worse []string
	for i, m := range measures() {
		its, our := m.of(peer), m.of(ours)
		if its <= 0 || our <= 0 {
			continue
		}
		words := fmt.Sprintf(m.words, factor(its/our, m.more))
		switch {
		case its/our < noise && our/its < noise:
		case (its > our) == m.more:
			better = append(better, words)
			c.Faster = c.Faster || i < 2
		default:
			worse = append(worse, words)
		}
	}
	c.Better, c.Worse, c.Unsafe = sentence(better), sentence(worse), peer.unsafe()
	return c
}

func (r Row) unsafe() string {
	if r.safe {
		return ""
	}
	var words []string
	if r.killed.Lost > 0 {
		words = append(words, fmt.Sprintf("loses %d of %d rewards that it had accepted", r.killed.Lost, r.killed.Rewards))
	}
	if r.killed.PaidTwice > 0 {
		words = append(words, fmt.Sprintf("pays %d of %d rewards twice", r.killed.PaidTwice, r.killed.Rewards))
	}
	return sentence(words)
}

// factor says a ratio: "1.5 times", "40% of", and of counts "40%".
func factor(ratio float64, counts bool) string {
	if ratio >= 1 {
		return times(ratio) + " times"
	}
	percent := fmt.Sprintf("%.0f%%", 100*ratio)
	if ratio < 0.01 {
		percent = "less than 1%"
	}
	if counts {
		return percent
	}
	return percent + " of"
}

func times(ratio float64) string { return fmt.Sprintf("%.1f", ratio) }

func sentence(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// Faster names the peers that are faster, with what rewardflow they were
// compared to.
func (r Report) Faster() []Comparison {
	var faster []Comparison
	for _, c := range r.Comparisons() {
		if c.Faster {
			faster = append(faster, c)
		}
	}
	return faster
}

// Plain compares rewardflow with the plain workflow on the same engine; empty
// when one of the two did not run.
func (r Report) Plain() string {
	var ours, plain *Row
	for i, row := range r.Rows() {
		if row.Skipped != "" {
			continue
		}
		switch r.Results[i].Contender.Name {
		case "ours":
			ours = &row
		case "plain":
			plain = &row
		}
	}
	if ours == nil || plain == nil {
		return ""
	}
	return fmt.Sprintf("On the same embedded engine rewardflow fulfils %s times as many rewards a second as a plain workflow of two activities, with %s Temporal actions and %s history events for each instead of %s and %s, and accepts %s times as many events a second as `ExecuteWorkflow` does.",
		times(ours.fulfilled/plain.fulfilled), ours.Actions(), ours.Events(), plain.Actions(), plain.Events(), times(ours.accepted/plain.accepted))
}

// Accepts says against whom rewardflow accepts more events a second; empty when
// against nobody.
func (r Report) Accepts() string {
	var slower []string
	rows := r.Rows()
	for _, peer := range rows {
		if ours, ok := likeFor(rows, peer); ok && !peer.ours && peer.Skipped == "" && ours.accepted > noise*peer.accepted {
			slower = append(slower, fmt.Sprintf("%s (%s times)", peer.Title, times(ours.accepted/peer.accepted)))
		}
	}
	if len(slower) == 0 {
		return ""
	}
	return "rewardflow accepts more events a second than " + sentence(slower) + "."
}

// Safety says who lost or doubled a reward under the kills.
func (r Report) Safety() string {
	var unsafe, safe []string
	for _, row := range r.Rows() {
		switch {
		case row.Skipped != "" || row.killed == nil:
		case row.safe:
			safe = append(safe, row.Title)
		default:
			unsafe = append(unsafe, row.Title+" "+row.unsafe())
		}
	}
	var words []string
	if len(safe) > 0 {
		words = append(words, "Nothing is lost and nobody is paid twice by "+sentence(safe)+".")
	}
	for _, u := range unsafe {
		words = append(words, strings.ToUpper(u[:1])+u[1:]+".")
	}
	return strings.Join(words, " ")
}

// Again says whose payout requests reach the provider once more.
func (r Report) Again() string {
	var with, without []string
	for _, row := range r.Rows() {
		switch {
		case row.Skipped != "" || row.killed == nil:
		case row.killed.SentAgain > 0:
			with = append(with, fmt.Sprintf("%s (%d)", row.Title, row.killed.SentAgain))
		default:
			without = append(without, row.Title)
		}
	}
	words := ""
	if len(with) > 0 {
		words = "Payouts that had been made were asked for again by " + sentence(with) + ": a provider that recognises the key pays nothing for them, one that does not, or no longer, pays once more for each."
	}
	if len(without) > 0 {
		words = strings.TrimSpace(words + " None was asked for again by " + sentence(without) + ".")
	}
	return words
}
