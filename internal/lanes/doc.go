// Package lanes holds the tests that judge approvals on every lane by which a
// person's decision can come in: the console, the API, the command line, Slack,
// and Temporal's update and signals.
//
// Each test runs a whole process of rewardflow within itself, on a real ledger
// and an embedded Temporal server, between doubles of FirstPromoter, of a
// provider and of Slack. A lane is used as its people use it: forms are sent as
// the page has them, clicks are signed as Slack signs them, commands are run as
// they are typed. What came of it is read from the ledger by a handle of the
// test's own.
//
// The tests run one after the other, each in its own world, and their cells side
// by side: two Temporal servers at once are slower than one after the other.
package lanes
