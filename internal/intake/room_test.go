package intake

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What cannot run yet waits in the inbox, until it can, but not for what hangs.
func TestStartsWaitForRoom(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		fullFor, least, most time.Duration
	}{
		"ThereIsRoom":      {0, 0, 0},
		"ThereIsRoomSoon":  {60 * time.Millisecond, 60 * time.Millisecond, 60*time.Millisecond + lookAgain},
		"SomethingHangs":   {time.Hour, giveWayFor, giveWayFor},
		"ItIsToStopItself": {-1, 0, lookAgain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				began := time.Now()
				d := &Dispatcher{cfg: DispatcherConfig{Gate: 1, Budget: time.Second, Full: func() bool {
					if tc.fullFor < 0 {
						cancel()
						return true
					}
					return time.Since(began) < tc.fullFor
				}}}
				var started time.Duration
				d.each(ctx, 1, func(context.Context, int) { started = time.Since(began) })
				require.GreaterOrEqual(t, started, tc.least)
				require.LessOrEqual(t, started, tc.most)
			})
		})
	}
}
