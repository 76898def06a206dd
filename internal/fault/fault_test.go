package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
)

func TestKindsAreWireFormat(t *testing.T) {
	t.Parallel()

	require.Equal(t, []fault.Kind{
		"invalid", "not_found", "conflict", "denied", "declined", "throttled", "unavailable", "ambiguous", "internal",
	}, fault.Kinds())
}

func TestKindOf(t *testing.T) {
	t.Parallel()

	inner := fault.New(fault.Throttled, "stripe.send", "slow down")
	for name, c := range map[string]struct {
		err  error
		want fault.Kind
	}{
		"nil":          {nil, ""},
		"unclassified": {io.EOF, fault.Internal},
		"classified":   {inner, fault.Throttled},
		"wrapped":      {fmt.Errorf("paying: %w", inner), fault.Throttled},
		"joined":       {errors.Join(io.EOF, inner), fault.Throttled},
		"the outermost classification counts": {
			fault.Wrap(fault.Ambiguous, "pay", "lost", inner), fault.Ambiguous,
		},
	} {
		require.Equal(t, c.want, fault.KindOf(c.err), name)
		require.True(t, fault.Is(c.err, c.want), name)
		require.False(t, fault.Is(c.err, fault.Denied), name)
	}
}

func TestTheCauseIsKeptAndNeverPrinted(t *testing.T) {
	t.Parallel()

	err := fault.Wrap(fault.Unavailable, "paypal.token", "cannot connect", fmt.Errorf("secret-token: %w", io.EOF))
	require.EqualError(t, err, "paypal.token: cannot connect")
	require.ErrorIs(t, err, io.EOF)
	require.NotContains(t, fmt.Sprintf("%v %s", err, fmt.Errorf("paying: %w", err)), "secret-token")
	require.EqualError(t, fault.New(fault.Invalid, "", "no unit"), "no unit")
	require.NoError(t, fault.New(fault.Invalid, "", "no unit").Unwrap())
}

func TestMessageSaysNothingOfUnclassifiedErrors(t *testing.T) {
	t.Parallel()

	err := fmt.Errorf("paying: %w", fault.Wrap(fault.Denied, "stripe.send", "the key was refused", io.EOF))
	require.Equal(t, "the key was refused", fault.Message(err))
	require.Equal(t, "internal error", fault.Message(errors.New("secret-token")))
	require.Equal(t, "internal error", fault.Message(nil))
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()

	throttled := &fault.Error{Kind: fault.Throttled, RetryAfter: 7 * time.Second}
	require.Equal(t, 7*time.Second, fault.RetryAfter(fmt.Errorf("paying: %w", throttled)))
	require.Zero(t, fault.RetryAfter(io.EOF))
	require.Zero(t, fault.RetryAfter(nil))
}

func TestOfRead(t *testing.T) {
	t.Parallel()

	require.Nil(t, (*fault.Error)(nil).OfRead())
	for _, kind := range fault.Kinds() {
		want := kind
		if kind == fault.Ambiguous {
			want = fault.Unavailable
		}
		e := fault.Wrap(kind, "list", "no answer", io.EOF)
		read := e.OfRead()
		require.Equal(t, fault.Wrap(want, "list", "no answer", io.EOF), read)
		require.Equal(t, kind, e.Kind, "the error itself stays")
	}
}
