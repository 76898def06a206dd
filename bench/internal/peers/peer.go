// Package peers holds what a team might build this on instead of rewardflow:
// the same three calls (verify, pay, close), each by another engine, each in one
// file, written as the engine's own documentation recommends. A peer runs as a
// process of its own, which Serve is the main function of, so that it can be
// killed.
package peers

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"time"
)

// Reward is what an event asks for, and all that a peer keeps of it.
type Reward struct {
	ID         int64  `json:"id"`
	PromoterID int64  `json:"promoter_id"`
	CampaignID int64  `json:"campaign_id"`
	Amount     int64  `json:"amount"`
	Unit       string `json:"unit"`
}

// Key is the reward's ID in the words of an engine, and the idempotency key of
// its payout.
func (r Reward) Key() string { return "reward-" + strconv.FormatInt(r.ID, 10) }

// Peer works rewards off.
type Peer interface {
	// Accept takes a reward over. Once it returns nil the event is answered
	// with 202, and FirstPromoter sends it no more. A reward that was accepted
	// before is no error.
	Accept(ctx context.Context, r Reward) error
	// Address is where the peer's Temporal server is; empty without one.
	Address() string
	// Close stops the peer in good order.
	Close() error
}

// Setting is what a peer is opened with.
type Setting struct {
	// Dir is where it may keep files.
	Dir string
	// Database is the URL of a PostgreSQL database of its own; empty for a peer
	// that keeps SQLite files.
	Database string
	// Pipeline makes the calls.
	Pipeline *Pipeline
	Logger   *slog.Logger
}

// Opener opens a peer, migrates what needs migrating, and takes up what an
// earlier process left.
type Opener func(ctx context.Context, s Setting) (Peer, error)

// Openers returns the peers of this package by the name that a Spec calls them.
func Openers() map[string]Opener {
	return map[string]Opener{
		"dbos":           openDBOS,
		"river-sqlite":   openRiverSQLite,
		"river-postgres": openRiverPostgres,
		"naive":          openNaive,
	}
}

// TryFor bounds one try of a reward or of one of its calls, for every engine
// that wants to know. It is what rewardflow gives a payout's call; an engine
// that hears nothing from a process tries again after it.
const TryFor = 15 * time.Second

// errNotAReward says that an event asks for nothing.
var errNotAReward = errors.New("not a fulfilment_pending event with a reward")

// ReadEvent reads the body of a webhook, and keeps what a Reward has. It is an
// error unless it is a fulfilment_pending event.
func ReadEvent(body []byte) (Reward, error) {
	var event struct {
		Event struct{ Type string }
		Data  struct {
			ID       int64
			Amount   int64
			Unit     string
			Promoter struct{ ID int64 }
			Campaign struct{ ID int64 }
		}
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return Reward{}, err
	}
	if event.Event.Type != "fulfilment_pending" || event.Data.ID <= 0 {
		return Reward{}, errNotAReward
	}
	return Reward{
		ID: event.Data.ID, PromoterID: event.Data.Promoter.ID, CampaignID: event.Data.Campaign.ID,
		Amount: event.Data.Amount, Unit: event.Data.Unit,
	}, nil
}
