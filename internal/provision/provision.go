// Package provision makes what rewardflow needs of a Temporal server: a
// namespace, search attributes, the schedule of the reconciliation, and the
// current version of its workers. Each may be done again at any time. What this
// client may not do is told, with what to type instead.
package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/durationpb"
)

// DefaultRetention is how long closed workflows stay in a namespace that is made
// here.
const DefaultRetention = 30 * 24 * time.Hour

const (
	// settleEvery is how often a thing that was just made is looked for: the
	// services of a cluster hear of it from their caches.
	settleEvery = 250 * time.Millisecond
	// settleWithin bounds that.
	settleWithin = 60 * time.Second
	callTimeout  = 10 * time.Second
)

// Result is what became of one thing.
type Result struct {
	// Made is true when it was not there before.
	Made bool
	// Detail says in words what is so now.
	Detail string
}

// ByHandError says that something is missing and that this client may not, or
// cannot, make it.
type ByHandError struct {
	// What is missing, in words.
	What string
	// Do says what to do: a command, or more than one, each on a line.
	Do    string
	Cause error
}

// Error says what is missing.
func (e *ByHandError) Error() string { return e.What }

// Unwrap returns the cause.
func (e *ByHandError) Unwrap() error { return e.Cause }

// Namespace registers a namespace that does not exist, and waits until the
// server knows it everywhere. One that exists is left as it is.
func Namespace(ctx context.Context, c client.Client, name string, retention time.Duration) (Result, error) {
	command := fmt.Sprintf("temporal operator namespace create --namespace %s --retention %s (in Temporal Cloud: make it in its web UI)", name, hours(retention))
	service := c.WorkflowService()
	_, err := service.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: name})
	switch {
	case err == nil:
		return Result{Detail: "the namespace " + name + " is there"}, nil
	case isNotFound(err):
	case denied(err):
		return Result{}, &ByHandError{
			What: "the server does not let this client see the namespace " + name, Cause: err,
			Do: "see that TEMPORAL_NAMESPACE and the credentials belong together; if it does not exist: " + command,
		}
	default:
		return Result{}, fmt.Errorf("looking for the namespace %s: %w", name, err)
	}

	_, err = service.RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		Description: "rewardflow: fulfils FirstPromoter rewards",
	})
	switch {
	case isAlready(err): // Somebody else made it meanwhile.
	case denied(err):
		return Result{}, &ByHandError{What: "there is no namespace " + name + ", and this client may not make it", Do: command, Cause: err}
	case err != nil:
		return Result{}, fmt.Errorf("registering the namespace %s: %w", name, err)
	}
	err = settle(ctx, func(ctx context.Context) error {
		_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: name})
		return err
	})
	if err != nil {
		return Result{}, fmt.Errorf("waiting until the namespace %s can be used: %w", name, err)
	}
	return Result{Made: true, Detail: fmt.Sprintf("the namespace %s was made; it keeps closed workflows for %s", name, hours(retention))}, nil
}

// Lacking says which search attributes a namespace does not have, and changes
// nothing. The error is a *ByHandError where some are missing or of another type.
func Lacking(ctx context.Context, c client.Client, namespace string, keys []temporal.SearchAttributeKey) error {
	found, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("reading the search attributes of the namespace %s: %w", namespace, err)
	}
	var lacking []temporal.SearchAttributeKey
	for _, key := range keys {
		if is, ok := found.GetCustomAttributes()[key.GetName()]; !ok || is != key.GetValueType() {
			lacking = append(lacking, key)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return &ByHandError{
		What: fmt.Sprintf("the namespace %s lacks the search attributes %s, so no workflow can start", namespace, list(lacking)),
		Do:   "rewardflow setup, or: " + attributeCommand(namespace, lacking),
	}
}

// SearchAttributes adds those that the namespace does not have, and waits until
// a query may name each of them.
func SearchAttributes(ctx context.Context, c client.Client, namespace string, keys []temporal.SearchAttributeKey) (Result, error) {
	found, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if denied(err) {
		return Result{}, &ByHandError{
			What: "the server does not let this client see which search attributes the namespace " + namespace + " has", Cause: err,
			Do: "see that they are there: " + attributeCommand(namespace, keys),
		}
	}
	if err != nil {
		return Result{}, fmt.Errorf("reading the search attributes of the namespace %s: %w", namespace, err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	var lacking []temporal.SearchAttributeKey
	for _, key := range keys {
		switch is, ok := found.GetCustomAttributes()[key.GetName()]; {
		case !ok:
			missing[key.GetName()] = key.GetValueType()
			lacking = append(lacking, key)
		case is != key.GetValueType():
			return Result{}, &ByHandError{
				What: fmt.Sprintf("the search attribute %s of the namespace %s is a %s, and a %s is needed", key.GetName(), namespace, is, key.GetValueType()),
				Do:   "use another namespace, or rename that search attribute",
			}
		}
	}
	if len(missing) == 0 {
		return Result{Detail: list(keys) + " are there"}, nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
	switch {
	case isAlready(err):
	case denied(err):
		return Result{}, &ByHandError{
			What: fmt.Sprintf("the namespace %s lacks the search attributes %s, and this client may not add them", namespace, list(lacking)),
			Do:   attributeCommand(namespace, lacking), Cause: err,
		}
	case err != nil:
		return Result{}, fmt.Errorf("adding the search attributes %s: %w", list(lacking), err)
	}
	err = settle(ctx, func(ctx context.Context) error {
		_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: allUnset(keys)})
		return err
	})
	if err != nil {
		return Result{}, fmt.Errorf("waiting until the search attributes can be used: %w", err)
	}
	return Result{Made: true, Detail: list(lacking) + " were added"}, nil
}

// Schedule sets the schedule of the reconciliation by a function that does so.
func Schedule(ctx context.Context, namespace string, set func(context.Context) error) (Result, error) {
	var last error
	err := settle(ctx, func(ctx context.Context) error {
		if last = set(ctx); isNotFound(last) {
			return last // The namespace was just made.
		}
		return nil
	})
	err = errors.Join(err, last)
	if denied(err) {
		return Result{}, &ByHandError{
			What: "this client may not make schedules in the namespace " + namespace + ", so a payout that comes back after it was delivered is not noticed", Cause: err,
			Do: "let its credentials write to the namespace, and run this again",
		}
	}
	if err != nil {
		return Result{}, err
	}
	return Result{Detail: "the reconciliation is scheduled for every hour"}, nil
}

// settle repeats a call until it works.
func settle(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	ticker := time.NewTicker(settleEvery)
	defer ticker.Stop()
	for {
		attempt, stop := context.WithTimeout(ctx, callTimeout)
		err := call(attempt)
		stop()
		if err == nil || denied(err) {
			return nil // What may not be asked cannot be waited for.
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// denied reports whether a server refused a call for good: it is not allowed, or
// the server does not have it, as Temporal Cloud has no namespace registration.
func denied(err error) bool {
	return errors.As(err, new(*serviceerror.PermissionDenied)) || errors.As(err, new(*serviceerror.Unimplemented))
}

func isNotFound(err error) bool {
	return errors.As(err, new(*serviceerror.NamespaceNotFound)) || errors.As(err, new(*serviceerror.NotFound))
}

func isFailedPrecondition(err error) bool {
	return errors.As(err, new(*serviceerror.FailedPrecondition))
}

func isAlready(err error) bool {
	return errors.As(err, new(*serviceerror.NamespaceAlreadyExists)) || errors.As(err, new(*serviceerror.AlreadyExists))
}
