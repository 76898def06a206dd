package provision

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"
)

// Current makes a build the current version of a worker deployment: from then on
// its workers get the tasks of every workflow that is not pinned elsewhere.
// Workers of that build must have asked for tasks before.
func Current(ctx context.Context, c client.Client, deployment, build string) (Result, error) {
	version := deployment + "." + build
	command := fmt.Sprintf("temporal worker deployment set-current-version --deployment-name %s --build-id %s", deployment, build)
	handle := c.WorkerDeploymentClient().GetHandle(deployment)
	found, err := handle.Describe(ctx, client.WorkerDeploymentDescribeOptions{})
	switch {
	case isNotFound(err):
		return Result{}, &ByHandError{
			What: "no worker of the deployment " + deployment + " has asked for tasks yet, so no version of it can be the current one", Cause: err,
			Do: "start the workers (rewardflow worker), and then: rewardflow setup --make-current",
		}
	case denied(err):
		return Result{}, &ByHandError{What: "this client may not see the worker deployment " + deployment, Do: command, Cause: err}
	case err != nil:
		return Result{}, fmt.Errorf("looking for the worker deployment %s: %w", deployment, err)
	}
	if now := found.Info.RoutingConfig.CurrentVersion; now != nil && now.BuildID == build {
		return Result{Detail: version + " is the current version"}, nil
	}
	_, err = handle.SetCurrentVersion(ctx, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: build, ConflictToken: found.ConflictToken})
	switch {
	case denied(err):
		return Result{}, &ByHandError{What: "this client may not change the worker deployment " + deployment, Do: command, Cause: err}
	case isFailedPrecondition(err):
		return Result{}, &ByHandError{
			What: fmt.Sprintf("%s cannot become the current version yet: its workers do not ask for the tasks of every queue, or somebody changes the deployment at this moment", version), Cause: err,
			Do: "start workers of this build (rewardflow worker), wait until they log worker.started, and try again",
		}
	case err != nil:
		return Result{}, fmt.Errorf("making %s the current version: %w", version, err)
	}
	return Result{Made: true, Detail: version + " is the current version now"}, nil
}

// IsCurrent says which version of a worker deployment gets the tasks. It changes
// nothing.
func IsCurrent(ctx context.Context, c client.Client, deployment, build string) (Result, error) {
	found, err := c.WorkerDeploymentClient().GetHandle(deployment).Describe(ctx, client.WorkerDeploymentDescribeOptions{})
	switch {
	case err != nil && (isNotFound(err) || denied(err)):
		return Result{Detail: "no version of the deployment " + deployment + " is known yet: start the workers, and then rewardflow setup --make-current"}, nil
	case err != nil:
		return Result{}, fmt.Errorf("looking for the worker deployment %s: %w", deployment, err)
	}
	now := found.Info.RoutingConfig.CurrentVersion
	switch {
	case now == nil:
		return Result{}, &ByHandError{
			What: "the deployment " + deployment + " has no current version, so its workers get no tasks",
			Do:   "rewardflow setup --make-current",
		}
	case now.BuildID == build:
		return Result{Detail: deployment + "." + build + " is the current version"}, nil
	}
	return Result{Detail: fmt.Sprintf("%s.%s is the current version, and this is the build %s: rewardflow setup --make-current changes over", deployment, now.BuildID, build)}, nil
}
