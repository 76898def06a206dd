package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bojanz/currency"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// moment is a time as people read it.
type moment struct {
	ISO  string
	Full string
	// Ago is the distance from now: "3 h ago", "in 2 d".
	Ago string
}

func momentAt(t, now time.Time) moment {
	d := now.Sub(t)
	ago := distance(d.Abs())
	switch {
	case d.Abs() < time.Minute:
		ago = "just now"
	case d > 0:
		ago += " ago"
	default:
		ago = "in " + ago
	}
	return moment{ISO: t.UTC().Format(time.RFC3339), Full: t.UTC().Format("2006-01-02 15:04:05 UTC"), Ago: ago}
}

func distance(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h", d/time.Hour)
	default:
		return fmt.Sprintf("%d d", d/day)
	}
}

// label is a status in words.
func label(s reward.Status) string { return strings.ReplaceAll(string(s), "_", " ") }

// tone groups statuses by what they ask of people. It has no default, so that
// every status has one.
func tone(s reward.Status) string {
	switch s {
	case reward.AwaitingApproval, reward.Held:
		return "wait"
	case reward.Quarantined, reward.Attention:
		return "alarm"
	case reward.Received, reward.Verifying, reward.Approved, reward.Paying, reward.Resolving, reward.Settling, reward.Paid, reward.Closing:
		return "work"
	case reward.Fulfilled, reward.FulfilledElsewhere:
		return "good"
	case reward.Rejected, reward.Abandoned:
		return "end"
	}
	return "end"
}

// quantity is an amount with its unit: "3 free months", "125.00 USD".
func quantity(q reward.Quantity) string {
	if q.Unit == reward.Cash && q.Currency != "" {
		return amount(q.Currency, q.Amount)
	}
	return amount(string(q.Unit), q.Amount)
}

// amount is an amount of a unit, or, in minor units, of a currency.
func amount(unit string, n int64) string {
	if currency.IsValid(unit) {
		if money, err := currency.NewAmountFromInt64(n, unit); err == nil {
			whole, minor, _ := strings.Cut(money.Number(), ".")
			if minor != "" {
				minor = "." + minor
			}
			return grouped(whole) + minor + " " + unit
		}
	}
	return grouped(strconv.FormatInt(n, 10)) + unitWords(unit, n)
}

// unitWords is what stands behind an amount, with the space before it.
func unitWords(unit string, n int64) string {
	switch reward.Unit(unit) {
	case reward.FreeMonths:
		if n == 1 {
			return " free month"
		}
		return " free months"
	case reward.DiscountPer:
		return " % discount"
	case reward.Cash:
		return " cash, minor units"
	}
	return " " + unit
}

// grouped puts a comma between every three digits.
func grouped(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// short is the beginning of a digest, for people to compare.
func short(d reward.Digest) string {
	if len(d) > 8 {
		return string(d[:8])
	}
	return string(d)
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(strconv.Itoa(n)) + " " + noun + "s"
}

// people says how many must approve.
func people(n int, role string) string {
	words := counted(n, "approval")
	if role != "" {
		words += " of the role " + role
	}
	return words
}

// stands says in one sentence what a reward waits for. It has no default, so
// that every status has an answer.
func (c *Console) stands(r ledger.Record, tally ledger.Tally, pay *ledger.Payout) string {
	provider := r.Provider
	if pay != nil {
		provider = pay.Provider
	}
	switch r.Status {
	case reward.Received:
		return "It came in, and its workflow is about to start."
	case reward.Verifying:
		return "FirstPromoter could not be asked yet. It is asked again by itself."
	case reward.Quarantined:
		return "It is not what FirstPromoter says. Nothing is paid until a person has compared the two."
	case reward.AwaitingApproval:
		if tally.Approved {
			return "Enough people approved. Its workflow goes on as soon as a worker is free."
		}
		if tally.Rejected {
			return "It was rejected. Its workflow ends as soon as a worker is free."
		}
		return fmt.Sprintf("It has %d of %s.", tally.Approvals, people(max(tally.Needed, 1), r.Role))
	case reward.Held:
		return "Nothing is paid for now."
	case reward.Approved:
		return "It may be paid, and its payout is about to begin."
	case reward.Paying:
		return "Its payout is on its way to " + orProvider(provider) + "."
	case reward.Resolving:
		return "It is not known whether " + orProvider(provider) + " made the payout. It is looked up by itself."
	case reward.Settling:
		if c.byHand(provider) {
			return "A person has to pay it, and to record the reference here."
		}
		return "The provider " + provider + " accepted it and has not finished."
	case reward.Paid:
		return "It is delivered. FirstPromoter is about to be told."
	case reward.Closing:
		return "It is delivered. FirstPromoter is being told."
	case reward.Attention:
		return "It does not go on without a person."
	case reward.Fulfilled:
		return "It is delivered, and FirstPromoter has it as completed."
	case reward.FulfilledElsewhere:
		return "FirstPromoter had it as completed. Nothing was paid from here."
	case reward.Rejected:
		return "It was not paid, and will not be."
	case reward.Abandoned:
		return "A person left it as it is."
	}
	return ""
}

func orProvider(name string) string {
	if name == "" {
		return "the provider"
	}
	return name
}

func (c *Console) byHand(provider string) bool {
	if provider == string(ledger.AttemptByHand) {
		return true
	}
	p, _ := c.provider(provider)
	return p.ByHand
}

func (c *Console) provider(name string) (Provider, bool) {
	for _, p := range c.cfg.Providers {
		if p.Name == name {
			return p, true
		}
	}
	return Provider{}, false
}

// destination says where a payout would go, as far as that is known before it
// is reserved.
func (c *Console) destination(r ledger.Record) string {
	who := r.Reward.Promoter
	p, _ := c.provider(r.Provider)
	switch {
	case r.Provider == "":
		return "not known: no route chose a provider yet"
	case p.ByHand:
		return "by hand, to " + orNothing(who.Email, "a promoter without an email address")
	case p.Type == "paypal":
		return "the PayPal account of " + orNothing(who.Email, "nobody: the promoter has no email address")
	case p.Type == "stripe":
		return "the Stripe customer or account " + orNothing(who.CustID, "of nobody: the promoter has no cust_id")
	default:
		return "your service, for the customer " + orNothing(who.CustID, "without a cust_id")
	}
}

func orNothing(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
