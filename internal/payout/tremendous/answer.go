package tremendous

import (
	"encoding/json"
	"net/http"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

// judge classifies the answer to a POST by the table of
// docs/providers/tremendous.md. Whatever it does not recognise is unknown:
// Tremendous may have paid.
func judge(want frozen, a answer) payout.Outcome {
	switch a.status {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted:
		return judgeOrder(want, a)
	case http.StatusUnauthorized:
		return denied(a, "Tremendous did not accept the API key: check that it and base_url are of the same environment, live or sandbox")
	case http.StatusForbidden:
		return denied(a, "Tremendous does not allow this API key to create orders")
	case http.StatusTooManyRequests:
		return payout.Outcome{
			Class: payout.ClassNotSent, Kind: fault.Throttled, RetryAfter: a.retryAfter,
			Detail: a.words("Tremendous asked to come back later"),
		}
	case http.StatusBadRequest, http.StatusPaymentRequired, http.StatusConflict, http.StatusUnprocessableEntity:
		return judgeRejection(a)
	case http.StatusNotFound:
		return unknown(a, "Tremendous has no orders at this address: check base_url")
	}
	if a.status >= 300 && a.status < 400 {
		return unknown(a, "Tremendous redirected, and redirects are not followed")
	}
	return unknown(a, "Tremendous's answer does not say whether it paid")
}

func unknown(a answer, words string) payout.Outcome {
	return payout.Outcome{Class: payout.ClassUnknown, RetryAfter: a.retryAfter, Detail: a.words(words)}
}

func denied(a answer, words string) payout.Outcome {
	return payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Denied, RetryAfter: a.retryAfter, Detail: a.words(words)}
}

// judgeOrder reads the order in an answer. 200 has made it, 202 has made it and
// waits for an approval, 201 has it from before; what became of it says the
// order itself in all three cases.
//
// Older descriptions of the API let 201 answer whatever the request asks for, so
// the order is compared with what was sent.
func judgeOrder(want frozen, a answer) payout.Outcome {
	var made struct {
		Order order `json:"order"`
	}
	if a.bodyErr != nil || json.Unmarshal(a.body, &made) != nil {
		return unknown(a, "Tremendous's answer cannot be read")
	}
	if !isID(made.Order.ID) {
		return unknown(a, "Tremendous's answer names no order")
	}
	if made.Order.ExternalID != want.key {
		return unknown(a, "Tremendous's answer is not about this payout")
	}
	if words := made.Order.mismatch(want); words != "" {
		return payout.Outcome{Class: payout.ClassConflict, Detail: words}
	}
	found := made.Order.conclude()
	if found.Answer == payout.FoundFailed {
		return payout.Outcome{Class: payout.ClassRefused, Detail: found.Detail}
	}
	return payout.Outcome{
		Class: payout.ClassAccepted, Settled: found.Answer == payout.FoundSettled,
		Reference: made.Order.ID, Detail: found.Detail,
	}
}

// judgeRejection reads a 4xx, which says something only in one of Tremendous's
// error documents.
func judgeRejection(a answer) payout.Outcome {
	d, ok := a.document()
	if !ok {
		return unknown(a, "Tremendous's answer cannot be read")
	}
	switch a.status {
	case http.StatusConflict:
		return payout.Outcome{Class: payout.ClassConflict, Detail: a.words("Tremendous has an order with this key that asks for something else")}
	case http.StatusPaymentRequired:
		return denied(a, "the funding source does not cover it: top it up at Tremendous")
	}
	if d.hintsAtDuplicate() {
		return unknown(a, "Tremendous seems to know the key, and does not say what became of it")
	}
	return payout.Outcome{Class: payout.ClassRefused, Detail: a.words("Tremendous refused it")}
}
