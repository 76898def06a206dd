package identity

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many wrong bearer tokens a client may send: a program that is told 401 stops,
// or goes on for ever.
const (
	refusalsAtOnce = 30
	refusalEvery   = 2 * time.Second
)

// How many logins may fail. A token cannot be guessed, but a short password
// that somebody took for one could be, and a log full of failures hides others.
const (
	failuresAtOnce    = 5
	failureEvery      = 12 * time.Second
	rememberedClients = 4096
)

// limiter counts failures for each client. There is no limit for all
// clients together: one of them could use it to keep everybody out.
type limiter struct {
	now    func() time.Time
	atOnce int
	every  time.Duration

	mu      sync.Mutex
	clients map[string]*rate.Limiter
}

func newLimiter(now func() time.Time, atOnce int, every time.Duration) *limiter {
	return &limiter{now: now, atOnce: atOnce, every: every, clients: map[string]*rate.Limiter{}}
}

// wait returns how long a client must wait before its next try; zero when it
// need not.
func (l *limiter) wait(client string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.clients[client]
	if !ok {
		return 0
	}
	if have := known.TokensAt(l.now()); have < 1 {
		return time.Duration((1 - have) * float64(l.every))
	}
	return 0
}

// failed counts a failure.
func (l *limiter) failed(client string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	known, ok := l.clients[client]
	if !ok {
		l.forget(now)
		known = rate.NewLimiter(rate.Every(l.every), l.atOnce)
		l.clients[client] = known
	}
	known.AllowN(now, 1)
}

// forget makes room: first clients that have not failed for a while, then all.
func (l *limiter) forget(now time.Time) {
	if len(l.clients) < rememberedClients {
		return
	}
	for client, known := range l.clients {
		if known.TokensAt(now) >= float64(l.atOnce) {
			delete(l.clients, client)
		}
	}
	if len(l.clients) >= rememberedClients {
		clear(l.clients) // So many addresses would outgrow the memory; each may fail a few times more.
	}
}
