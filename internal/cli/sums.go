package cli

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// totalsDocument are the ledger's own sums.
type totalsDocument struct {
	Totals []totalDocument `json:"totals"`
}

type totalDocument struct {
	State    payout.State `json:"state"`
	Money    ledger.Money `json:"money"`
	Unit     reward.Unit  `json:"unit"`
	Currency string       `json:"currency"`
	Count    int          `json:"count"`
	Amount   *big.Int     `json:"amount"`
}

// kind is what a sum is of. Nothing of two kinds is ever added up.
type kind struct {
	unit     reward.Unit
	currency string
	state    payout.State
	money    ledger.Money
}

// sum counts payouts of one kind, and adds them up. A sum may be beyond int64.
type sum struct {
	count  int
	amount *big.Int
}

type sums struct{ of map[kind]sum }

func newSums() *sums { return &sums{of: map[kind]sum{}} }

func (s *sums) add(e entryDocument) {
	s.put(kind{e.Quantity.Unit, e.Quantity.Currency, e.State, e.Money}, 1, big.NewInt(e.Quantity.Amount))
}

// take adds a sum that was made elsewhere.
func (s *sums) take(t totalDocument) error {
	if t.Amount == nil {
		return &failure{
			code: exitFailure, message: "the operator API names a sum without an amount",
			next: "check that both sides have the same version (rewardflow version)",
		}
	}
	s.put(kind{t.Unit, t.Currency, t.State, t.Money}, t.Count, t.Amount)
	return nil
}

func (s *sums) put(k kind, count int, amount *big.Int) {
	old, ok := s.of[k]
	if !ok {
		old.amount = new(big.Int)
	}
	s.of[k] = sum{old.count + count, old.amount.Add(old.amount, amount)}
}

func (s *sums) count() int {
	n := 0
	for _, one := range s.of {
		n += one.count
	}
	return n
}

func (s *sums) equal(other *sums) bool {
	if len(s.of) != len(other.of) {
		return false
	}
	for k, one := range s.of {
		if o, ok := other.of[k]; !ok || o.count != one.count || o.amount.Cmp(one.amount) != 0 {
			return false
		}
	}
	return true
}

// open returns the sums of what may have left.
func (s *sums) open() *sums {
	out := newSums()
	for k, one := range s.of {
		if k.money == ledger.MoneyMayHaveLeft {
			out.of[k] = one
		}
	}
	return out
}

// kinds returns what there are sums of, by unit, currency and state.
func (s *sums) kinds() []kind {
	order := payout.States()
	out := make([]kind, 0, len(s.of))
	for k := range s.of {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b kind) int {
		return cmp.Or(
			cmp.Compare(a.unit, b.unit), cmp.Compare(a.currency, b.currency),
			cmp.Compare(slices.Index(order, a.state), slices.Index(order, b.state)),
			cmp.Compare(a.money, b.money),
		)
	})
	return out
}

// sumDocument is a line of --totals as JSON. It names its period, so that it
// can be read alone.
type sumDocument struct {
	From     time.Time    `json:"from"`
	To       time.Time    `json:"to"`
	State    payout.State `json:"state"`
	Money    ledger.Money `json:"money"`
	Unit     reward.Unit  `json:"unit"`
	Currency string       `json:"currency,omitempty"`
	Count    int          `json:"count"`
	Amount   *big.Int     `json:"amount"`
	Decimal  string       `json:"decimal,omitempty"`
}

// writeSums writes the sums for programs.
func writeSums(to io.Writer, o order, s *sums) error {
	if o.format == formatJSONL {
		lines := jsonLines(to)
		for _, k := range s.kinds() {
			one := s.of[k]
			err := lines.Encode(sumDocument{
				o.period.from, o.period.to, k.state, k.money, k.unit, k.currency, one.count, one.amount, decimal(one.amount, k.currency),
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	w := csv.NewWriter(to)
	rows := [][]string{{"from", "to", "state", "money", "unit", "currency", "count", "amount", "decimal"}}
	for _, k := range s.kinds() {
		one := s.of[k]
		rows = append(rows, []string{
			o.period.from.Format(time.RFC3339Nano), o.period.to.Format(time.RFC3339Nano), cell(string(k.state)), cell(string(k.money)),
			cell(string(k.unit)), cell(k.currency), strconv.Itoa(one.count), one.amount.String(), decimal(one.amount, k.currency),
		})
	}
	return w.WriteAll(rows)
}

// tellSums tells the person what was exported.
func (p *Program) tellSums(o order, s, earlier *sums) error {
	p.note("%s %s", payouts(s.count()), o.period)
	if s.count() > 0 {
		t := newTable(p.env.Stderr)
		t.row("STATE", "MONEY", "UNIT", "CURRENCY", "COUNT", "AMOUNT", "DECIMAL")
		for _, k := range s.kinds() {
			one := s.of[k]
			t.row(string(k.state), string(k.money), string(k.unit), k.currency,
				strconv.Itoa(one.count), one.amount.String(), decimal(one.amount, k.currency))
		}
		if err := t.end(); err != nil {
			return err
		}
	}
	if n := s.open().count(); n > 0 {
		p.note("%s may have left, and it is not known yet: rewardflow why ID", payouts(n))
	}
	if n := earlier.count(); n > 0 {
		p.note("%s sent before the period may have left, perhaps within it: export them with --to %s and an earlier --from",
			payouts(n), o.period.from.Format(time.RFC3339Nano))
	}
	if o.period.to.After(p.env.Now()) {
		p.note("the period has not ended: more may come")
	}
	return nil
}

func payouts(n int) string {
	if n == 1 {
		return "1 payout"
	}
	return fmt.Sprintf("%d payouts", n)
}
