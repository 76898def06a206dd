package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// serveMetrics serves /metrics at an address of its own, where one is configured.
// A process that cannot do so does not start: nobody would see what is wrong.
func (a *App) serveMetrics(ctx context.Context) error {
	address := a.opts.Config.MetricsListen
	if address == "" {
		return nil
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening on metrics_listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.telemetry.Handler())
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 60 * time.Second, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.failed <- fmt.Errorf("serving metrics: %w", err)
		}
	}()
	a.log.InfoContext(ctx, "metrics.listening", "url", "http://"+listener.Addr().String()+"/metrics")
	a.cleanups.add("metrics", server.Shutdown)
	return nil
}
