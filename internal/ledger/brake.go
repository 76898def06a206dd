package ledger

import (
	"context"
	"time"
)

// AllProviders is the brake's scope that covers every provider.
const AllProviders = "all"

// BrakeState is one switch of the brake.
type BrakeState struct {
	// Scope is AllProviders or the configured name of one provider.
	Scope  string
	Paused bool
	Reason string
	By     string
	At     time.Time
}

// Brake is the switch that stops money from leaving. Claim obeys it.
type Brake interface {
	SetBrake(ctx context.Context, s BrakeState) error
	// Brakes returns every switch that was ever set, AllProviders first.
	Brakes(ctx context.Context) ([]BrakeState, error)
}
