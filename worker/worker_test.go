package worker_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	sdk "go.temporal.io/sdk/worker"

	"github.com/rewardflow/rewardflow/worker"
)

// member is a worker that can be started so many times in vain.
type member struct {
	sdk.Worker
	vain             int
	started, stopped int
}

func (m *member) Start() error {
	if m.vain > 0 {
		m.vain--
		return errors.New("not yet")
	}
	m.started++
	return nil
}

func (m *member) Stop() { m.stopped++ }

// A worker of the SDK can be started once, so a group that is started again goes
// on where it failed, and stops only what was started.
func TestGroup(t *testing.T) {
	t.Parallel()

	one, two, three := &member{}, &member{vain: 2}, &member{}
	g := worker.NewGroup(one, two, three)
	require.ErrorContains(t, g.Start(), "not yet")
	g.Stop()
	require.Equal(t, []int{1, 0, 0}, []int{one.stopped, two.stopped, three.stopped})
	require.Error(t, g.Start())
	require.NoError(t, g.Start())
	require.Equal(t, []int{1, 1, 1}, []int{one.started, two.started, three.started})
	g.Stop()
	require.Equal(t, []int{2, 1, 1}, []int{one.stopped, two.stopped, three.stopped})
}
