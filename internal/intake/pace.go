package intake

import (
	"context"
	"math"
	"sync"
	"time"
)

const (
	// manyArrivals a second, and outpaced times as many as are started, make the
	// dispatcher give way. Fewer are answered in time beside it.
	manyArrivals = 200
	outpaced     = 2
	// giveWayFor is how long a start waits then, at most: a burst whose newest
	// event is older than overAfter is over. A slow disk commits events in clumps.
	giveWayFor = 250 * time.Millisecond
	overAfter  = 100 * time.Millisecond
	// lookAgain is how often a start that waits looks for that.
	lookAgain = 25 * time.Millisecond
	// longestWay is how long the dispatcher gives way at a stretch, before it
	// works for as long.
	longestWay = 2 * time.Minute
	// arrivalsOver is the time over which arrivals are averaged, and startsOver
	// the number of starts.
	arrivalsOver = 100 * time.Millisecond
	startsOver   = 8
)

// pace makes starts give way to answers. While several times as many events
// arrive as can be started, a backlog grows whatever is done, and what starts
// take from the processors is what answers wait for: decision 0025. A rate that
// lasts leaves rewards every other turn. A nil pace never gives way.
type pace struct {
	gate int
	now  func() time.Time

	mu sync.Mutex
	// arrivals a second, as of when the newest event arrived.
	arrivals  float64
	arrivedAt time.Time
	underWay  int
	// starts a second that succeed while the gate is full; zero is not known.
	starts float64
	// given is how long was given way and not made up for, as of askedAt; worn
	// says that it was too long, until all is made up for.
	given   time.Duration
	worn    bool
	askedAt time.Time
	// next is when the next start is due that gives way, whoever asks.
	next time.Time
}

// arrived counts an event.
func (p *pace) arrived() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.arrivals = p.rate(now) + 1/arrivalsOver.Seconds()
	p.arrivedAt = now
}

// rate is how many events arrive a second.
func (p *pace) rate(now time.Time) float64 {
	return p.arrivals * math.Exp(-float64(now.Sub(p.arrivedAt))/float64(arrivalsOver))
}

// start counts a start, until the returned function is called with whether
// something was started. How many can be started shows only while the gate is full.
func (p *pace) start() (ended func(started bool)) {
	if p == nil {
		return func(bool) {}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.underWay++
	began, full := p.now(), p.underWay >= p.gate
	return func(started bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.underWay--
		took := p.now().Sub(began).Seconds()
		if !full || !started || took <= 0 {
			return
		}
		found := float64(p.gate) / took
		if p.starts == 0 {
			p.starts = found
		}
		p.starts += (found - p.starts) / startsOver
	}
}

// wait waits until the next start is due, or the burst is over.
func (p *pace) wait(ctx context.Context) {
	if p == nil {
		return
	}
	for left := p.pause(); left > 0 && ctx.Err() == nil; {
		step := min(left, lookAgain)
		rest(ctx, step, nil)
		left -= step
		if p.over() {
			p.takeBack(left)
			return
		}
	}
}

// over reports whether events do not outpace starts any more.
func (p *pace) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.outpaced(p.now())
}

// takeBack returns what was not waited for.
func (p *pace) takeBack(left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.given = max(0, p.given-min(left, giveWayFor))
	p.next = p.next.Add(-left)
}

// outpaced reports whether far more events arrive than can be started.
func (p *pace) outpaced(now time.Time) bool {
	rate := p.rate(now)
	return p.starts > 0 && rate >= manyArrivals && rate >= outpaced*p.starts && now.Sub(p.arrivedAt) <= overAfter
}

// pause is how long the next start is to wait.
func (p *pace) pause() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	since := now.Sub(p.askedAt)
	p.askedAt = now
	if p.worn || !p.outpaced(now) {
		p.given = max(0, p.given-since)
		p.worn = p.worn && p.given > 0
		return 0
	}
	p.given += giveWayFor
	p.worn = p.given >= longestWay
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(giveWayFor)
	return p.next.Sub(now)
}
