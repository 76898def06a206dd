package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/server/common/config"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	pollEvery = 25 * time.Millisecond
	// attemptTimeout bounds one call of a loop that calls until it works.
	attemptTimeout = 5 * time.Second
)

// createNamespace writes the namespace into the database before the server
// starts, which spares the wait for its caches. It leaves an existing one as
// it is.
func createNamespace(cfg *config.SQL, o Options) error {
	attributes := make(map[string]enumspb.IndexedValueType, len(o.SearchAttributes))
	for _, key := range o.SearchAttributes {
		attributes[key.GetName()] = key.GetValueType()
	}
	ns, err := sqliteschema.NewNamespaceConfig(clusterName, o.Namespace, false, attributes)
	if err != nil {
		return fmt.Errorf("describing the namespace %q: %w", o.Namespace, err)
	}
	ns.Detail.Config.Retention = durationpb.New(o.Retention)
	if err := sqliteschema.CreateNamespaces(cfg, ns); err != nil {
		return fmt.Errorf("creating the namespace %q: %w", o.Namespace, err)
	}
	return nil
}

// prepareNamespace waits until the server answers, and brings a namespace
// that was there before up to what is asked now.
func (e *Engine) prepareNamespace(ctx context.Context, o Options) error {
	c, err := client.NewLazyClient(client.Options{
		HostPort:  e.Address(),
		Namespace: e.namespace,
		Logger:    sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer c.Close()

	if err := e.waitAnswers(ctx, c); err != nil {
		return fmt.Errorf("waiting for the first answer: %w", err)
	}
	if err := ensureRetention(ctx, c, o); err != nil {
		return fmt.Errorf("setting the retention of the namespace %q: %w", o.Namespace, err)
	}
	if err := e.ensureSearchAttributes(ctx, c, o); err != nil {
		return fmt.Errorf("registering search attributes: %w", err)
	}
	return nil
}

// waitAnswers asks for a workflow that does not exist until the server says so
// with authority, which takes all of its services.
func (e *Engine) waitAnswers(ctx context.Context, c client.Client) error {
	return e.until(ctx, func(ctx context.Context) error {
		_, err := c.DescribeWorkflowExecution(ctx, "rewardflow-readiness", "")
		if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
			return nil
		}
		return err
	})
}

func ensureRetention(ctx context.Context, c client.Client, o Options) error {
	found, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: o.Namespace})
	if err != nil {
		return err
	}
	if found.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration() == o.Retention {
		return nil
	}
	_, err = c.WorkflowService().UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: o.Namespace,
		Config:    &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(o.Retention)},
	})
	return err
}

// ensureSearchAttributes adds what an older namespace lacks and waits until a
// query may name every one of them.
func (e *Engine) ensureSearchAttributes(ctx context.Context, c client.Client, o Options) error {
	if len(o.SearchAttributes) == 0 {
		return nil
	}
	found, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: o.Namespace})
	if err != nil {
		return err
	}
	missing := make(map[string]enumspb.IndexedValueType)
	conditions := make([]string, 0, len(o.SearchAttributes))
	for _, key := range o.SearchAttributes {
		conditions = append(conditions, key.GetName()+" IS NULL")
		switch is, ok := found.GetCustomAttributes()[key.GetName()]; {
		case !ok:
			missing[key.GetName()] = key.GetValueType()
		case is != key.GetValueType():
			return fmt.Errorf("%s is a %s in the database, and a %s is needed: delete the database, or use another name",
				key.GetName(), is, key.GetValueType())
		}
	}
	if err := addSearchAttributes(ctx, c, o.Namespace, missing); err != nil {
		return err
	}
	return e.until(ctx, func(ctx context.Context) error {
		_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: o.Namespace,
			Query:     strings.Join(conditions, " AND "),
		})
		return err
	})
}

func addSearchAttributes(ctx context.Context, c client.Client, namespace string, missing map[string]enumspb.IndexedValueType) error {
	if len(missing) == 0 {
		return nil
	}
	_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace:        namespace,
		SearchAttributes: missing,
	})
	if _, ok := errors.AsType[*serviceerror.AlreadyExists](err); ok {
		return nil
	}
	return err
}

// until repeats a call until it works, the context ends, or the server gives up.
func (e *Engine) until(ctx context.Context, call func(context.Context) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := call(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-e.fatal.happened:
			return e.fatal.err()
		case <-ctx.Done():
			return fmt.Errorf("%w; the last answer was: %w", ctx.Err(), err)
		}
	}
}
