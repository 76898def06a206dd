#!/usr/bin/env bash
# The topology of docker-compose.yml as processes on this machine, without
# containers: PostgreSQL (Debian: the package postgresql), a Temporal server on
# it, two of the API behind a proxy, two workers. It fulfils 200 rewards while
# each of them is restarted once. internal/e2e/topology_test.go says how.
set -euo pipefail
cd "$(dirname "$0")/.."
export REWARDFLOW_POSTGRES=required
exec go test -count=1 -timeout 15m -run '^TestTopology$' -v ./internal/e2e "$@"
