package stripe

import (
	"context"
	"fmt"
	"strings"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// payee returns the customer that a promoter's cust_id names, after checking
// that it is the promoter's.
func (p *Provider) payee(ctx context.Context, promoter reward.Promoter) (*stripego.Customer, error) {
	if !strings.HasPrefix(promoter.CustID, "cus_") || !plainID(promoter.CustID) {
		return nil, declined("the promoter's cust_id is not the ID of a Stripe customer (cus_...): set it at FirstPromoter")
	}
	customer, err := p.client.customer(ctx, promoter.CustID)
	switch {
	case err != nil:
		return nil, hopeless(err)
	case customer.Deleted:
		return nil, declined("the Stripe customer " + customer.ID + " was deleted")
	}
	return customer, p.owned("customer "+customer.ID, customer.Email, promoter)
}

// owned declines what has another e-mail address than the promoter: in some
// set-ups the promoter chose the cust_id. The words hold no address.
func (p *Provider) owned(what, email string, promoter reward.Promoter) error {
	email, want := strings.TrimSpace(email), strings.TrimSpace(promoter.Email)
	switch {
	case p.skipEmailMatch:
		return nil
	case want == "":
		return declined("the promoter has no e-mail address to compare with the Stripe " + what)
	case email == "":
		return declined("the Stripe " + what + " has no e-mail address to compare with the promoter's")
	case !strings.EqualFold(email, want):
		return declined("the e-mail address of the Stripe " + what + " is not the promoter's: " +
			"make sure that the cust_id is theirs before anything is paid")
	}
	return nil
}

// hopeless turns "there is none" into "a person must decide".
func hopeless(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.Wrap(fault.Declined, opPrepare, fault.Message(err), err)
	}
	return err
}

// worth picks what one unit is worth in a customer's currency. Where the
// customer has none yet, the only configured currency is taken.
func worth(values map[string]int64, key string, unit reward.Unit, have stripego.Currency) (code string, value int64, err error) {
	if len(values) == 0 {
		return "", 0, declined(fmt.Sprintf("nothing says what %s are worth in money: set %s for the provider", unit, key))
	}
	code = strings.ToUpper(string(have))
	if code == "" && len(values) == 1 {
		for only := range values {
			code = only
		}
	}
	if code == "" {
		return "", 0, declined(fmt.Sprintf("the customer has no currency yet, and %s names several", key))
	}
	value, ok := values[code]
	if !ok {
		return "", 0, declined(fmt.Sprintf("the customer's currency is %s, and %s does not name it", plain(code), key))
	}
	return code, value, nil
}
