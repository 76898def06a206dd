package nemesis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// The credentials of every world. They must not be found anywhere.
const (
	webhookSecret  = "nemesis-secret-of-the-webhook-0123456789"
	apiKey         = "nemesis-key-of-firstpromoter-0123456789"
	providerSecret = "nemesis-secret-of-the-provider-0123456789"
)

// RunDouble is the main function of a double's process: "firstpromoter" or
// "provider", with its books in dir. It ends when whoever started it is gone.
func RunDouble(name, dir string, urls []string) error {
	go untilOrphaned()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var double, control http.Handler
	var closing func() error
	var err error
	switch name {
	case "firstpromoter":
		double, control, closing, err = newFirstPromoter(ctx, dir, urls)
	case "provider":
		double, control, closing, err = newProvider(dir)
	default:
		return fmt.Errorf("there is no double %q: firstpromoter, provider", name)
	}
	if err != nil {
		return err
	}
	address, serving, err := serve(double)
	if err != nil {
		return err
	}
	commands, controlling, err := serve(control)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(say{Address: address, Control: commands}); err != nil {
		return err
	}
	<-ctx.Done()
	return errors.Join(serving.Close(), controlling.Close(), closing())
}

// serve serves a handler on a free port of this machine.
func serve(h http.Handler) (string, *http.Server, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	return l.Addr().String(), server, nil
}
