package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// Options are functions, so that no workflow can edit another's. They are
// named for what is at stake.

// quick is for a first try, inside the workflow task, of what reads the
// outside or writes the ledger alone. It costs one marker. What does not
// succeed at once is done again by patient.
func quick(ctx workflow.Context) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    3 * time.Second,
		ScheduleToCloseTimeout: 3 * time.Second,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	})
}

// patient is for what may be repeated at will because it looks before it acts:
// verify, look up, close, and everything that writes the ledger alone. It is
// tried twice; then the workflow rests, where a person can reach it, and asks again.
func patient(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 45 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:        time.Second,
			BackoffCoefficient:     2,
			MaximumInterval:        20 * time.Second,
			MaximumAttempts:        2,
			NonRetryableErrorTypes: hopeless(),
		},
	})
}

// heard is for what a person said, which writes the ledger alone. It goes
// through the history, where quick would not do: the server forgets an update
// when its worker dies within the same workflow task, and the ledger would then
// hold a word of which the workflow never hears.
func heard(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:        500 * time.Millisecond,
			BackoffCoefficient:     2,
			MaximumAttempts:        3,
			NonRetryableErrorTypes: hopeless(),
		},
	})
}

// sendMoney is for the one activity that submits a payout. It has a single
// attempt: a timeout or a dead worker means that the outcome is unknown, and
// the workflow, not a retry policy, decides what comes next. Its timeout is
// longer than the client's.
func sendMoney(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 25 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	})
}

// inTurn has an activity wait for its turn at a provider whose payouts are
// limited. What has waited too long is assessed again, because nobody may take
// tasks from the queue any more: the provider was renamed, or its limit taken away.
func inTurn(ctx workflow.Context, queue string) workflow.Context {
	options := workflow.GetActivityOptions(ctx)
	options.TaskQueue, options.ScheduleToStartTimeout = queue, turnWithin
	return workflow.WithActivityOptions(ctx, options)
}

// turnWithin is how long a payout waits for its turn before it looks again. Until
// then no person can send it another way.
const turnWithin = 10 * time.Minute

// straight is for the way of a reward that needs nobody, in one go and inside
// the workflow task, while nothing else is known of it. It has a single attempt,
// as sendMoney has: what is not heard of is looked up. A worker that dies runs
// it again, or another one does, and finds in the ledger what the first one did.
func straight(ctx workflow.Context) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    25 * time.Second,
		ScheduleToCloseTimeout: 25 * time.Second,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	})
}

// watching is for a round of looks at what was paid. A round that dies is done
// again: it looks, and pays nothing.
func watching(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Minute,
		HeartbeatTimeout:    time.Minute,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:        5 * time.Second,
			BackoffCoefficient:     2,
			MaximumAttempts:        5,
			NonRetryableErrorTypes: hopeless(),
		},
	})
}

// hopeless lists the kinds of failure that another run cannot mend.
func hopeless() []string {
	return []string{
		string(fault.Invalid), string(fault.NotFound), string(fault.Conflict),
		string(fault.Declined), string(fault.Internal),
	}
}

// rest is how long a fulfilment rests after the nth trouble in a row.
func rest(n int) time.Duration {
	pause := 2 * time.Second
	for i := 1; i < n && pause < 5*time.Minute; i++ {
		pause *= 2
	}
	return min(pause, 5*time.Minute)
}
