package crashpoint

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func lookup(value string) func(string) (string, bool) {
	return func(name string) (string, bool) { return value, name == Variable && value != "" }
}

func TestNothingIsArmedByItself(t *testing.T) {
	t.Parallel()

	a, err := Read(lookup(""))
	require.NoError(t, err)
	require.Nil(t, a)
	for _, p := range Points() {
		a.Pass(p) // Would panic or end the test.
	}
}

func TestActsAtTheNthPassageOfItsPointOnly(t *testing.T) {
	t.Parallel()

	a, err := Read(lookup("after_claim:2:stop"))
	require.NoError(t, err)
	require.Equal(t, "this process will stop itself at after_claim, passage 2", a.String())
	var done []How
	a.act = func(how How) error { done = append(done, how); return nil }
	a.Pass(AfterClaim)
	a.Pass(BeforeClaim)
	require.Empty(t, done)
	a.Pass(AfterClaim)
	require.Equal(t, []How{Stop}, done)
	a.Pass(AfterClaim)
	require.Len(t, done, 1, "it acts once")
}

func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	t.Parallel()

	for _, text := range []string{"after_claim", "after_claim:1", "nowhere:1:kill", "after_claim:0:kill", "after_claim:x:kill", "after_claim:1:hurt"} {
		_, err := Read(lookup(text))
		require.ErrorContains(t, err, "unset it", text)
	}
}

func TestSettingIsWhatReadReads(t *testing.T) {
	t.Parallel()

	for _, p := range Points() {
		a, err := Read(lookup(Setting(p, 3, Kill)[len(Variable)+1:]))
		require.NoError(t, err)
		require.Equal(t, p, a.point)
		require.EqualValues(t, 3, a.left.Load())
	}
}
