.PHONY: help build test race check bench bench-engine bench-steady demo mutants dependencies

help: ## Show this help.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## Build both programs into bin/.
	go build -trimpath -o bin/ ./cmd/...

test: ## Run the tests.
	go test ./...

race: ## Run the tests with the race detector, in random order.
	go test -race -shuffle=on -timeout 30m ./...

mutants: ## Break each promise once, and see a test fail.
	go run ./internal/mutants

dependencies: ## Write docs/dependencies.md: what the programs hold, with licences.
	cd release && go run ./dependencies

check: ## Do what CI does.
	.ci/run

bench: ## Compare with DBOS, River and others, and write docs/benchmarks.md (15 minutes, on a quiet machine).
	cd bench && go run . -out ../docs/benchmarks.md

bench-engine: ## Compare with the plain engine, without processes and doubles.
	go test -run '^$$' -bench . -benchtime 3x ./internal/intake ./worker

bench-steady: ## 1,000 events a second for a minute, and the same with 200,000 rewards in the ledger (10 minutes).
	cd bench && go run ./cmd/steady -past 2000,200000 -rounds 2

demo: ## Show rewards on their way.
	go run ./cmd/standalone demo
