package api_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

// keysDouble rotates nothing, unless told otherwise.
type keysDouble struct {
	rotate func(n int) (api.KeyRotation, error)
}

func (d *keysDouble) Rotate(_ context.Context, n int) (api.KeyRotation, error) {
	if d.rotate == nil {
		return api.KeyRotation{Active: "new"}, nil
	}
	return d.rotate(n)
}

func withKeys(a *apiTest) { a.deps.Keys = &keysDouble{} }

func TestKeysAreRotatedInBatches(t *testing.T) {
	t.Parallel()

	var batch int
	a := newAPITest(t, withOperators, func(a *apiTest) {
		a.deps.Keys = &keysDouble{rotate: func(n int) (api.KeyRotation, error) {
			batch = n
			return api.KeyRotation{Active: "new", Done: 2, Left: map[string]int{"old": 4}, Unneeded: []string{"older"}, Retention: 72 * time.Hour}, nil
		}}
	})
	rec := a.do(t, http.MethodPost, "/api/v1/keys/rotate", `{}`, bearer(token("admin")))
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)
	require.JSONEq(t, `{"active":"new","done":2,"left":{"old":4},"unneeded":["older"],"temporal_retention":"72h0m0s"}`, rec.Body.String())
	require.Positive(t, batch)
	require.LessOrEqual(t, batch, 1000)
	require.Contains(t, a.logs.String(), `keys.rotated`)
	require.Contains(t, a.logs.String(), "admin")

	none := newAPITest(t, withOperators)
	rec = none.do(t, http.MethodPost, "/api/v1/keys/rotate", `{}`, bearer(token("admin")))
	require.Equal(t, http.StatusConflict, rec.Code)
	require.Contains(t, decode[problem](t, rec).Detail, "rewardflow keys new")
	broken := newAPITest(t, withOperators, func(a *apiTest) {
		a.deps.Keys = &keysDouble{rotate: func(int) (api.KeyRotation, error) {
			return api.KeyRotation{}, fault.Wrap(fault.Unavailable, "test", `the key "old" is missing`, errors.New("x"))
		}}
	})
	rec = broken.do(t, http.MethodPost, "/api/v1/keys/rotate", `{}`, bearer(token("admin")))
	require.Equal(t, http.StatusServiceUnavailable, rec.Code)
	require.Contains(t, decode[problem](t, rec).Detail, `"old"`)
}

func TestPromoterIsErasedByName(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withOperators)
	var asked int64
	var by string
	a.ledger.erase = func(promoter int64, actor string) (ledger.Erasure, error) {
		asked, by = promoter, actor
		return ledger.Erasure{Rewards: 2, Events: 3, Payouts: 1, Keys: 1}, nil
	}
	rec := a.do(t, http.MethodPost, "/api/v1/promoters/5272969/erase", `{}`, bearer(token("admin")))
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)
	require.JSONEq(t, `{"promoter":5272969,"rewards":2,"events":3,"payouts":1,"keys":1}`, rec.Body.String())
	require.Equal(t, int64(5272969), asked)
	require.Equal(t, "admin", by)

	a.ledger.erase = func(int64, string) (ledger.Erasure, error) {
		return ledger.Erasure{}, fault.New(fault.Conflict, "test", "promoter 5272969 has rewards that have not ended: 7 (held)")
	}
	rec = a.do(t, http.MethodPost, "/api/v1/promoters/5272969/erase", `{}`, bearer(token("admin")))
	require.Equal(t, http.StatusConflict, rec.Code)
	require.Contains(t, decode[problem](t, rec).Detail, "7 (held)")
	for _, id := range []string{"0", "-1", "x", "99999999999999999999"} {
		rec := a.do(t, http.MethodPost, "/api/v1/promoters/"+id+"/erase", `{}`, bearer(token("admin")))
		require.Equal(t, http.StatusBadRequest, rec.Code, id)
	}
}
