package relational

import (
	"context"
	"errors"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// classify turns what the database said about work that was not committed
// into a fault. A fault stays what it is; nil stays nil.
func classify(d Dialect, op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(fault.Unavailable, op, "the caller stopped waiting before anything was done", err)
	}
	found := d.Diagnose(err)
	if found.Passing {
		return fault.Wrap(fault.Unavailable, op, found.Words, err)
	}
	return fault.Wrap(fault.Internal, op, found.Words, err)
}

// classifyLost is classify for an error that ended a whole batch before its
// commit: it is no caller whose time is over.
func classifyLost(d Dialect, op string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(fault.Unavailable, op, "the database did not answer in time; nothing was changed", err)
	}
	return classify(d, op, err)
}

// classifyCommit is classify for an error of COMMIT itself. Only what proves
// that nothing was committed is not ambiguous.
func classifyCommit(d Dialect, op string, err error) error {
	found := d.Diagnose(err)
	if found.Uncommitted {
		return classifyLost(d, op, err)
	}
	return fault.Wrap(fault.Ambiguous, op, "the commit failed and may have happened: "+found.Words, err)
}

func notFound(op, message string) error { return fault.New(fault.NotFound, op, message) }

func conflict(op, message string) error { return fault.New(fault.Conflict, op, message) }

func invalid(op, message string) error { return fault.New(fault.Invalid, op, message) }
