package paypal_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout/paypal"
)

func TestConfigurationsThatWork(t *testing.T) {
	t.Parallel()

	for _, base := range []string{
		"", "https://api-m.paypal.com", "https://api-m.sandbox.paypal.com/", "https://gateway.example:8443",
		"http://127.0.0.1:9", "http://[::1]:9", "http://localhost:9",
	} {
		_, err := paypal.New(config(base))
		require.NoError(t, err, base)
	}
}

func TestConfigurationErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()

	for want, spoil := range map[string]func(*paypal.Config){
		`name: it is missing`:                        func(c *paypal.Config) { c.Name = "" },
		`client_id: it is missing`:                   func(c *paypal.Config) { c.ClientID = "" },
		`client_id: it holds a space, a colon`:       func(c *paypal.Config) { c.ClientID = "hidden:id" },
		`client_secret: it is missing`:               func(c *paypal.Config) { c.ClientSecret = "" },
		`client_secret: it holds a space`:            func(c *paypal.Config) { c.ClientSecret = "hidden\n" },
		`base_url: it is not an absolute URL`:        func(c *paypal.Config) { c.BaseURL = "hidden.example" },
		`base_url: its scheme is neither`:            func(c *paypal.Config) { c.BaseURL = "ftp://hidden.example" },
		`base_url: http would show the secret`:       func(c *paypal.Config) { c.BaseURL = "http://hidden.example" },
		`base_url: it holds a user name`:             func(c *paypal.Config) { c.BaseURL = "https://hidden:x@a.example" },
		`base_url: it has a path, a query`:           func(c *paypal.Config) { c.BaseURL = "https://a.example/hidden" },
		`timeout: it is below zero`:                  func(c *paypal.Config) { c.Timeout = -time.Second },
		`base_url: it has a path, a query or a frag`: func(c *paypal.Config) { c.BaseURL = "https://a.example?hidden=1" },
	} {
		c := config("")
		spoil(&c)
		_, err := paypal.New(c)
		require.ErrorContains(t, err, want)
		require.True(t, fault.Is(err, fault.Invalid))
		require.NotContains(t, err.Error(), "hidden")
		require.NotContains(t, err.Error(), clientSecret)
	}
}

func TestAllConfigurationErrorsAreToldAtOnce(t *testing.T) {
	t.Parallel()

	_, err := paypal.New(paypal.Config{BaseURL: "x"})
	require.EqualError(t, err, `paypal.new: provider "": name: it is missing; client_id: it is missing; client_secret: it is missing; `+
		`base_url: it is not an absolute URL such as https://api-m.paypal.com`)
}
