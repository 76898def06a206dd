package stripe

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/rewardflow/rewardflow/internal/payout"
)

// credit adds to a customer's balance, which Stripe takes off the next
// invoices of the same currency. It is settled as soon as it is accepted.
type credit struct {
	Customer string `json:"customer"`
	// Amount is below zero, which is a credit to Stripe, in its minor units.
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	// Description is what the team and the customer may see.
	Description string `json:"description"`
}

func (p *Provider) freezeCredit(ctx context.Context, order payout.Order) (frozen, string, error) {
	customer, err := p.payee(ctx, order.Reward.Promoter)
	if err != nil {
		return frozen{}, "", err
	}
	quantity := order.Reward.Quantity
	code, value, err := worth(p.creditValue, "credit_value", quantity.Unit, customer.Currency)
	if err != nil {
		return frozen{}, "", err
	}
	amount, err := price(quantity.Amount, value, code)
	if err != nil {
		return frozen{}, "", err
	}
	f := frozen{Credit: &credit{
		Customer: customer.ID, Amount: -amount, Currency: strings.ToLower(code),
		Description: describe(order),
	}}
	return f, fmt.Sprintf("Stripe customer %s: a credit of %s", customer.ID, amountText(amount, code)), nil
}

// describe names the reward in texts that customers may read.
func describe(order payout.Order) string { return "Reward " + order.Reward.ID.String() }

func (d *credit) whole() bool {
	return plainID(d.Customer) && d.Amount < 0 && d.Currency != ""
}

func (d *credit) send(ctx context.Context, c *client, key string) payout.Outcome {
	txn, err := call[stripego.CustomerBalanceTransaction](ctx, c, http.MethodPost, balancePath(d.Customer), &stripego.CustomerBalanceTransactionCreateParams{
		Params:      keyed(key),
		Amount:      stripego.Int64(d.Amount),
		Currency:    stripego.String(d.Currency),
		Description: stripego.String(d.Description),
		Metadata:    map[string]string{metadataKey: key},
	})
	switch {
	case err != nil:
		return c.judge(err)
	case !answered(txn.APIResource), txn.ID == "", !d.is(txn):
		return unknown("Stripe's answer does not describe the credit that was sent")
	}
	return accepted(txn.ID, d.done())
}

func balancePath(customer string) string {
	return stripego.FormatURLPath("/v1/customers/%s/balance_transactions", customer)
}

// find lists the customer's balance transactions, all of them.
func (d *credit) find(ctx context.Context, c *client, key string) payout.Finding {
	all, err := list(ctx, c, balancePath(d.Customer), url.Values{},
		func(txn *stripego.CustomerBalanceTransaction) string { return txn.ID })
	var ours []*stripego.CustomerBalanceTransaction
	for _, txn := range all {
		if txn.Metadata[metadataKey] == key {
			ours = append(ours, txn)
		}
	}
	switch {
	case err != nil:
		return cannotTell(c.unread("list of balance transactions", err))
	case len(ours) == 0:
		return absent("no balance transaction of the customer carries the key")
	case len(ours) > 1:
		return differs(fmt.Sprintf("%d balance transactions carry the key", len(ours)))
	case !d.is(ours[0]):
		return differs("the balance transaction " + ours[0].ID + " carries the key and another amount")
	}
	return found(ours[0].ID, d.done())
}

func (d *credit) is(txn *stripego.CustomerBalanceTransaction) bool {
	return txn.Amount == d.Amount && string(txn.Currency) == d.Currency &&
		(txn.Customer == nil || txn.Customer.ID == d.Customer)
}

func (d *credit) done() string {
	return "the customer's balance has a credit of " + amountText(-d.Amount, d.Currency)
}
