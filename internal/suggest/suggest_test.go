package suggest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/suggest"
)

func TestNearest(t *testing.T) {
	t.Parallel()

	known := []string{"amount", "unit", "currency", "cust_id"}
	for name, want := range map[string]string{
		"amuont":   "amount",
		"amount":   "amount",
		"curency":  "currency",
		"custid":   "cust_id",
		"uni":      "unit",
		"x":        "",
		"":         "",
		"approval": "",
	} {
		require.Equal(t, want, suggest.Nearest(name, known), "for %q", name)
	}
	require.Empty(t, suggest.Nearest("amount", nil))
	require.Equal(t, "ab", suggest.Nearest("ax", []string{"ab", "ac"}), "the first of two equally near names")
}
