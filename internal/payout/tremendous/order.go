package tremendous

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/rewardflow/rewardflow/internal/payout"
)

// order is what Tremendous says about an order. Other fields are ignored.
type order struct {
	ID         string `json:"id"`
	ExternalID string `json:"external_id"`
	Status     string `json:"status"`
	Payment    struct {
		// Refund is there when the order or its reward was cancelled after it was
		// paid for.
		Refund *struct {
			Total json.Number `json:"total"`
		} `json:"refund"`
	} `json:"payment"`
	Rewards []sentReward `json:"rewards"`
	// Reward stands in the place of Rewards in the lists of older descriptions.
	Reward *sentReward `json:"reward"`
}

type sentReward struct {
	Value     value     `json:"value"`
	Recipient recipient `json:"recipient"`
	Delivery  struct {
		Method string `json:"method"`
		Status string `json:"status"`
	} `json:"delivery"`
}

// The statuses of an order
// (https://developers.tremendous.com/reference/obj-schema-orders). Open was
// called cart before February 2026.
const (
	orderOpen              = "OPEN"
	orderCart              = "CART"
	orderExecuted          = "EXECUTED"
	orderFailed            = "FAILED"
	orderCanceled          = "CANCELED"
	orderPendingApproval   = "PENDING APPROVAL"
	orderPendingReview     = "PENDING INTERNAL PAYMENT APPROVAL"
	orderPendingSettlement = "PENDING SETTLEMENT"
)

// The statuses of a delivery
// (https://developers.tremendous.com/reference/obj-schema-rewards).
const (
	deliveryScheduled = "SCHEDULED"
	deliveryPending   = "PENDING"
	deliverySucceeded = "SUCCEEDED"
	deliveryFailed    = "FAILED"
)

func cannotTell(words string) payout.Finding {
	return payout.Finding{Answer: payout.CannotTell, Detail: words}
}

// find reads the answer to a look-up. Absent is only what Tremendous itself
// says with a list that is empty: a 404 comes from a wrong base_url as well.
func find(want frozen, reference string, a answer) payout.Finding {
	switch {
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return a.blind("Tremendous does not let this API key read orders")
	case a.status == http.StatusNotFound:
		return a.blind("Tremendous has no orders at this address: check base_url")
	case a.status != http.StatusOK:
		return a.blind("Tremendous's answer to the look-up says nothing about the order")
	}
	var list struct {
		Orders *[]order `json:"orders"`
		Total  int64    `json:"total_count"`
	}
	if a.bodyErr != nil || json.Unmarshal(a.body, &list) != nil || list.Orders == nil {
		return cannotTell(a.plain("Tremendous's answer to the look-up cannot be read"))
	}
	var ours []order
	for _, o := range *list.Orders {
		if o.ExternalID == want.key {
			ours = append(ours, o)
		}
	}
	switch {
	case len(*list.Orders) == 0 && list.Total == 0:
		return payout.Finding{Answer: payout.Absent, Detail: "Tremendous has no order with this key"}
	case len(ours) == 0:
		return cannotTell("Tremendous answered with orders that were not asked for")
	case len(ours) > 1:
		return cannotTell("Tremendous has more than one order with this key: look at them there before anything else")
	}
	return ours[0].identify(want, reference)
}

// blind is what a look-up comes to that was not answered.
func (a answer) blind(words string) payout.Finding {
	return payout.Finding{Answer: payout.CannotTell, RetryAfter: a.retryAfter, Detail: a.words(words)}
}

// identify concludes from an order that has our key, if it is the one that was
// sent.
func (o order) identify(want frozen, reference string) payout.Finding {
	if !isID(o.ID) {
		return cannotTell("Tremendous's order has no ID")
	}
	if reference != "" && o.ID != reference {
		return cannotTell("Tremendous has another order under this key than the one that it accepted: look at it there before anything else")
	}
	if reference != "" {
		// It was compared when it was accepted, and a person may have corrected
		// the address at Tremendous since.
		want.email = ""
	}
	if words := o.mismatch(want); words != "" {
		return cannotTell(words + ": look at it there before anything else")
	}
	found := o.conclude()
	if found.Answer != payout.CannotTell {
		found.Reference = o.ID
	}
	return found
}

