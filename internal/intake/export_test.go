package intake

import "context"

// ReplayBatch does once what a replayer does.
func ReplayBatch(ctx context.Context, r *Replayer) { r.batch(ctx) }
