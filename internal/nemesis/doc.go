// Package nemesis attacks rewardflow's real processes from a seed, and counts
// the money afterwards.
//
// A Schedule is drawn from a seed and from nothing else. A world starts the
// doubles of FirstPromoter and of a provider, a Temporal server, and the lean
// binary's API and worker, each a process of its own, with a proxy on every wire
// between them; then it plays the schedule: traffic, people, faults. When the
// faults are over it reads the doubles' books, which are append-only and on the
// disk before anything is answered, and what its own HTTP clients were told, and
// holds them against the invariants. What rewardflow believes about money is
// never asked. docs/nemesis.md describes all of it.
package nemesis
