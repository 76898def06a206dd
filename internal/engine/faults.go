package engine

import (
	"slices"

	"go.temporal.io/server/common/config"
)

// StoreFault makes one method of one of the server's stores fail, at a rate.
type StoreFault struct {
	// Store and Method are the server's own names: "ExecutionStore",
	// "UpdateWorkflowExecution".
	Store  string
	Method string
	// Error is one of StoreErrors.
	Error string
	// Rate is the part of the calls that fail, from 0 to 1.
	Rate float64
	// Seed makes the choice of the calls repeatable.
	Seed int64
}

// StoreErrors are the errors that a store can be made to give. After
// ExecuteAndTimeout the call has had its effect all the same.
func StoreErrors() []string {
	return []string{"Timeout", "ExecuteAndTimeout", "Unavailable", "ResourceExhausted"}
}

// injection translates faults into the server's configuration; nil for none.
// What is no StoreFault that the server knows is left out, because the server
// panics at it.
func injection(faults []StoreFault) *config.FaultInjection {
	if len(faults) == 0 {
		return nil
	}
	var in config.FaultInjection
	for _, f := range faults {
		if !slices.Contains(StoreErrors(), f.Error) || f.Rate <= 0 || f.Rate > 1 {
			continue
		}
		store := config.DataStoreName(f.Store)
		in.WithError(store, f.Method, f.Error, f.Rate)
		in.WithMethodSeed(store, f.Method, f.Seed)
	}
	return &in
}
