package stripe

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

// transfer moves cash from the team's Stripe balance to a connected account.
// It is settled when Stripe has it; the account's own payouts to a bank are
// another matter. Its transfer group is the key.
type transfer struct {
	Account string `json:"account"`
	// Amount is in Stripe's minor units of Currency, which is in lower case.
	Amount      int64  `json:"amount"`
	Currency    string `json:"currency"`
	Description string `json:"description"`
}

func (p *Provider) freezeTransfer(ctx context.Context, order payout.Order) (frozen, string, error) {
	quantity, promoter := order.Reward.Quantity, order.Reward.Promoter
	if !strings.HasPrefix(promoter.CustID, "acct_") || !plainID(promoter.CustID) {
		return frozen{}, "", declined("cash goes to a connected account, and the promoter's cust_id is not the ID of one (acct_...)")
	}
	amount, err := stripeAmount(quantity.Amount, quantity.Currency)
	if err != nil {
		return frozen{}, "", err
	}
	account, err := p.client.account(ctx, promoter.CustID)
	switch {
	case err != nil:
		return frozen{}, "", hopeless(err)
	case account.Deleted:
		return frozen{}, "", declined("the connected account " + account.ID + " was deleted")
	}
	if err := p.owned("account "+account.ID, account.Email, promoter); err != nil {
		return frozen{}, "", err
	}
	f := frozen{Transfer: &transfer{
		Account: account.ID, Amount: amount, Currency: strings.ToLower(quantity.Currency), Description: describe(order),
	}}
	return f, fmt.Sprintf("Stripe connected account %s: %s", account.ID, amountText(amount, quantity.Currency)), nil
}

func (d *transfer) whole() bool {
	return plainID(d.Account) && d.Amount > 0 && d.Currency != ""
}

// send looks before it pays, because Stripe keeps a refusal for want of
// balance for as long as the key: a payout that meets an empty balance should
// not use up its key.
func (d *transfer) send(ctx context.Context, c *client, key string) payout.Outcome {
	there, err := d.group(ctx, c, key)
	switch {
	case err != nil:
		return unprepared(err)
	case len(there) == 1 && d.is(there[0]) && there[0].AmountReversed == 0:
		return accepted(there[0].ID, d.done())
	case len(there) > 0:
		return payout.Outcome{
			Class: payout.ClassConflict, Detail: "Stripe has the transfer group " + key + " with another transfer, or with one that was reversed",
		}
	}
	if err := d.covered(ctx, c); err != nil {
		return unprepared(err)
	}
	made, err := call[stripego.Transfer](ctx, c, http.MethodPost, "/v1/transfers", &stripego.TransferCreateParams{
		Params:        keyed(key),
		Amount:        stripego.Int64(d.Amount),
		Currency:      stripego.String(d.Currency),
		Destination:   stripego.String(d.Account),
		Description:   stripego.String(d.Description),
		TransferGroup: stripego.String(key),
		Metadata:      map[string]string{metadataKey: key},
	})
	switch {
	case err != nil:
		return c.judge(err)
	case !answered(made.APIResource), made.ID == "", !d.is(made):
		return unknown("Stripe's answer does not describe the transfer that was sent")
	}
	return accepted(made.ID, d.done())
}

// covered says, as a fault of kind Denied, that the balance is too low.
func (d *transfer) covered(ctx context.Context, c *client) error {
	balance, err := c.balance(ctx)
	if err != nil {
		return err
	}
	for _, have := range balance.Available {
		if have != nil && string(have.Currency) == d.Currency && have.Amount >= d.Amount {
			return nil
		}
	}
	return fault.New(fault.Denied, "stripe.balance",
		"the available Stripe balance in "+strings.ToUpper(d.Currency)+" is too low: top it up, and the transfer goes out by itself")
}

// group lists the transfers of the key.
func (d *transfer) group(ctx context.Context, c *client, key string) ([]*stripego.Transfer, error) {
	all, err := list(ctx, c, "/v1/transfers", url.Values{"transfer_group": {key}},
		func(t *stripego.Transfer) string { return t.ID })
	var ours []*stripego.Transfer
	for _, t := range all {
		if t.TransferGroup == key {
			ours = append(ours, t)
		}
	}
	return ours, c.unread("list of transfers", err)
}

func (d *transfer) find(ctx context.Context, c *client, key string) payout.Finding {
	there, err := d.group(ctx, c, key)
	switch {
	case err != nil:
		return cannotTell(err)
	case len(there) == 0:
		return d.missing(ctx, c)
	case len(there) > 1:
		return differs(fmt.Sprintf("%d transfers have the key as their group", len(there)))
	}
	switch t := there[0]; {
	case !d.is(t):
		return differs("the transfer " + t.ID + " has another amount or destination")
	case t.Reversed:
		return payout.Finding{Answer: payout.FoundReturned, Reference: t.ID, Detail: "the transfer " + t.ID + " was reversed"}
	case t.AmountReversed != 0:
		return differs("a part of the transfer " + t.ID + " was reversed")
	default:
		return found(t.ID, d.done())
	}
}

// missing says that there is no transfer, once it is sure that the API key is
// still that of the platform which pays this account: the list of any other
// platform is empty, too.
func (d *transfer) missing(ctx context.Context, c *client) payout.Finding {
	if _, err := c.account(ctx, d.Account); err != nil {
		return cannotTell(err)
	}
	return absent("no transfer has the key as its group")
}

func (d *transfer) is(t *stripego.Transfer) bool {
	return t.Amount == d.Amount && string(t.Currency) == d.Currency && t.Destination != nil && t.Destination.ID == d.Account
}

func (d *transfer) done() string {
	return amountText(d.Amount, d.Currency) + " went to the connected account " + d.Account
}
