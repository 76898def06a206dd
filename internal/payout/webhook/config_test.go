package webhook_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout/webhook"
)

func TestConfigurationsThatWork(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]webhook.Config{
		"https":                   {URL: "https://billing.example.com/rewards?tenant=1", Secret: secret},
		"plain secret":            {URL: "https://billing.example.com", Secret: "24 characters are enough"},
		"rotation":                {URL: "https://billing.example.com", Secret: secret, OtherSecrets: []string{secret}},
		"http to loopback":        {URL: "http://127.0.0.1:8080", Secret: secret, AllowPrivateNetworks: true},
		"http to IPv6 loopback":   {URL: "http://[::1]:8080", Secret: secret, AllowPrivateNetworks: true},
		"http to a private name":  {URL: "http://billing:8080", Secret: secret, AllowPrivateNetworks: true},
		"http to an overlay":      {URL: "http://100.100.1.2", Secret: secret, AllowPrivateNetworks: true},
		"https to a public IP":    {URL: "https://203.0.113.9", Secret: secret},
		"https, private, allowed": {URL: "https://10.1.2.3", Secret: secret, AllowPrivateNetworks: true},
	} {
		c.Name = "team"
		_, err := webhook.New(c)
		require.NoError(t, err, name)
	}
}

func TestConfigurationErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()

	const url = "https://billing.example.com"
	for want, c := range map[string]webhook.Config{
		`name: it is missing`:                      {URL: url, Secret: secret},
		`url: it is missing`:                       {Name: "team", Secret: secret},
		`url: it is not an absolute URL`:           {Name: "team", URL: "/hidden-path", Secret: secret},
		`url: its scheme is neither`:               {Name: "team", URL: "ftp://hidden-path", Secret: secret},
		`url: it holds a user name`:                {Name: "team", URL: "https://u:hidden-path@x.example", Secret: secret},
		`url: it has a fragment`:                   {Name: "team", URL: url + "#hidden-path", Secret: secret},
		`url: http is for private networks only`:   {Name: "team", URL: "http://x.example/hidden-path", Secret: secret},
		`url: http to a public address`:            {Name: "team", URL: "http://203.0.113.9/hidden-path", Secret: secret, AllowPrivateNetworks: true},
		`url: its address is in a private`:         {Name: "team", URL: "https://169.254.169.254/hidden-path", Secret: secret},
		`url: its address is in a private network`: {Name: "team", URL: "https://[::ffff:10.0.0.1]/hidden-path", Secret: secret},
		`secret: it is missing`:                    {Name: "team", URL: url},
		`secret: what follows whsec_ is not`:       {Name: "team", URL: url, Secret: "whsec_hidden-path!"},
		`secret: it has 11 bytes`:                  {Name: "team", URL: url, Secret: "hidden-path"},
		`secret: it has 12 bytes`:                  {Name: "team", URL: url, Secret: "whsec_aGlkZGVuLXBhdGgh"},
		`other secret 1: it has 11 bytes`:          {Name: "team", URL: url, Secret: secret, OtherSecrets: []string{"hidden-path"}},
	} {
		_, err := webhook.New(c)
		require.ErrorContains(t, err, want)
		require.True(t, fault.Is(err, fault.Invalid))
		require.NotContains(t, err.Error(), "hidden-path")
		require.NotContains(t, err.Error(), secret)
		require.NotContains(t, err.Error(), "://x.example")
	}
}

func TestAllConfigurationErrorsAreToldAtOnce(t *testing.T) {
	t.Parallel()

	_, err := webhook.New(webhook.Config{})
	require.EqualError(t, err, `webhook.new: provider "": name: it is missing; url: it is missing; secret: it is missing`)
}
