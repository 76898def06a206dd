package protocoltest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
)

// wire is what lies between the adapter and the provider's double: a server
// that breaks what passes, and watches every send at the moment at which it
// leaves.
type wire struct {
	w      *world
	server *httptest.Server

	mu           sync.Mutex
	sends, reads []Fault
	late         []lateRequest
	giveUp       func()
}

// lateRequest is a send whose client has given up.
type lateRequest struct {
	due    time.Time
	method string
	url    string
	header http.Header
	body   []byte
}

func newWire(w *world) *wire {
	l := &wire{w: w}
	l.server = httptest.NewServer(l)
	return l
}

// caller is the adapter, whose calls can be made to time out.
type caller struct {
	payout.Provider
	wire *wire
}

func (c caller) Prepare(ctx context.Context, o payout.Order) (payout.Request, error) {
	ctx, done := c.wire.patience(ctx)
	defer done()
	return c.Provider.Prepare(ctx, o)
}

func (c caller) Send(ctx context.Context, req payout.Request) payout.Outcome {
	ctx, done := c.wire.patience(ctx)
	defer done()
	out := c.Provider.Send(ctx, req)
	c.wire.w.note("  %s says %s%s: %s", c.Name(), out.Class, map[bool]string{true: ", settled"}[out.Settled], out.Detail)
	return out
}

func (c caller) Lookup(ctx context.Context, req payout.Request) payout.Finding {
	ctx, done := c.wire.patience(ctx)
	defer done()
	f := c.Provider.Lookup(ctx, req)
	c.wire.w.note("  look-up: %s: %s", f.Answer, f.Detail)
	return f
}

// patience returns a context that ends as by its timeout when the wire says so.
func (l *wire) patience(parent context.Context) (context.Context, func()) {
	ctx := &deadline{Context: parent, done: make(chan struct{})}
	stop := context.AfterFunc(parent, func() { ctx.end(parent.Err()) })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.giveUp = func() { ctx.end(context.DeadlineExceeded) }
	return ctx, func() {
		stop()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.giveUp = nil
	}
}

// deadline is a context whose deadline passes when it is told to.
type deadline struct {
	context.Context
	once sync.Once
	done chan struct{}
	mu   sync.Mutex
	err  error
}

func (d *deadline) end(err error) {
	d.once.Do(func() {
		d.mu.Lock()
		d.err = err
		d.mu.Unlock()
		close(d.done)
	})
}

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} { return d.done }

// Err implements context.Context.
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// ServeHTTP implements http.Handler.
func (l *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	l.deliver()
	fault := l.next(r)
	if l.w.subject.IsSend(r) {
		key := l.w.subject.Key(r, body)
		l.w.note("  %s %s with %s: %s", r.Method, r.URL.Path, key, fault)
		l.w.leaves(key, r.URL.Path, body)
	} else {
		l.w.note("  %s %s: %s", r.Method, r.URL.Path, fault)
	}
	l.suffer(fault, rw, r, body)
}

func (l *wire) next(r *http.Request) Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := &l.reads
	if l.w.subject.IsSend(r) {
		list = &l.sends
	}
	if len(*list) == 0 {
		return Fault{}
	}
	f := (*list)[0]
	*list = (*list)[1:]
	return f
}

// suffer does to an exchange what the schedule says.
func (l *wire) suffer(f Fault, rw http.ResponseWriter, r *http.Request, body []byte) {
	switch f.Kind {
	case Healthy:
		l.w.subject.Fake.ServeHTTP(rw, r)
	case ResetBefore:
		payouttest.Reset(rw, r)
	case FailsBefore:
		l.status(rw, http.StatusServiceUnavailable)
	case ResetAfter:
		l.act(r)
		payouttest.Reset(rw, r)
	case FailsAfter:
		l.act(r)
		l.status(rw, http.StatusServiceUnavailable)
	case Garbage:
		l.act(r)
		rw.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(rw, "<html>It works!")
	case Truncated:
		payouttest.Truncate(rw, l.act(r))
	case NeverArrives:
		l.timeOut(r)
	case NeverAnswers:
		l.act(r)
		l.timeOut(r)
	case ArrivesLate:
		l.arrivesLate(f, r, body)
	case Throttled:
		l.status(rw, http.StatusTooManyRequests)
	case Unauthorized:
		l.status(rw, http.StatusUnauthorized)
	case Own:
		mishap := l.w.subject.Mishaps[f.Mishap%len(l.w.subject.Mishaps)]
		l.w.note("    (%s)", mishap.Name)
		mishap.Serve(rw, r)
	}
}

// act lets the double do what was asked, and returns its answer.
func (l *wire) act(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	l.w.subject.Fake.ServeHTTP(answer, r)
	return answer
}

// timeOut lets the client's time pass, and waits until it has gone.
func (l *wire) timeOut(r *http.Request) {
	l.w.pass(sendTimeout)
	l.mu.Lock()
	giveUp := l.giveUp
	l.mu.Unlock()
	if giveUp != nil {
		giveUp()
	}
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func (l *wire) arrivesLate(f Fault, r *http.Request, body []byte) {
	l.mu.Lock()
	l.late = append(l.late, lateRequest{
		due: l.w.clock.Now().Add(sendTimeout + f.After), method: r.Method, url: r.URL.String(), header: r.Header.Clone(), body: body,
	})
	l.mu.Unlock()
	l.timeOut(r)
}

// deliver hands the double what has arrived by now. Nobody hears the answer.
func (l *wire) deliver() {
	now := l.w.clock.Now()
	l.mu.Lock()
	var due, still []lateRequest
	for _, late := range l.late {
		if late.due.After(now) {
			still = append(still, late)
		} else {
			due = append(due, late)
		}
	}
	l.late = still
	l.mu.Unlock()
	for _, late := range due {
		l.w.note("  a late %s arrives, due at %s", late.method, l.w.since(late.due))
		r := httptest.NewRequest(late.method, late.url, bytes.NewReader(late.body))
		r.Header = late.header
		l.w.clock.pin(late.due)
		l.act(r)
		l.w.clock.pin(time.Time{})
	}
}

// underWay reports whether a send may still arrive.
func (l *wire) underWay() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.late) > 0
}

func (l *wire) status(rw http.ResponseWriter, code int) {
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Retry-After", "7")
	rw.WriteHeader(code)
	if l.w.subject.ErrorBody == nil {
		_, _ = io.WriteString(rw, `{"message":"no"}`)
		return
	}
	_, _ = io.WriteString(rw, l.w.subject.ErrorBody(code))
}
