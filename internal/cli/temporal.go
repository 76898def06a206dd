package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"

	"github.com/rewardflow/rewardflow/internal/provision"
	"github.com/rewardflow/rewardflow/workflows"
)

// temporalOptions reads Temporal's own variables and profiles.
func temporalOptions(env Env) (client.Options, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: variables{env}})
	if err != nil {
		return client.Options{}, &failure{
			code:    exitFailure,
			message: fmt.Sprintf("Temporal's variables or its profile cannot be used: %v", err),
			next:    "correct the TEMPORAL_* variables, or the file that TEMPORAL_CONFIG_FILE names",
		}
	}
	return options, nil
}

// variables gives envconfig the environment.
type variables struct{ env Env }

func (v variables) Environ() []string                    { return v.env.Environ() }
func (v variables) LookupEnv(name string) (string, bool) { return v.env.Lookup(name) }

// temporalChecks look at Temporal. The second needs what the first found out.
type temporalChecks struct {
	environment Env
	options     client.Options
	namespace   string
	reached     bool
}

// server looks whether Temporal answers and has the namespace.
func (t *temporalChecks) server(ctx context.Context) (string, error) {
	var err error
	if t.options, err = temporalOptions(t.environment); err != nil {
		return "", err
	}
	t.options.Logger = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	address := cmp.Or(t.options.HostPort, client.DefaultHostPort)
	namespace := cmp.Or(t.options.Namespace, client.DefaultNamespace)

	c, err := client.DialContext(ctx, t.options)
	if err != nil {
		return "", &failure{
			message: "Temporal cannot be reached at " + address,
			next:    "start it, or name it by TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and the other TEMPORAL_* variables",
		}
	}
	defer c.Close()
	_, err = c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	switch {
	case errors.As(err, new(*serviceerror.NamespaceNotFound)), errors.As(err, new(*serviceerror.NotFound)):
		return "", &failure{
			message: fmt.Sprintf("Temporal at %s has no namespace %s", address, namespace),
			next:    "rewardflow setup makes it where that is allowed; or set TEMPORAL_NAMESPACE",
		}
	case errors.As(err, new(*serviceerror.PermissionDenied)):
		return "", &failure{
			message: fmt.Sprintf("Temporal at %s does not let this process use the namespace %s", address, namespace),
			next:    "check TEMPORAL_API_KEY or the client certificate, and what it may do",
		}
	case err != nil:
		return "", &failure{
			message: fmt.Sprintf("Temporal at %s answers, and cannot say whether it has the namespace %s", address, namespace),
			next:    "look into Temporal's own log, and ask again",
		}
	}
	t.reached, t.namespace = true, namespace
	return fmt.Sprintf("it answers at %s, with the namespace %s", address, namespace), nil
}

// attributes looks whether the namespace has the search attributes.
func (t *temporalChecks) attributes(ctx context.Context) (string, error) {
	if !t.reached {
		return "", skipped("Temporal cannot be asked")
	}
	c, err := client.DialContext(ctx, t.options)
	if err != nil {
		return "", skipped("Temporal cannot be asked")
	}
	defer c.Close()
	err = provision.Lacking(ctx, c, t.namespace, workflows.SearchAttributes())
	if missing, ok := errors.AsType[*provision.ByHandError](err); ok {
		return "", &failure{message: missing.What, next: missing.Do}
	}
	if err != nil {
		return "", skipped("Temporal does not say which search attributes the namespace " + t.namespace + " has")
	}
	return "all are there", nil
}

// worker looks whether a worker takes tasks: without one nothing moves.
func (t *temporalChecks) worker(ctx context.Context, taskQueue string) (string, error) {
	if !t.reached {
		return "", skipped("Temporal cannot be asked")
	}
	c, err := client.DialContext(ctx, t.options)
	if err != nil {
		return "", skipped("Temporal cannot be asked")
	}
	defer c.Close()
	queue, err := c.DescribeTaskQueue(ctx, taskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return "", skipped("Temporal does not say who takes tasks from the queue " + taskQueue)
	}
	if len(queue.GetPollers()) == 0 {
		return "", &failure{
			message: "no worker takes tasks from the queue " + taskQueue + ", so no reward moves",
			next:    "rewardflow worker --config rewardflow.yaml",
		}
	}
	return fmt.Sprintf("tasks of the queue %s are taken", taskQueue), nil
}
