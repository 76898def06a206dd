// Command plain is one contender's process: a plain workflow on the embedded
// Temporal server.
package main

import (
	"os"

	"github.com/rewardflow/rewardflow/bench/internal/peers"
	"github.com/rewardflow/rewardflow/bench/internal/plain"
)

func main() {
	os.Exit(peers.Serve(os.Getenv(peers.Variable), map[string]peers.Opener{"plain": plain.Open}))
}
