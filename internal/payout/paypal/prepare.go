package paypal

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

// maxReceiver is the longest receiver in bytes.
const maxReceiver = 127

// What the receiver reads in PayPal's email: the same for everyone.
const (
	emailSubject = "You have received a reward"
	itemNote     = "Thank you for your referral."
)

// recipientEmail is the recipient_type of an email address.
const recipientEmail = "EMAIL"

// batchRequest is the body of the POST: create_payout_request of PayPal's
// OpenAPI file, with one item.
type batchRequest struct {
	Header batchRequestHeader `json:"sender_batch_header"`
	Items  []itemRequest      `json:"items"`
}

type batchRequestHeader struct {
	SenderBatchID string `json:"sender_batch_id"`
	EmailSubject  string `json:"email_subject"`
}

type itemRequest struct {
	RecipientType string `json:"recipient_type"`
	Receiver      string `json:"receiver"`
	Amount        amount `json:"amount"`
	Note          string `json:"note"`
	SenderItemID  string `json:"sender_item_id"`
}

// amount is money as PayPal writes it.
type amount struct {
	Value    string `json:"value"`
	Currency string `json:"currency"`
}

// Prepare implements payout.Provider. It asks nobody: the same order gives the
// same bytes. Only cash to an email address can be paid.
func (p *Provider) Prepare(_ context.Context, order payout.Order) (payout.Request, error) {
	const op = "paypal.prepare"
	quantity := order.Reward.Quantity
	if err := quantity.Payable(); err != nil {
		return payout.Request{}, fault.Wrap(fault.Invalid, op, err.Error(), err)
	}
	if !payout.UsableKey(order.Key) {
		return payout.Request{}, fault.New(fault.Invalid, op, "the idempotency key is not 1 to 63 printable ASCII characters")
	}
	if quantity.Unit != reward.Cash {
		return payout.Request{}, fault.New(fault.Declined, op, fmt.Sprintf("PayPal pays cash and no %.40q: route this unit to another provider", quantity.Unit))
	}
	value, err := wireValue(quantity.Amount, quantity.Currency)
	if err != nil {
		return payout.Request{}, fault.Wrap(fault.Declined, op, err.Error(), err)
	}
	if err := checkReceiver(order.Reward.Promoter.Email); err != nil {
		return payout.Request{}, fault.Wrap(fault.Declined, op, err.Error(), err)
	}
	body, err := json.Marshal(batchRequest{
		Header: batchRequestHeader{SenderBatchID: order.Key, EmailSubject: emailSubject},
		Items: []itemRequest{{
			RecipientType: recipientEmail,
			Receiver:      order.Reward.Promoter.Email,
			Amount:        amount{Value: value, Currency: quantity.Currency},
			Note:          itemNote,
			SenderItemID:  order.Key,
		}},
	})
	if err != nil {
		return payout.Request{}, fault.Wrap(fault.Internal, op, "the request could not be written as JSON", err)
	}
	return payout.Request{
		Key:         order.Key,
		Destination: fmt.Sprintf("the email address of promoter %d, by PayPal (%s)", order.Reward.Promoter.ID, p.base.Hostname()),
		Body:        body,
	}, nil
}

// checkReceiver says why PayPal cannot pay to an email address, without
// repeating it.
func checkReceiver(email string) error {
	if email == "" {
		return errors.New("the promoter has no email address, and PayPal pays to email addresses")
	}
	if len(email) > maxReceiver {
		return fmt.Errorf("the promoter's email address has more than the %d characters that PayPal takes", maxReceiver)
	}
	for _, c := range []byte(email) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("the promoter's email address holds a space or a character beyond ASCII, which PayPal does not take")
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
	key    string
	amount amount
}

// readFrozen reads a stored request back. Its error says in words that the
// request is not one of Prepare's.
func readFrozen(req payout.Request) (frozen, error) {
	var body batchRequest
	if err := json.Unmarshal(req.Body, &body); err != nil || len(body.Items) != 1 {
		return frozen{}, errors.New("the stored request is not a PayPal batch of one item")
	}
	if req.Key == "" || body.Header.SenderBatchID != req.Key || body.Items[0].SenderItemID != req.Key {
		return frozen{}, errors.New("the stored request does not carry its own key")
	}
	return frozen{key: req.Key, amount: body.Items[0].Amount}, nil
}
