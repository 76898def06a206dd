package tremendous

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// maxEmail is the longest email address in bytes (RFC 5321, errata 1690).
const maxEmail = 254

// byEmail is the delivery method by which Tremendous itself brings the reward
// to the receiver. With the others somebody would have to pass a link on.
const byEmail = "EMAIL"

// orderRequest is the body of the POST: an order of a single reward.
type orderRequest struct {
	ExternalID string         `json:"external_id"`
	Payment    paymentRequest `json:"payment"`
	Reward     rewardRequest  `json:"reward"`
}

type paymentRequest struct {
	FundingSourceID string `json:"funding_source_id"`
}

type rewardRequest struct {
	CampaignID string          `json:"campaign_id,omitempty"`
	Products   []string        `json:"products,omitempty"`
	Value      value           `json:"value"`
	Recipient  recipient       `json:"recipient"`
	Delivery   deliveryRequest `json:"delivery"`
}

// value is money as Tremendous writes it: a JSON number in major units.
type value struct {
	Denomination json.Number `json:"denomination"`
	Currency     string      `json:"currency_code"`
}

type recipient struct {
	Email string `json:"email"`
}

type deliveryRequest struct {
	Method string `json:"method"`
}

// Prepare implements payout.Provider. It asks nobody: the same order gives the
// same bytes. Only cash to an email address can be paid.
func (p *Provider) Prepare(_ context.Context, order payout.Order) (payout.Request, error) {
	const op = "tremendous.prepare"
	quantity := order.Reward.Quantity
	if err := quantity.Payable(); err != nil {
		return payout.Request{}, fault.Wrap(fault.Invalid, op, err.Error(), err)
	}
	if !payout.UsableKey(order.Key) {
		return payout.Request{}, fault.New(fault.Invalid, op, "the idempotency key is not 1 to 63 printable ASCII characters")
	}
	if quantity.Unit != reward.Cash {
		return payout.Request{}, fault.New(fault.Declined, op,
			fmt.Sprintf("Tremendous pays what is worth money, and no %.40q: route this unit to another provider", quantity.Unit))
	}
	amount, err := denomination(quantity.Amount, quantity.Currency)
	if err != nil {
		return payout.Request{}, fault.Wrap(fault.Declined, op, err.Error(), err)
	}
	if err := checkEmail(order.Reward.Promoter.Email); err != nil {
		return payout.Request{}, fault.Wrap(fault.Declined, op, err.Error(), err)
	}
	body, err := json.Marshal(orderRequest{
		ExternalID: order.Key,
		Payment:    paymentRequest{FundingSourceID: p.funding},
		Reward: rewardRequest{
			CampaignID: p.campaign,
			Products:   p.products,
			Value:      value{Denomination: amount, Currency: quantity.Currency},
			Recipient:  recipient{Email: order.Reward.Promoter.Email},
			Delivery:   deliveryRequest{Method: byEmail},
		},
	})
	if err != nil {
		return payout.Request{}, fault.Wrap(fault.Internal, op, "the request could not be written as JSON", err)
	}
	return payout.Request{
		Key:         order.Key,
		Destination: fmt.Sprintf("the email address of promoter %d, as a reward of Tremendous (%s)", order.Reward.Promoter.ID, p.base.Hostname()),
		Body:        body,
	}, nil
}

// checkEmail says why Tremendous cannot send a reward to an email address,
// without repeating it.
func checkEmail(email string) error {
	if email == "" {
		return errors.New("the promoter has no email address, and Tremendous sends rewards by email")
	}
	if len(email) > maxEmail {
		return fmt.Errorf("the promoter's email address has more than %d characters", maxEmail)
	}
	for _, c := range []byte(email) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("the promoter's email address holds a space or a character beyond ASCII")
		}
	}
	// An address with a name or a comment in it is valid mail, and no receiver.
	address, err := mail.ParseAddress(email)
	if err != nil || address.Address != email || strings.ContainsAny(email, `"<>(),;:\[]`) {
		return errors.New("the promoter's email address is not a plain one, such as name@example.com")
	}
	return nil
}

// frozen is what a stored request asks for.
type frozen struct {
	key   string
	value value
	email string
}

// readFrozen reads a stored request back. Its error says in words that the
// request is not one of Prepare's.
func readFrozen(req payout.Request) (frozen, error) {
	var body orderRequest
	if err := json.Unmarshal(req.Body, &body); err != nil || body.Reward.Delivery.Method != byEmail || body.Reward.Recipient.Email == "" {
		return frozen{}, errors.New("the stored request is not an order of one reward by email")
	}
	if req.Key == "" || body.ExternalID != req.Key {
		return frozen{}, errors.New("the stored request does not carry its own key")
	}
	return frozen{key: req.Key, value: body.Reward.Value, email: body.Reward.Recipient.Email}, nil
}
