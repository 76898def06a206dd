package app

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/crashpoint"
)

// TestAnArmedProcessSaysSo shows that nobody runs an armed process without
// knowing, and that one that is not armed has nothing around its parts.
func TestAnArmedProcessSaysSo(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct{ value, says, refuses string }{
		"NotArmed":      {},
		"Armed":         {value: "after_claim:1:kill", says: "level=ERROR msg=process.armed_to_crash"},
		"NotUnderstood": {value: "after_lunch:1:kill", refuses: "unset it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var said strings.Builder
			a := &App{log: slog.New(slog.NewTextHandler(&said, nil)), opts: Options{Lookup: func(name string) (string, bool) {
				return c.value, name == crashpoint.Variable && c.value != ""
			}}}
			err := a.arm(t.Context())
			if c.refuses != "" {
				require.ErrorContains(t, err, c.refuses)
				return
			}
			require.NoError(t, err)
			require.Contains(t, said.String(), c.says)
			require.Equal(t, c.value != "", a.crash != nil)
			a.armLedger()
			require.Equal(t, a.crash != nil, a.ledger != nil)
			require.Nil(t, a.armProviders(nil)["team"])
		})
	}
}
