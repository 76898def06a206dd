package activities

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// asTemporal projects a fault onto Temporal's retry behaviour: which kinds are
// tried again, and when. The cause stays behind: a history outlives every
// rotation of a secret.
func asTemporal(err error) error {
	if err == nil {
		return nil
	}
	kind := fault.KindOf(err)
	message := fault.Message(err)
	if e, ok := errors.AsType[*fault.Error](err); ok {
		message = e.Error()
	}
	return temporal.NewApplicationErrorWithOptions(message, string(kind), temporal.ApplicationErrorOptions{
		NonRetryable:   !retryable(kind),
		NextRetryDelay: fault.RetryAfter(err),
	})
}

// retryable says whether the same activity may simply be run again. That is
// safe for every activity here, an ambiguous failure included, because each
// looks at the ledger before it acts; the kinds that are not retryable are
// those that another run cannot mend.
func retryable(kind fault.Kind) bool {
	switch kind {
	case fault.Throttled, fault.Unavailable, fault.Ambiguous, fault.Denied:
		// Denied is mended by an operator, who should not have to touch every
		// waiting reward afterwards.
		return true
	case fault.Invalid, fault.NotFound, fault.Conflict, fault.Declined, fault.Internal:
		return false
	}
	return false
}