// sent returns the order's rewards.
func (o order) sent() []sentReward {
	if len(o.Rewards) == 0 && o.Reward != nil {
		return []sentReward{*o.Reward}
	}
	return o.Rewards
}

// mismatch says in words why the order is not the one that was sent. What one
// of the two does not show is no difference.
func (o order) mismatch(want frozen) string {
	rewards := o.sent()
	if len(rewards) == 0 {
		return ""
	}
	if len(rewards) > 1 {
		return "the order that Tremendous has under this key has more than one reward, and ours have one"
	}
	there := rewards[0]
	switch {
	case there.Value.Currency != want.value.Currency:
		return "the order that Tremendous has under this key has another currency than this payout"
	case !sameNumber(there.Value.Denomination, want.value.Denomination):
		return "the order that Tremendous has under this key has another amount than this payout"
	case there.Recipient.Email != "" && want.email != "" && !strings.EqualFold(there.Recipient.Email, want.email):
		return "the order that Tremendous has under this key goes to another email address than this payout"
	}
	return ""
}

// conclude says what became of our own order.
func (o order) conclude() payout.Finding {
	switch o.Status {
	case orderExecuted:
		return o.concludeDelivery()
	case orderOpen, orderCart:
		return payout.Finding{Answer: payout.FoundPending, Detail: "Tremendous has the order and has not processed it"}
	case orderPendingApproval:
		return payout.Finding{Answer: payout.FoundPending, Detail: "Tremendous has the order, which waits for an approval in your account there"}
	case orderPendingReview:
		return payout.Finding{Answer: payout.FoundPending, Detail: "Tremendous has the order and reviews its payment"}
	case orderPendingSettlement:
		return payout.Finding{Answer: payout.FoundPending, Detail: "Tremendous has the order and waits for its payment to settle"}
	case orderFailed:
		return payout.Finding{Answer: payout.FoundFailed, Detail: "Tremendous could not process the order: it is FAILED"}
	case orderCanceled:
		return payout.Finding{Answer: payout.FoundFailed, Detail: "the order and its reward were cancelled at Tremendous: it is CANCELED"}
	}
	return cannotTell("Tremendous has the order, whose status is not documented")
}

// concludeDelivery judges an order that is paid for. From here on the reward
// exists and has its worth, so that nothing is a refusal: another payout would
// be a second one.
//
// A reward whose email did not arrive is told as returned. That is the one
// finding that stops, asks a person, and allows no other payout, not even after a
// person's word.
func (o order) concludeDelivery() payout.Finding {
	if refund := o.Payment.Refund; refund != nil && !sameNumber(refund.Total, "0") {
		return payout.Finding{Answer: payout.FoundReturned, Detail: "the reward was cancelled at Tremendous after it was paid for, and refunded"}
	}
	rewards := o.sent()
	if len(rewards) != 1 {
		return cannotTell("Tremendous has paid for the order, and does not say what became of its reward")
	}
	switch rewards[0].Delivery.Status {
	case deliverySucceeded:
		return payout.Finding{Answer: payout.FoundSettled, Detail: "Tremendous has delivered the reward's email"}
	case deliveryScheduled, deliveryPending:
		return payout.Finding{Answer: payout.FoundPending, Detail: "Tremendous has paid for the reward and has not delivered its email yet"}
	case deliveryFailed:
		return payout.Finding{
			Answer: payout.FoundReturned,
			Detail: "Tremendous has paid for the reward, and its email could not be delivered: the reward exists. " +
				"Correct the address or send it again in the dashboard there, or cancel it there",
		}
	}
	return cannotTell("Tremendous has paid for the reward, whose delivery has a status that is not documented")
}
