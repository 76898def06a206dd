package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/rewardflow/rewardflow/internal/codecserver"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/openid"
)

// CodecServer is what decrypts for the Temporal UI: a server of its own beside
// the API, because a browser asks it from the UI's origin.
type CodecServer struct {
	server   *http.Server
	listener net.Listener
	log      *slog.Logger
}

// errNoKeys is about a configuration that encrypts nothing.
var errNoKeys = errors.New("encryption.keys is empty: there is nothing to decrypt. Make a key with \"rewardflow keys new\", or run no codec server")

// NewCodecServer listens for a codec server that needs no ledger: it knows people
// by operators' tokens, access tokens of auth.oidc, and auth.proxy.
func NewCodecServer(ctx context.Context, cfg *config.Config, log *slog.Logger) (*CodecServer, error) {
	s := cfg.Encryption.CodecServer
	who, err := identities(cfg)
	if err != nil {
		return nil, err
	}
	switch {
	case !cfg.Encryption.On():
		return nil, errNoKeys
	case s.UIOrigin == "":
		return nil, errors.New("encryption.codec_server.ui_origin is missing: it is the origin of the Temporal UI, such as https://temporal.example.com")
	case cfg.Auth.OIDC.On() && s.UIClientID == "" && len(cfg.Operators) == 0 && !cfg.Auth.Proxy.On():
		return nil, errors.New("nobody could prove to the codec server who they are: set encryption.codec_server.ui_client_id " +
			"to the client as which the Temporal UI signs people in, or list operators with tokens")
	}
	if err := takeAccessTokens(cfg, &who); err != nil {
		return nil, err
	}
	listener, err := ListenCodec(ctx, s.Listen)
	if err != nil {
		return nil, err
	}
	return newCodecServer(cfg, who, noSessions{}, s.UIOrigin, listener, log)
}

// ListenCodec opens the address of a codec server.
func ListenCodec(ctx context.Context, address string) (net.Listener, error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the address %s is taken: choose another as encryption.codec_server.listen", address)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	return listener, nil
}

// newCodecServer owns the listener, also when it fails.
func newCodecServer(
	cfg *config.Config, who identity.Config, sessions identity.Sessions, origin string, listener net.Listener, log *slog.Logger,
) (*CodecServer, error) {
	ring, err := cfg.Encryption.Ring()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	who.Logger = log
	handler, err := codecserver.New(codecserver.Config{
		Ring: ring, Identify: identity.New(who, sessions).Identify, Origin: origin, Logger: log,
	})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return &CodecServer{listener: listener, log: log, server: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}, nil
}

// takeAccessTokens has the identities read the Temporal UI's access tokens, where
// the configuration names its client.
func takeAccessTokens(cfg *config.Config, who *identity.Config) error {
	if !cfg.Auth.OIDC.On() || cfg.Encryption.CodecServer.UIClientID == "" {
		return nil
	}
	client, ok := who.OpenID.Provider.(*openid.Client)
	if !ok {
		return errors.New("setting up access tokens: auth.oidc has no provider")
	}
	who.AccessTokens = client.AccessTokens(cfg.Encryption.CodecServer.UIClientID)
	return nil
}

// URL is where it answers.
func (s *CodecServer) URL() string { return "http://" + s.listener.Addr().String() }

// Run serves until the context ends.
func (s *CodecServer) Run(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.server.Serve(s.listener) }()
	s.log.InfoContext(ctx, "codec_server.listening", "url", s.URL())
	select {
	case err := <-failed:
		return fmt.Errorf("serving the codec server: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := s.server.Shutdown(stop); err != nil {
		return errors.Join(fmt.Errorf("stopping the codec server: %w", err), s.server.Close())
	}
	return nil
}

// serveCodec serves the embedded Temporal UI.
func (a *App) serveCodec() error {
	if a.opts.CodecListener == nil {
		return nil
	}
	who, err := identities(a.opts.Config)
	if err != nil {
		return err
	}
	if err := takeAccessTokens(a.opts.Config, &who); err != nil {
		return err
	}
	s, err := newCodecServer(a.opts.Config, who, a.ledger, a.opts.CodecOrigin, a.opts.CodecListener, a.log)
	if err != nil {
		return err
	}
	a.background("codec server", func(ctx context.Context) {
		if err := s.Run(ctx); err != nil {
			a.failed <- err
		}
	})
	return nil
}

// noSessions knows nobody by a cookie: the console's are its own.
type noSessions struct{ identity.Sessions }

// SessionOf implements identity.Sessions.
func (noSessions) SessionOf(context.Context, string) (ledger.Session, error) {
	return ledger.Session{}, fault.New(fault.NotFound, "app.noSessions", "there are no sessions here")
}
