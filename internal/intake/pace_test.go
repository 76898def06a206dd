package intake

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// paced is a pace on a clock of its own, which has measured 64 starts a second.
func paced() (*pace, *time.Time) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	p := &pace{gate: 2, now: func() time.Time { return now }}
	for range 20 {
		one, two := p.start(), p.start()
		now = now.Add(time.Second / 32)
		one(true)
		two(true)
	}
	return p, &now
}

// arrive lets events arrive at a rate for a time, and returns how many starts
// were let through in it: a start takes a 64th of a second, or what it waits.
func arrive(p *pace, now *time.Time, perSecond int, d time.Duration) (starts int) {
	var due time.Time
	for end := now.Add(d); now.Before(end); *now = now.Add(time.Second / time.Duration(perSecond)) {
		p.arrived()
		if !now.Before(due) {
			pause := p.pause()
			due = now.Add(pause + time.Second/64)
			starts++
		}
	}
	return starts
}

func TestStartsGiveWayWhileEventsOutpaceThem(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		perSecond int
		low, high int // Starts in ten seconds.
	}{
		"Few":                       {100, 490, 640},
		"MoreThanAreStartedButFew":  {190, 490, 640},
		"ManyTimesWhatCanBeStarted": {1000, 35, 60},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			p, now := paced()
			got := arrive(p, now, tc.perSecond, 10*time.Second)
			require.GreaterOrEqual(t, got, tc.low)
			require.LessOrEqual(t, got, tc.high)
		})
	}
}

func TestStartsGoOnWhenTheBurstIsOver(t *testing.T) {
	t.Parallel()

	p, now := paced()
	arrive(p, now, 1000, time.Second)
	require.GreaterOrEqual(t, p.pause(), giveWayFor)
	*now = now.Add(overAfter + time.Millisecond)
	require.Zero(t, p.pause())
}

// A start that gives way waits no longer than the burst lasts.
func TestAWaitEndsWithItsBurst(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		lasts, low, high time.Duration
	}{
		"ItWasTheLastEvent": {0, overAfter, overAfter + 2*lookAgain},
		"ItLastsAWhile":     {50 * time.Millisecond, 50*time.Millisecond + overAfter, 50*time.Millisecond + overAfter + 2*lookAgain},
		"ItLastsForLong":    {time.Second, giveWayFor, giveWayFor},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				p := &pace{gate: 2, now: time.Now}
				one, two := p.start(), p.start()
				time.Sleep(time.Second / 32)
				one(true)
				two(true)
				began := time.Now()
				p.arrived()
				go func() {
					for time.Since(began) < tc.lasts {
						time.Sleep(time.Millisecond)
						p.arrived()
					}
				}()
				for range 1000 {
					p.arrived()
				}
				p.wait(t.Context())
				took := time.Since(began)
				require.GreaterOrEqual(t, took, tc.low)
				require.LessOrEqual(t, took, tc.high)
				require.Equal(t, took, p.given, "what was not waited for is not held against it")
				synctest.Wait()
				time.Sleep(2 * time.Second)
			})
		})
	}

	var none *pace
	none.wait(t.Context())
}

// Two that start at once, as the dispatcher and its sweep do, take turns.
func TestStartsThatGiveWayTakeTurns(t *testing.T) {
	t.Parallel()

	p, _ := paced()
	require.Equal(t, giveWayFor, arrivedAtOnce(p, 1000))
	require.Equal(t, 2*giveWayFor, p.pause())
}

// A rate that lasts leaves starts half of the time.
func TestNobodyGivesWayForEver(t *testing.T) {
	t.Parallel()

	p, now := paced()
	starts := arrive(p, now, 1000, 3*longestWay)
	require.Greater(t, starts, int(longestWay.Seconds())*55)
	require.Less(t, starts, int(longestWay.Seconds())*75)
}

// What Temporal can do is learned from full gates only, and not from failures.
func TestCapacityIsLearnedFromFullGates(t *testing.T) {
	t.Parallel()

	now := time.Now()
	p := &pace{gate: 2, now: func() time.Time { return now }}
	alone := p.start()
	now = now.Add(time.Minute)
	alone(true)
	require.Zero(t, arrivedAtOnce(p, 1000), "nothing is known yet")

	one, two := p.start(), p.start()
	now = now.Add(5 * time.Second)
	one(false)
	two(false)
	require.Zero(t, arrivedAtOnce(p, 1000), "Temporal does not answer: starting costs nothing")

	one, two = p.start(), p.start()
	now = now.Add(time.Second)
	one(true)
	two(true)
	require.Equal(t, giveWayFor, arrivedAtOnce(p, 1000))
}

func arrivedAtOnce(p *pace, n int) time.Duration {
	for range n {
		p.arrived()
	}
	return p.pause()
}
