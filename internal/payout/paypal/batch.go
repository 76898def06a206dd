package paypal

import (
	"encoding/json"
	"net/http"

	"github.com/rewardflow/rewardflow/internal/payout"
)

// batch is what PayPal says about a batch: payout_batch of its OpenAPI file.
// Other fields are ignored.
type batch struct {
	Header struct {
		ID     string `json:"payout_batch_id"`
		Status string `json:"batch_status"`
		Sender struct {
			Key string `json:"sender_batch_id"`
		} `json:"sender_batch_header"`
	} `json:"batch_header"`
	Items []item `json:"items"`
}

type item struct {
	Status string `json:"transaction_status"`
	Item   struct {
		Amount amount `json:"amount"`
		Key    string `json:"sender_item_id"`
	} `json:"payout_item"`
	// Errors says why an item is where it is: an error document, absent for one
	// that went well. It decides nothing, so its shape is not insisted on.
	Errors any `json:"errors"`
}

// The statuses of a batch
// (https://developer.paypal.com/docs/api/payments.payouts-batch/v1/#definition-batch_enum).
const (
	batchPending    = "PENDING"
	batchProcessing = "PROCESSING"
	batchDenied     = "DENIED"
	batchCanceled   = "CANCELED"
)

// The statuses of an item
// (https://developer.paypal.com/docs/api/payments.payouts-batch/v1/#definition-transaction_enum).
const (
	itemSuccess   = "SUCCESS"
	itemPending   = "PENDING"
	itemUnclaimed = "UNCLAIMED"
	itemOnHold    = "ONHOLD"
	itemBlocked   = "BLOCKED"
	itemFailed    = "FAILED"
	itemReturned  = "RETURNED"
	itemRefunded  = "REFUNDED"
	itemReversed  = "REVERSED"
)

func cannotTell(words string) payout.Finding {
	return payout.Finding{Answer: payout.CannotTell, Detail: words}
}

// find reads the answer to a look-up. A batch that PayPal does not know is no
// proof that there is none: it may be another account's.
func (p *Provider) find(reference string, want frozen, a answer) payout.Finding {
	if a.status != http.StatusOK {
		words := "PayPal's answer to the look-up says nothing about the batch"
		if a.status == http.StatusNotFound {
			words = "PayPal does not know the batch: check that the credentials are of the account that paid, live or sandbox"
		}
		return payout.Finding{Answer: payout.CannotTell, RetryAfter: a.retryAfter, Detail: a.words(words)}
	}
	var found batch
	if a.bodyErr != nil || json.Unmarshal(a.body, &found) != nil {
		return cannotTell(a.plain("PayPal's answer to the look-up cannot be read"))
	}
	if words := found.mismatch(reference, want); words != "" {
		return cannotTell(words)
	}
	finding := p.conclude(found)
	if finding.Answer != payout.CannotTell {
		finding.Reference = reference
	}
	return finding
}

// mismatch says in words why the batch is not the one that was sent.
func (b batch) mismatch(reference string, want frozen) string {
	header := b.Header
	switch {
	case header.ID != reference:
		return "PayPal answered with another batch than the one that was asked for"
	case header.Sender.Key != want.key && (header.Sender.Key != "" || len(b.Items) == 0):
		return "PayPal's batch does not carry this payout's key: look at it there before anything else"
	case len(b.Items) == 0:
		return ""
	case len(b.Items) > 1:
		return "PayPal's batch has more than one item, and ours have one: look at it there before anything else"
	}
	there := b.Items[0].Item
	switch {
	case there.Key != want.key:
		return "the item of PayPal's batch does not carry this payout's key: look at it there before anything else"
	case there.Amount.Currency != want.amount.Currency:
		return "the item of PayPal's batch has another currency than this payout: look at it there before anything else"
	case !sameValue(there.Amount.Value, want.amount.Value):
		return "the item of PayPal's batch has another amount than this payout: look at it there before anything else"
	}
	return ""
}

// conclude judges our own batch. Its item decides; the batch speaks only for
// an item that says nothing itself, or that still waits in a batch which PayPal
// has denied: a batch is SUCCESS as soon as all items were worked off, whatever
// became of them.
func (p *Provider) conclude(b batch) payout.Finding {
	var one item
	if len(b.Items) == 1 {
		one = b.Items[0]
	}
	if one.Status != "" && one.Status != itemPending {
		return p.concludeItem(one)
	}
	switch b.Header.Status {
	case batchDenied, batchCanceled:
		return payout.Finding{Answer: payout.FoundFailed, Detail: one.words("PayPal did not process the batch: it is " + b.Header.Status)}
	case batchPending, batchProcessing:
		return payout.Finding{Answer: payout.FoundPending, Detail: one.words("PayPal has not finished it")}
	}
	if one.Status == itemPending {
		return p.concludeItem(one)
	}
	return cannotTell("PayPal's batch says nothing of what became of its item")
}

func (p *Provider) concludeItem(i item) payout.Finding {
	switch i.Status {
	case itemSuccess:
		return payout.Finding{Answer: payout.FoundSettled, Detail: "PayPal has paid it"}
	case itemPending:
		return payout.Finding{Answer: payout.FoundPending, Detail: i.words("PayPal has not finished it")}
	case itemOnHold:
		return payout.Finding{Answer: payout.FoundPending, Detail: i.words("PayPal holds it for a review")}
	case itemBlocked:
		return payout.Finding{Answer: payout.FoundPending, Detail: i.words("PayPal has blocked it: ask PayPal's support")}
	case itemUnclaimed:
		if p.unclaimedPaid {
			return payout.Finding{Answer: payout.FoundSettled, Detail: i.words("PayPal has told the receiver, who has not claimed it yet; that counts as paid here")}
		}
		return payout.Finding{Answer: payout.FoundPending, Detail: i.words("the receiver has not claimed it yet; what is not claimed within 30 days comes back")}
	case itemFailed:
		return payout.Finding{Answer: payout.FoundFailed, Detail: i.words("PayPal could not pay it")}
	case itemReturned:
		return payout.Finding{Answer: payout.FoundReturned, Detail: i.words("PayPal has sent it back, because it was not claimed or was cancelled")}
	case itemRefunded:
		return payout.Finding{Answer: payout.FoundReturned, Detail: i.words("the receiver has refunded it")}
	case itemReversed:
		return payout.Finding{Answer: payout.FoundReturned, Detail: i.words("PayPal has reversed it")}
	}
	return cannotTell(i.words("PayPal's item has a status that is not documented"))
}

// words returns the words with what PayPal says about the item.
func (i item) words(words string) string {
	said, _ := i.Errors.(map[string]any)
	name := document(said).text("name")
	if name == "" {
		return words
	}
	return words + ": " + payout.PlainWords(name+", "+document(said).text("message"))
}
