// Command peer is one contender's process: a queue or a library that needs no
// server inside.
package main

import (
	"os"

	"github.com/rewardflow/rewardflow/bench/internal/peers"
)

func main() { os.Exit(peers.Serve(os.Getenv(peers.Variable), peers.Openers())) }
