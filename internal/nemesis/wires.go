package nemesis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// wires are the proxies between the processes, by their names.
type wires struct {
	server  *toxiproxy.ApiServer
	proxies map[string]*toxiproxy.Proxy
}

// newWires also silences what Toxiproxy logs by itself: its users read a verdict.
func newWires() *wires {
	zerolog.SetGlobalLevel(zerolog.Disabled)
	return &wires{
		server:  toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.New(io.Discard)),
		proxies: map[string]*toxiproxy.Proxy{},
	}
}

// lay puts a proxy on a wire and returns where to dial.
func (w *wires) lay(name, upstream string) (string, error) {
	p := toxiproxy.NewProxy(w.server, name, "127.0.0.1:0", upstream)
	if err := p.Start(); err != nil {
		return "", fmt.Errorf("laying the wire %s: %w", name, err)
	}
	w.proxies[name] = p
	return p.Listen, nil
}

func (w *wires) close() {
	for _, p := range w.proxies {
		p.Stop()
	}
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
	p, ok := w.proxies[name]
	if !ok {
		return fmt.Errorf("there is no wire %s", name)
	}
	if kind == CutWire {
		p.Stop()
		rest(ctx, length)
		if err := p.Start(); err != nil && !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
			return fmt.Errorf("healing the wire %s: %w", name, err)
		}
		return nil
	}
	var added []string
	for _, toxic := range toxics(kind) {
		var named struct{ Name string }
		if err := json.Unmarshal([]byte(toxic), &named); err != nil {
			return err
		}
		if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			continue // It has this one already, from a fault that overlaps.
		}
		added = append(added, named.Name)
	}
	rest(ctx, length)
	for _, toxic := range added {
		healing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		if err := p.Toxics.RemoveToxic(healing, toxic); err != nil {
			cancel()
			return fmt.Errorf("healing the wire %s: %w", name, err)
		}
		cancel()
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
