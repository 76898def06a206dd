package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// maxPicked is how many rewards may be approved at once.
const maxPicked = 200

// sum is what many rewards come to in one unit.
type sum struct {
	Unit   string
	Amount int64
	Count  int
}

// approvePage asks once more before many rewards are approved.
type approvePage struct {
	Rows []row
	Sums []sum
	// Typed is the count that must be typed; zero asks for none.
	Typed int
	// Changed are rewards that are not what the list showed, or wait for
	// nobody any more.
	Changed []row
	Once    string
	Failed  string
	Comment string
}

// approvedPage says what became of each.
type approvedPage struct {
	Results []result
	Counted int
	Sums    []sum
}

type result struct {
	row

	Counted bool
	Tally   ledger.Tally
	Refusal string
}

// picked is a reward and what the person was shown of it.
type picked struct {
	id     reward.ID
	digest reward.Digest
}

func picksOf(r *http.Request) ([]picked, error) {
	if err := r.ParseForm(); err != nil {
		return nil, invalid("the form could not be read")
	}
	var picks []picked
	for _, value := range r.PostForm["pick"] {
		number, digest, _ := strings.Cut(value, ":")
		id, err := reward.ParseID(number)
		if err != nil || digest == "" {
			return nil, invalid("the form names something that is no reward of the list: open the list again")
		}
		if !slices.ContainsFunc(picks, func(p picked) bool { return p.id == id }) {
			picks = append(picks, picked{id, reward.Digest(digest)})
		}
	}
	switch {
	case len(picks) == 0:
		return nil, invalid("no reward is selected")
	case len(picks) > maxPicked:
		return nil, invalid(fmt.Sprintf("more than %d rewards are selected", maxPicked))
	}
	return picks, nil
}

// confirmMany shows what would be approved, with the sum of each unit.
func (c *Console) confirmMany(w http.ResponseWriter, r *http.Request, v visit) error {
	picks, err := picksOf(r)
	if err != nil {
		return err
	}
	return c.askAgain(w, r, v, picks, http.StatusOK, "")
}

func (c *Console) askAgain(w http.ResponseWriter, r *http.Request, v visit, picks []picked, status int, failed string) error {
	page := approvePage{Once: r.PostFormValue("once"), Failed: failed, Comment: r.PostFormValue("comment")}
	if page.Once == "" {
		page.Once = newOnce()
	}
	for _, p := range picks {
		rec, err := c.ledger.Reward(r.Context(), p.id)
		if err != nil {
			return err
		}
		shown := row{Record: rec, Pick: p.id.String() + ":" + string(p.digest), URL: Root + "rewards/" + p.id.String()}
		if rec.Digest != p.digest || rec.Status != reward.AwaitingApproval && rec.Status != reward.Held {
			page.Changed = append(page.Changed, shown)
			continue
		}
		page.Rows = append(page.Rows, shown)
	}
	page.Sums = sumsOf(page.Rows)
	if len(page.Rows) > reward.TypedAbove {
		page.Typed = len(page.Rows)
	}
	c.pages.render(w, status, "approve", c.view(v, "Approve "+counted(len(page.Rows), "reward"), page).at("inbox"))
	return nil
}

// approveMany approves what was confirmed, each reward by a decision of its own.
func (c *Console) approveMany(w http.ResponseWriter, r *http.Request, v visit) error {
	picks, err := picksOf(r)
	if err != nil {
		return err
	}
	if typed := strings.TrimSpace(r.PostFormValue("count")); len(picks) > reward.TypedAbove && typed != strconv.Itoa(len(picks)) {
		return c.askAgain(w, r, v, picks, http.StatusBadRequest,
			fmt.Sprintf("Nothing was approved: type %d to approve %s.", len(picks), counted(len(picks), "reward")))
	}
	comment, err := text(r, "comment", maxComment)
	if err != nil {
		return err
	}
	decisions := make([]reward.Decision, 0, len(picks))
	for _, p := range picks {
		decisions = append(decisions, c.made(v, p.id, reward.Approve, p.digest, comment, r.PostFormValue("once")))
	}
	tallies, errs := c.desk.DecideAll(r.Context(), decisions)
	page := approvedPage{}
	var done []row
	for i, p := range picks {
		res := result{row: row{URL: Root + "rewards/" + p.id.String()}, Tally: tallies[i]}
		if res.Record, err = c.ledger.Reward(r.Context(), p.id); err != nil {
			return err
		}
		if errs[i] != nil {
			res.Refusal = cmp.Or(fault.Message(errs[i]), "it failed; the log has more")
		} else {
			c.cfg.Decided(reward.Approve, tallies[i])
			res.Counted, res.Refusal = tallies[i].Decision.Counted, tallies[i].Decision.Refusal
		}
		if res.Counted {
			page.Counted++
			done = append(done, res.row)
		}
		page.Results = append(page.Results, res)
	}
	page.Sums = sumsOf(done)
	c.pages.render(w, http.StatusOK, "approved", c.view(v, "Approved", page).at("inbox"))
	return nil
}

// sumsOf adds up the quantities of each unit, cash under its currency.
func sumsOf(rows []row) []sum {
	var sums []sum
	for _, r := range rows {
		q := r.Reward.Quantity
		unit := string(q.Unit)
		if q.Unit == reward.Cash && q.Currency != "" {
			unit = q.Currency
		}
		i := slices.IndexFunc(sums, func(s sum) bool { return s.Unit == unit })
		if i < 0 {
			sums = append(sums, sum{Unit: unit})
			i = len(sums) - 1
		}
		sums[i].Amount += q.Amount
		sums[i].Count++
	}
	slices.SortFunc(sums, func(a, b sum) int { return cmp.Compare(a.Unit, b.Unit) })
	return sums
}
