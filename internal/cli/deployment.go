package cli

import (
	"cmp"
	"runtime/debug"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/worker"
)

// The variables that Temporal's Worker Controller sets for the workers that it
// starts (https://github.com/temporalio/temporal-worker-controller).
const (
	deploymentVariable = "TEMPORAL_DEPLOYMENT_NAME"
	buildVariable      = "TEMPORAL_WORKER_BUILD_ID"
)

// deploymentOf returns the version that workers of this program belong to; its
// zero value where workers have no versions.
func deploymentOf(cfg *config.Config, env Env) worker.Deployment {
	get := func(name string) string {
		value, _ := env.Lookup(name)
		return value
	}
	name := cmp.Or(get(deploymentVariable), cfg.Temporal.Deployment)
	if name == "" {
		return worker.Deployment{}
	}
	return worker.Deployment{Name: name, Build: cmp.Or(get(buildVariable), cfg.Temporal.BuildID, builtID(env.Version))}
}

// builtID names this build: by the commit that Go stamped into it, with a mark
// where files had changed since; by the version where it knows no commit.
func builtID(version string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version
	}
	var revision, mark string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			mark = "-modified"
		}
	}
	if revision == "" {
		return version
	}
	return revision[:min(len(revision), 12)] + mark
}
