package paypal

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

// judge classifies the answer to a POST by the table of
// docs/providers/paypal.md. Whatever it does not recognise is unknown: PayPal
// may have paid.
func (p *Provider) judge(key string, a answer) payout.Outcome {
	switch {
	case a.status == http.StatusCreated || a.status == http.StatusOK:
		return judgeCreated(key, a)
	case a.status == http.StatusForbidden:
		return denied(a, "PayPal does not allow this account to pay")
	case a.status == http.StatusTooManyRequests:
		return payout.Outcome{
			Class: payout.ClassNotSent, Kind: fault.Throttled, RetryAfter: a.retryAfter,
			Detail: a.words("PayPal asked to come back later"),
		}
	case a.status >= 400 && a.status < 500:
		return p.judgeRejection(a)
	case a.status >= 300 && a.status < 400:
		return unknown(a, "PayPal redirected, and redirects are not followed")
	}
	return unknown(a, "PayPal's answer does not say whether it paid")
}

func unknown(a answer, words string) payout.Outcome {
	return payout.Outcome{Class: payout.ClassUnknown, RetryAfter: a.retryAfter, Detail: a.words(words)}
}

func denied(a answer, words string) payout.Outcome {
	return payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Denied, RetryAfter: a.retryAfter, Detail: a.words(words)}
}

func accepted(batchID, words string) payout.Outcome {
	return payout.Outcome{Class: payout.ClassAccepted, Reference: batchID, Detail: words}
}

// judgeCreated reads the answer to a batch that was made. It is never settled:
// PayPal has checked no more than the syntax by then. A 200 says of itself
// nothing about our batch, as a 201 does, so it must carry our key.
func judgeCreated(key string, a answer) payout.Outcome {
	var made batch
	if a.bodyErr != nil || json.Unmarshal(a.body, &made) != nil {
		return unknown(a, "PayPal's answer cannot be read")
	}
	if !isBatchID(made.Header.ID) {
		return unknown(a, "PayPal's answer names no batch")
	}
	if a.status != http.StatusCreated && made.Header.Sender.Key != key {
		return unknown(a, "PayPal's answer is not about this payout")
	}
	return accepted(made.Header.ID, "PayPal has accepted it and pays it later")
}

// judgeRejection reads a 4xx, which is a refusal only if PayPal says so in one
// of its error documents, by a name that is known to mean it.
func (p *Provider) judgeRejection(a answer) payout.Outcome {
	d, ok := a.document()
	if !ok {
		return unknown(a, "PayPal's answer cannot be read")
	}
	switch a.status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
		if ids := p.duplicates(d); len(ids) == 1 {
			return accepted(ids[0], "PayPal has it already, from an earlier try")
		}
	}
	switch {
	case a.status == http.StatusRequestTimeout, a.status == http.StatusConflict:
		return unknown(a, "PayPal did not finish with it")
	case d.hintsAtDuplicate():
		return unknown(a, "PayPal seems to know the key, and does not say under which batch")
	case slices.ContainsFunc(d.codes(), blamesSender):
		return denied(a, "PayPal did not take it, because of our account")
	case refuses(d.text("name")):
		return payout.Outcome{Class: payout.ClassRefused, Detail: a.words("PayPal refused it")}
	}
	return unknown(a, "PayPal rejected it, and it is not certain that nothing was paid")
}

// blamesSender reports whether an error is about our own account: nothing was
// done, and the same payout can be made when the account is in order. The
// names are PayPal's, of the API and of the activity log
// (https://developer.paypal.com/docs/payouts/standard/reports/view-transactions/).
func blamesSender(name string) bool {
	switch name {
	case "INSUFFICIENT_FUNDS", "NEGATIVE_BALANCE", "NON_HOLDING_CURRENCY", "USER_FUNDING_SOURCE_INELIGIBLE",
		"USER_COUNTRY_NOT_ALLOWED", "SPENDING_LIMIT_EXCEEDED", "POS_LIMIT_EXCEEDED",
		"ACCOUNT_RESTRICTED", "ACCOUNT_UNCONFIRMED_EMAIL", "REFUSED_ACTION_DENIED",
		"SENDER_EMAIL_UNCONFIRMED", "SENDER_RESTRICTED", "SENDER_STATE_RESTRICTED",
		"AUTHENTICATION_FAILURE", "AUTHORIZATION_ERROR", "NOT_AUTHORIZED", "PERMISSION_DENIED", "REQUIRED_SCOPE_MISSING":
		return true
	}
	return strings.HasPrefix(name, "SENDER_ACCOUNT_")
}

// refuses reports whether an error is about the payout itself: nothing was
// done, and nothing will be.
//
// USER_BUSINESS_ERROR is missing on purpose. It is the name of the answer to a
// duplicate, and older answers of that kind had no link
// (https://github.com/paypal/PayPal-Ruby-SDK/issues/120), so that without a
// link it proves nothing. PayPal's advice for it, another sender_batch_id, is
// how to pay twice.
func refuses(name string) bool {
	switch name {
	case "VALIDATION_ERROR", "INVALID_REQUEST", "MALFORMED_REQUEST", "MALFORMED_REQUEST_ERROR", "UNPROCESSABLE_ENTITY",
		"RESOURCE_NOT_FOUND", "METHOD_NOT_SUPPORTED", "METHOD_NOT_ALLOWED", "UNSUPPORTED_MEDIA_TYPE", "MEDIA_TYPE_NOT_ACCEPTABLE",
		"INVALID_EMAIL_ID", "ZERO_AMOUNT", "SELF_PAY_NOT_ALLOWED", "REFUSED_RECEIVER_REFUSED", "CLOSED_MARKET",
		"RISK_DECLINE", "RECEIVING_LIMIT_EXCEEDED", "TRANSACTION_LIMIT_EXCEEDED", "UNVERIFIED_RECIPIENT_NOT_SUPPORTED",
		"CURRENCY_COMPLIANCE", "CURRENCY_NOT_SUPPORTED_FOR_RECEIVER", "REGULATORY_BLOCKED":
		return true
	}
	return strings.HasPrefix(name, "RECEIVER_")
}
