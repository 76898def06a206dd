package intake

import "context"

// ReplayBatch does once what a replayer does.
func ReplayBatch(ctx context.Context, r *Replayer) { r.batch(ctx) }

// Sweep does once what the first sweep of a dispatcher does.
func (d *Dispatcher) Sweep(ctx context.Context) error { return d.sweep(ctx, 0, nil) }

// SweepAgain does once what a later one does.
func (d *Dispatcher) SweepAgain(ctx context.Context) error { return d.sweep(ctx, 0, d.carried(ctx)) }
