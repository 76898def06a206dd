// Package ledger is the durable record of every event, reward, decision,
// payout attempt and outcome, and it holds the fences that keep a reward from
// being paid or closed twice.
//
// The record outlives Temporal's retention, and Temporal's database can be
// rebuilt from it. This package declares the record and its contract; the
// adapters (ledger/sqlite, ledger/postgres) implement it and run the suite in
// ledger/ledgertest.
//
// Every method is safe for concurrent use, by several processes on one
// database. A method either commits everything that it says, before it
// returns, or returns an error and has changed nothing; an error of kind
// fault.Ambiguous says that the commit itself may or may not have happened.
// All times are stored in UTC with millisecond precision.
package ledger

import "context"

// Ledger is everything that an adapter provides. Consumers declare the small
// part that they use.
type Ledger interface {
	Inbox
	Log
	Replays
	UnstoredLog
	Notifications
	Rewards
	Decisions
	Payouts
	Watch
	History
	Closing
	Brake
	Statement
	ApprovalMessages
	Sessions
	Overviews
	Monitor
	PersonalData
	// Ping reports whether the inbox can commit, by a write that leaves no trace.
	Ping(ctx context.Context) error
	Close() error
}
