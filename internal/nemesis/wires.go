package nemesis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// wires are the proxies between the processes, by their names.
type wires struct {
	server *toxiproxy.ApiServer
	// patience is how long a call of Toxiproxy may take.
	patience time.Duration

	mu      sync.Mutex
	proxies map[string]*toxiproxy.Proxy

	// changing is held while toxics are added or removed.
	changing sync.Mutex
	// spent are the proxies that a toxic was removed from. A connection that was
	// closing then is not as Toxiproxy believes, and ends the process when another
	// toxic is added (v2.12.0, ToxicLink.RemoveToxic's early returns).
	spent map[*toxiproxy.Proxy]bool
}

// newWires also silences what Toxiproxy logs by itself: its users read a verdict.
func newWires() *wires {
	zerolog.SetGlobalLevel(zerolog.Disabled)
	return &wires{
		server:   toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.New(io.Discard)),
		patience: 5 * time.Second,
		proxies:  map[string]*toxiproxy.Proxy{},
		spent:    map[*toxiproxy.Proxy]bool{},
	}
}

// lay puts a proxy on a wire and returns where to dial.
func (w *wires) lay(name, upstream string) (string, error) {
	p := toxiproxy.NewProxy(w.server, name, "127.0.0.1:0", upstream)
	if err := p.Start(); err != nil {
		return "", fmt.Errorf("laying the wire %s: %w", name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proxies[name] = p
	return p.Listen, nil
}

func (w *wires) find(name string) (*toxiproxy.Proxy, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok := w.proxies[name]
	return p, ok
}

func (w *wires) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.proxies {
		_ = w.bounded(func() error { p.Stop(); return nil })
	}
}

// errLocked says that Toxiproxy has locked itself up: a connection whose writer
// failed cannot leave the proxy while a toxic is added or removed, and that
// waits for the connection.
var errLocked = errors.New("the proxy does not answer")

// bounded makes a call of Toxiproxy, or gives it up.
func (w *wires) bounded(call func() error) error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	timer := time.NewTimer(w.patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return errLocked
	}
}

// relay replaces a proxy that is locked up by one at the same address. What it
// has connected hangs until somebody gives up, as behind any half-open wire.
func (w *wires) relay(old *toxiproxy.Proxy) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.proxies[old.Name] != old {
		return nil // Another fault on this wire was faster.
	}
	_ = w.bounded(func() error { old.Stop(); return nil }) // It stops to listen at once.
	fresh := toxiproxy.NewProxy(w.server, old.Name, old.Listen, old.Upstream)
	if err := fresh.Start(); err != nil {
		return fmt.Errorf("laying the wire %s again: %w", old.Name, err)
	}
	w.proxies[old.Name] = fresh
	return nil
}

// toxics are what may be wrong with a wire, in Toxiproxy's words. A cut wire has
// no proxy that listens.
func toxics(k Kind) []string {
	switch k {
	case ResetWire:
		return []string{`{"name":"reset","type":"reset_peer","stream":"downstream","attributes":{"timeout":0}}`}
	case SlowWire:
		return []string{
			`{"name":"late","type":"latency","stream":"downstream","attributes":{"latency":700,"jitter":400}}`,
			`{"name":"thin","type":"bandwidth","stream":"downstream","attributes":{"rate":8}}`,
		}
	case HalfOpen:
		// What is sent arrives, and no answer ever does.
		return []string{`{"name":"mute","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`}
	}
	return nil
}

// harm makes a wire bad for a while.
func (w *wires) harm(ctx context.Context, name string, kind Kind, length time.Duration) error {
	p, ok := w.find(name)
	if !ok {
		return fmt.Errorf("there is no wire %s", name)
	}
	hurt := w.poison
	if kind == CutWire {
		hurt = w.cut
	}
	err := hurt(ctx, p, kind, length)
	if errors.Is(err, errLocked) {
		p, _ = w.find(name)
		err = w.relay(p)
	}
	if err != nil {
		return fmt.Errorf("healing the wire %s: %w", name, err)
	}
	return nil
}

func (w *wires) cut(ctx context.Context, p *toxiproxy.Proxy, _ Kind, length time.Duration) error {
	if err := w.bounded(func() error { p.Stop(); return nil }); err != nil {
		return err
	}
	rest(ctx, length)
	err := w.bounded(p.Start)
	if errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
		return nil
	}
	return err
}

func (w *wires) poison(ctx context.Context, p *toxiproxy.Proxy, kind Kind, length time.Duration) error {
	p, added, err := w.add(p, toxics(kind))
	if err != nil {
		return err
	}
	rest(ctx, length)
	return w.remove(p, added)
}

// add puts toxics on a wire, on a fresh proxy where its own is spent, and returns
// the names of those that the wire did not have.
func (w *wires) add(p *toxiproxy.Proxy, toxics []string) (_ *toxiproxy.Proxy, added []string, err error) {
	w.changing.Lock()
	defer w.changing.Unlock()
	if w.spent[p] {
		if err := w.relay(p); err != nil {
			return p, nil, err
		}
		p, _ = w.find(p.Name)
	}
	for _, toxic := range toxics {
		var named struct{ Name string }
		if err := json.Unmarshal([]byte(toxic), &named); err != nil {
			return p, added, err
		}
		err := w.bounded(func() error { _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic)); return err })
		switch {
		case errors.Is(err, errLocked):
			return p, added, err
		case err != nil:
			continue // It has this one already, from a fault that overlaps.
		}
		added = append(added, named.Name)
	}
	return p, added, nil
}

func (w *wires) remove(p *toxiproxy.Proxy, names []string) error {
	w.changing.Lock()
	defer w.changing.Unlock()
	w.spent[p] = true
	for _, name := range names {
		if err := w.bounded(func() error { return p.Toxics.RemoveToxic(context.Background(), name) }); err != nil {
			return err
		}
	}
	return nil
}

// rest waits, or returns when the context ends.
func rest(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// freeAddress returns an address of this machine that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
