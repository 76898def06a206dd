package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const opCheck = "stripe.check"

// resource is something of Stripe's that payouts read.
type resource struct {
	// name is its row in the table of permissions of docs/providers/stripe.md.
	name string
	// path is a list's. It is asked for what was created in the year 2100 or
	// later, so that no customer's data comes back.
	path string
}

// nobody is the ID of a customer that there is not: Stripe's have no such words
// in them. That Stripe judges the permission before it looks for the customer
// is inferred from its errors, and not documented.
const nobody = "cus_rewardflow_doctor"

// resources returns what payouts of a unit read.
func resources(unit reward.Unit) []resource {
	customers, subscriptions := resource{"customers", "/v1/customers"}, resource{"subscriptions", "/v1/subscriptions"}
	switch unit {
	case reward.Credits:
		return []resource{customers, {"customer balance", "/v1/customers/" + nobody + "/balance_transactions"}}
	case reward.FreeMonths:
		return []resource{customers, subscriptions}
	case reward.DiscountPer, reward.DiscountMon:
		return []resource{customers, subscriptions, {"coupons", "/v1/coupons"}}
	case reward.Cash:
		return []resource{{"connected accounts", "/v1/accounts"}, {ourBalance, ""}, {"transfers", "/v1/transfers"}}
	case reward.Points:
	}
	return nil
}

// ourBalance names the one resource that is no list.
const ourBalance = "balance"

// Check implements payout.Checker: it reads everything that payouts of the
// units read before they pay. Whether the key may write as well, Stripe says to
// nobody who does not write.
func (p *Provider) Check(ctx context.Context, units []reward.Unit) (string, error) {
	var (
		read    []string
		missing []error
	)
	for _, r := range resourcesOf(units) {
		err := p.client.may(ctx, r)
		switch {
		case err == nil:
			read = append(read, r.name)
		case fault.Is(err, fault.Denied) && !unauthorized(err):
			missing = append(missing, err)
		default:
			return "", err
		}
	}
	if len(read)+len(missing) == 0 {
		// No unit needs a permission: a key that is refused one is known.
		if err := p.client.may(ctx, resource{name: ourBalance}); err != nil && (!fault.Is(err, fault.Denied) || unauthorized(err)) {
			return "", err
		}
	}
	if len(missing) > 0 {
		return "", denied(missing)
	}
	return p.client.seen(read), nil
}

// resourcesOf returns what payouts of the units read, each once.
func resourcesOf(units []reward.Unit) []resource {
	var all []resource
	known := map[resource]bool{}
	for _, unit := range units {
		for _, r := range resources(unit) {
			if !known[r] {
				known[r] = true
				all = append(all, r)
			}
		}
	}
	return all
}

// may reads a resource.
func (c *client) may(ctx context.Context, r resource) error {
	if r.name == ourBalance {
		_, err := c.balance(ctx)
		return elsewhere(err)
	}
	later := url.Values{"created[gt]": {"4102444800"}} // 2100-01-01
	if strings.Contains(r.path, nobody) {
		later = url.Values{}
	}
	_, err := list(ctx, c, r.path, later, func(*json.RawMessage) string { return "" })
	if err = c.unread("list of "+r.name, err); fault.Is(err, fault.NotFound) && strings.Contains(r.path, nobody) {
		return nil
	}
	return elsewhere(err)
}

// elsewhere turns the fault of a read into that of a check.
func elsewhere(err error) error {
	switch {
	case unauthorized(err):
		return fault.Wrap(fault.Denied, opCheck, "Stripe does not accept the API key", err)
	case errors.Is(err, errList), errors.Is(err, errUnreadable), fault.Is(err, fault.NotFound):
		return fault.Wrap(fault.Invalid, opCheck, "what answers at base_url does not answer as Stripe does, or redirects", err)
	}
	return err
}

// unauthorized reports whether Stripe did not know the key, as opposed to a key
// that it knows and that lacks a permission.
func unauthorized(err error) bool {
	e, ok := errors.AsType[*stripego.Error](err)
	return ok && e.HTTPStatusCode == http.StatusUnauthorized
}

// denied says all that the key may not do.
func denied(missing []error) error {
	words := make([]string, 0, len(missing))
	for _, err := range missing {
		words = append(words, fault.Message(err))
	}
	return fault.Wrap(fault.Denied, opCheck, strings.Join(words, "\n"), errors.Join(missing...))
}

// seen says what is known of a key that was accepted.
func (c *client) seen(read []string) string {
	words := "Stripe accepts the API key"
	if strings.Contains(c.key, "_test_") {
		words += ", which moves no real money"
	}
	switch {
	case strings.HasPrefix(c.key, "sk_"):
		return words + "; it is a secret key, which may do everything: a restricted one (rk_...) is enough"
	case len(read) == 0:
		return words + "; no route needs a permission of it"
	}
	return words + ", and it may read " + strings.Join(read, ", ") + "\nnot seen: whether it may write, which shows with the first payout"
}
