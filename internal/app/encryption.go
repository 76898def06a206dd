package app

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/encryption"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sealed"
)

// seal has the ledger's personal data encrypted, where that is configured. A
// ledger that holds encrypted data is not opened without keys: it would show and
// send what it cannot read.
func (a *App) seal(ctx context.Context, inner ledger.Ledger) (ledger.Ledger, error) {
	if a.ring == nil {
		counts, err := inner.DataKeyCounts(ctx)
		if err != nil {
			return nil, err
		}
		for id, n := range counts {
			return nil, sealed.Missing(id, n)
		}
		return inner, nil
	}
	l, err := sealed.New(ctx, inner, a.ring, sealed.Options{Seal: a.opts.Config.Encryption.Ledger})
	if err != nil {
		return nil, err
	}
	a.sealed = l
	return l, nil
}

// keys changes keys for the API; nil without any.
func (a *App) keys() api.Keys {
	if a.sealed == nil {
		return nil
	}
	return keyRotator{ledger: a.sealed, ring: a.ring, temporal: a.temporal, namespace: a.namespace()}
}

// keyRotator changes the ledger to the active key, and says what Temporal needs.
type keyRotator struct {
	ledger    *sealed.Ledger
	ring      *encryption.Ring
	temporal  client.Client
	namespace string
}

// Rotate implements api.Keys.
func (k keyRotator) Rotate(ctx context.Context, n int) (api.KeyRotation, error) {
	r, err := k.ledger.Rotate(ctx, n)
	if err != nil {
		return api.KeyRotation{}, err
	}
	out := api.KeyRotation{Active: r.Active, Done: r.Done, Left: r.Left}
	for _, id := range k.ring.IDs() {
		if _, needed := r.Left[id]; !needed && id != r.Active {
			out.Unneeded = append(out.Unneeded, id)
		}
	}
	out.Retention, err = k.retention(ctx)
	if err != nil && ctx.Err() != nil {
		return out, errors.Join(err, ctx.Err())
	}
	return out, nil // The ledger's part does not hang on Temporal.
}

// retention returns how long Temporal keeps what has ended.
func (k keyRotator) retention(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	said, err := k.temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: k.namespace})
	if err != nil {
		return 0, err
	}
	return said.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(), nil
}
