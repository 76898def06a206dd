package engine

import (
	"context"
	"fmt"
	"net/http"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

// ui is the Temporal web UI.
type ui struct {
	server *uiserver.Server
	port   int
	done   chan struct{}
	failed error
}

// startUI serves the web UI. It has no authentication of its own and listens
// on loopback; its requests are guarded against other sites by a token.
func startUI(p ports, namespace, codecEndpoint string) *ui {
	u := &ui{
		port: p.ui,
		done: make(chan struct{}),
		server: uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
			TemporalGRPCAddress: hostPort(p.frontend),
			Host:                host,
			Port:                p.ui,
			EnableUI:            true,
			DefaultNamespace:    namespace,
			DisableNewsFetch:    true,
			HideLogs:            true,
			Codec:               uiconfig.Codec{Endpoint: codecEndpoint, IncludeCredentials: codecEndpoint != ""},
			// Loopback has no TLS, and a browser keeps a secure cookie from it.
			CORS: uiconfig.CORS{CookieInsecure: true},
		})),
	}
	go func() {
		defer close(u.done)
		u.failed = u.server.Start()
	}()
	return u
}

func (u *ui) waitReady(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	client := &http.Client{Timeout: attemptTimeout}
	defer client.CloseIdleConnections()
	for {
		if err := u.ping(ctx, client); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-u.done:
			return fmt.Errorf("starting the Temporal UI: %w", u.failed)
		case <-ctx.Done():
			return fmt.Errorf("waiting for the Temporal UI: %w", ctx.Err())
		}
	}
}

func (u *ui) ping(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, serviceURL(u.port, "/healthz"), nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the Temporal UI answered %s", resp.Status)
	}
	return nil
}

// stop ends the UI. It is safe at any moment after startUI, even before the
// listener is open.
func (u *ui) stop() error {
	u.server.Stop()
	select {
	case <-u.done:
		return nil
	case <-time.After(stopTimeout):
		return fmt.Errorf("the Temporal UI did not stop within %s", stopTimeout)
	}
}
