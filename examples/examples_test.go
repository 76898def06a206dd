package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/policy"
)

// values are what the variables of the examples could be.
func values() map[string]string {
	return map[string]string{
		"FIRSTPROMOTER_API_KEY": "key", "FIRSTPROMOTER_WEBHOOK_SECRET": "0123456789abcdef0123456789abcdef", //nolint:gosec // Nobody's.
		"TEAM_SECRET": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "SLACK_URL": "https://hooks.slack.com/services/T0/B0/x", "SLACK_ALERTS_URL": "https://hooks.slack.com/services/T0/B0/y",
		"LEDGER_URL": "postgres://rewardflow:pw@127.0.0.1:5432/rewardflow", "ENGINE_URL": "postgres://temporal:pw@127.0.0.1:5432/temporal",
		"PAYPAL_CLIENT_ID": "id", "PAYPAL_CLIENT_SECRET": "secret", "STRIPE_API_KEY": "rk_test_x", "SMTP_PASSWORD": "pw",
		"ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "OIDC_CLIENT_SECRET": "secret", "SLACK_BOT_TOKEN": "xoxb-1-2-x", "SLACK_SIGNING_SECRET": "0123456789abcdef0123456789abcdef",
	}
}

// load reads an example as the programs do.
func load(t *testing.T, name string) *config.Config {
	t.Helper()
	path := filepath.Join(name, "rewardflow.yaml")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	used := map[string]bool{}
	for _, match := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(string(content), -1) {
		used[match[1]] = true
		require.Contains(t, values(), match[1])
	}
	require.NotEmpty(t, used, "an example shows where secrets come from")
	cfg, err := config.Load(path, func(name string) (string, bool) {
		value, ok := values()[name]
		return value, ok && used[name]
	}, []string{}...)
	require.NoError(t, err)
	require.Empty(t, cfg.Warnings(), "an example is nothing to be warned about")
	require.NotEmpty(t, cfg.Brake.MaxPerDay, "an example has caps")
	return cfg
}

func TestSmallSaaS(t *testing.T) {
	t.Parallel()

	cfg := load(t, "small-saas")
	require.False(t, cfg.OnPostgres())
	require.Equal(t, config.ProviderWebhook, cfg.Providers["billing"].Type)
	require.Equal(t, policy.Ask, cfg.Policy[0].Then)
	require.Equal(t, policy.Pay, cfg.Policy[1].Then)
	require.Contains(t, cfg.Brake.MaxSingle, "free_months")
	require.Len(t, cfg.Operators, 2)
}

func TestCommerce(t *testing.T) {
	t.Parallel()

	cfg := load(t, "commerce")
	require.True(t, cfg.OnPostgres())
	require.NotEmpty(t, cfg.Engine.PostgresURL())
	require.Equal(t, config.ProviderPayPal, cfg.Providers["payouts"].Type)
	approvers := 0
	for _, operator := range cfg.Operators {
		if operator.Roles[0] == "finance" {
			approvers++
		}
	}
	for _, rule := range cfg.Policy {
		require.NotEqual(t, policy.Pay, rule.Then, "no cash leaves without people")
		if rule.Then == policy.Hold {
			require.Equal(t, 2, rule.Approvals)
			require.Equal(t, "finance", rule.Role)
			require.Less(t, rule.Approvals, approvers, "one of them may be on holiday")
		}
	}
}

func TestEnterprise(t *testing.T) {
	t.Parallel()

	cfg := load(t, "enterprise")
	require.True(t, cfg.OnPostgres())
	require.True(t, cfg.Auth.OIDC.On())
	require.True(t, cfg.Slack.Enabled())
	require.True(t, cfg.Encryption.On())
	require.True(t, cfg.Encryption.Ledger)
	require.Equal(t, config.UnverifiedIgnore, cfg.Approvals.Unverified)
	require.NotEmpty(t, cfg.PublicURL)
}
