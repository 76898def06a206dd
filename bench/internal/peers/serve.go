package peers

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Variable holds a peer's Spec as JSON.
const Variable = "REWARDFLOW_BENCH_PEER"

// Spec says which peer a process is, and with what.
type Spec struct {
	// Peer is the name of an opener.
	Peer          string
	Dir, Database string
	FirstPromoter string
	Provider      string
	// Secret is the last part of the webhook's path.
	Secret string
}

// Ready is what a peer's process says on its standard output when it serves.
type Ready struct {
	// URL is its HTTP surface: webhooks, and /readyz.
	URL string
	// Temporal is the address of its Temporal server; empty without one.
	Temporal string
}

// Serve is the main function of a peer's process, which is one of the openers.
// It returns the exit code.
func Serve(encoded string, openers map[string]Opener) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		// The parent holds the other end for as long as it lives.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	var s Spec
	err := json.Unmarshal([]byte(encoded), &s)
	if err == nil {
		err = s.serve(ctx, openers)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "peer %s: %v\n", s.Peer, err)
		return 1
	}
	return 0
}

func (s Spec) serve(ctx context.Context, openers map[string]Opener) error {
	open, ok := openers[s.Peer]
	if !ok {
		return fmt.Errorf("there is no peer %q here", s.Peer)
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	peer, err := open(ctx, Setting{
		Dir: s.Dir, Database: s.Database, Pipeline: NewPipeline(s.FirstPromoter, s.Provider), Logger: logger,
	})
	if err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, peer.Close())
	}
	server := &http.Server{Handler: handler(peer, s.Secret, logger), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if err := json.NewEncoder(os.Stdout).Encode(Ready{URL: "http://" + listener.Addr().String(), Temporal: peer.Address()}); err != nil {
		return errors.Join(err, peer.Close())
	}
	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
	}
	within, cancel := context.WithTimeout(context.Background(), TryFor)
	defer cancel()
	return errors.Join(err, server.Shutdown(within), peer.Close())
}

// handler takes events in.
func handler(peer Peer, secret string, logger *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /webhooks/firstpromoter/{secret}", func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.PathValue("secret")), []byte(secret)) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		reward, err := ReadEvent(body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if err := peer.Accept(r.Context(), reward); err != nil {
			logger.Warn("accept.failed", "reward", reward.ID, "error", err)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}
