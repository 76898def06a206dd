package stripe

import (
	"errors"
	"net/http"
	"net/url"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

// judge classifies an error of a call that was to have an effect. What it does
// not recognise is unknown. Sources of the table:
//
//	status codes    https://docs.stripe.com/api/errors
//	error codes     https://docs.stripe.com/error-codes
//	what is kept    https://docs.stripe.com/api/idempotent_requests
//	5xx, 429, 4xx   https://docs.stripe.com/error-low-level
func (c *client) judge(err error) payout.Outcome {
	e, ok := errors.AsType[*stripego.Error](err)
	if !ok {
		return unanswered(noAnswer(err))
	}
	switch {
	case e.HTTPStatusCode == http.StatusTooManyRequests:
		// Rate limiters and lock time-outs come before the idempotency layer.
		return payout.Outcome{
			Class: payout.ClassNotSent, Kind: fault.Throttled, RetryAfter: c.retryAfter(e),
			Detail: said("Stripe asks to come back later", e),
		}
	case e.HTTPStatusCode == http.StatusUnauthorized, e.HTTPStatusCode == http.StatusForbidden:
		return notSent(fault.Denied, said("the API key is not accepted or lacks a permission", e))
	case e.HTTPStatusCode >= http.StatusInternalServerError:
		// Stripe keeps a 500 and says it again to the same key, whatever was done.
		return unknown(said(replayed("Stripe failed, and may have done it", e), e))
	case inUse(e):
		return unknown(said("another request with the same key is at work", e))
	case e.Type == stripego.ErrorTypeIdempotency:
		return payout.Outcome{Class: payout.ClassConflict, Detail: said("Stripe knows the key with other parameters", e)}
	case e.Code == stripego.ErrorCodeBalanceInsufficient:
		return notSent(fault.Denied, said("the Stripe balance is too low: top it up. Stripe keeps this answer to the key for 24 hours", e))
	case e.LastResponse != nil && e.LastResponse.Header.Get("Stripe-Should-Retry") == "true":
		return unknown(said("Stripe's answer is not its last", e))
	case final(e):
		return payout.Outcome{Class: payout.ClassRefused, Detail: said("Stripe refuses", e)}
	}
	return unknown(said("Stripe's answer does not say whether it was done", e))
}

// final reports whether an error says that nothing was done, and that the same
// request will have the same answer.
func final(e *stripego.Error) bool {
	switch e.HTTPStatusCode {
	case http.StatusBadRequest, http.StatusPaymentRequired, http.StatusNotFound:
		return e.Type == stripego.ErrorTypeInvalidRequest || e.Type == stripego.ErrorTypeCard
	}
	return false
}

// inUse reports whether a request with the same key is being worked on.
func inUse(e *stripego.Error) bool {
	return e.HTTPStatusCode == http.StatusConflict || e.Code == stripego.ErrorCodeIdempotencyKeyInUse
}

// replayed says so when Stripe repeated an answer that it had kept.
func replayed(words string, e *stripego.Error) string {
	if e.LastResponse != nil && e.LastResponse.Header.Get("Idempotent-Replayed") == "true" {
		return words + " (it repeats the answer that it kept for the key)"
	}
	return words
}

// noAnswer classifies an error that is no answer of Stripe. Errors of stripe-go
// may hold the body of an answer, so their text is not used.
func noAnswer(err error) *fault.Error {
	const op = "stripe.call"
	if _, ok := errors.AsType[*url.Error](err); ok {
		return egress.Classify(op, err)
	}
	return fault.Wrap(fault.Ambiguous, op, "the answer broke off or cannot be read", err)
}

// unanswered is the outcome of a call that brought no answer.
func unanswered(failure *fault.Error) payout.Outcome {
	if failure.Kind == fault.Unavailable {
		return notSent(fault.Unavailable, failure.Message)
	}
	return unknown(failure.Message)
}

// unprepared is the outcome of a payout whose effect was not asked for,
// because something that must be read first could not be.
func unprepared(err error) payout.Outcome {
	switch kind := fault.KindOf(err); kind {
	case fault.NotFound, fault.Declined, fault.Invalid:
		return refused(fault.Message(err))
	case fault.Denied, fault.Throttled:
		return payout.Outcome{
			Class: payout.ClassNotSent, Kind: kind, Detail: fault.Message(err), RetryAfter: fault.RetryAfter(err),
		}
	default:
		return notSent(fault.Unavailable, fault.Message(err))
	}
}

func accepted(reference, detail string) payout.Outcome {
	return payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: reference, Detail: detail}
}

func refused(detail string) payout.Outcome {
	return payout.Outcome{Class: payout.ClassRefused, Detail: detail}
}

func unknown(detail string) payout.Outcome {
	return payout.Outcome{Class: payout.ClassUnknown, Detail: detail}
}

func notSent(kind fault.Kind, detail string) payout.Outcome {
	return payout.Outcome{Class: payout.ClassNotSent, Kind: kind, Detail: detail}
}

func found(reference, detail string) payout.Finding {
	return payout.Finding{Answer: payout.FoundSettled, Reference: reference, Detail: detail}
}

func absent(detail string) payout.Finding {
	return payout.Finding{Answer: payout.Absent, Detail: detail}
}

// cannotTell is the finding of a look-up that met a fault.
func cannotTell(err error) payout.Finding {
	return payout.Finding{Answer: payout.CannotTell, Detail: fault.Message(err), RetryAfter: fault.RetryAfter(err)}
}

// differs is the finding of a look-up that met our key on something else.
func differs(words string) payout.Finding {
	return payout.Finding{Answer: payout.CannotTell, Detail: words + ": look at it in the Stripe Dashboard before anything else"}
}
