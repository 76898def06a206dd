package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/policy"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	webhookSecret = "an-unguessable-path-of-48-characters-0123456789ab"
	signingKey    = "a-signing-key-of-thirty-two-chars"
	examplePath   = "../../examples/rewardflow.yaml"
	// required is the smallest file that is right.
	required = "firstpromoter: {api_key: key-of-the-account, webhook_secret: " + webhookSecret + "}\n"
)

// environment is a lookup over a map, and its entries as os.Environ writes them.
type environment map[string]string

func (e environment) lookup(name string) (string, bool) {
	value, ok := e[name]
	return value, ok
}

func (e environment) environ() []string {
	var entries []string
	for name, value := range e {
		entries = append(entries, name+"="+value)
	}
	return entries
}

func parse(file string, env environment) (*config.Config, error) {
	return config.Parse([]byte(file), "rewardflow.yaml", env.lookup, env.environ()...)
}

func mustParse(t *testing.T, file string, env environment) *config.Config {
	t.Helper()
	cfg, err := parse(file, env)
	require.NoError(t, err)
	return cfg
}

func TestDefaults(t *testing.T) {
	t.Parallel()

	want := config.Default()
	want.FirstPromoter.APIKey = "key-of-the-account"
	want.FirstPromoter.WebhookSecret = webhookSecret
	got := mustParse(t, required, nil)
	require.Equal(t, want.FirstPromoter, got.FirstPromoter)
	require.Equal(t, want.Approvals, got.Approvals)
	require.Equal(t, "127.0.0.1:8080", got.Listen)
	require.Equal(t, ".rewardflow", got.DataDir)
	require.EqualValues(t, config.DatabaseSQLite, got.Database)
	require.Equal(t, "rewardflow", got.Temporal.TaskQueue)
	require.Empty(t, got.Engine.PostgresURL())
	require.Equal(t, 512, got.Engine.HistoryShards)
	require.Equal(t, 60, got.FirstPromoter.RequestsPerMinute)
	require.Equal(t, 10*time.Minute, got.FirstPromoter.CloseByAnswerAfter)
	require.Equal(t, config.UnverifiedAccept, got.Approvals.Unverified)
	require.Empty(t, got.Policy)
}

func TestExampleLoads(t *testing.T) {
	t.Parallel()

	env := environment{
		"FIRSTPROMOTER_API_KEY": "k", "FIRSTPROMOTER_WEBHOOK_SECRET": webhookSecret,
		"TEAM_SECRET": signingKey, "CRM_SECRET": signingKey, "SLACK_URL": "https://hooks.slack.com/services/T0/B0/xyz",
		"SLACK_BOT_TOKEN": "xoxb-1-hush", "SLACK_SIGNING_SECRET": "hush",
		"STRIPE_API_KEY": "rk_test_1", "PAYPAL_CLIENT_ID": "id", "PAYPAL_CLIENT_SECRET": "hush",
		"TREMENDOUS_API_KEY": "TEST_1",
		"SMTP_PASSWORD":      "hush", "OIDC_CLIENT_SECRET": "hush",
		"ENCRYPTION_KEY": strings.Repeat("Ab1-", 10) + "Ab0", "OLD_ENCRYPTION_KEY": strings.Repeat("Cd2_", 10) + "Cd0",
	}
	cfg, err := config.Load(examplePath, env.lookup, env.environ()...)
	require.NoError(t, err)
	require.Empty(t, cfg.Warnings())

	require.Equal(t, config.Provider{
		Type: config.ProviderWebhook, URL: "https://billing.example.com/rewards", Secret: signingKey,
		Secrets: []config.Secret{}, Timeout: 10 * time.Second,
	}, cfg.Providers["team"])
	require.Equal(t, config.Provider{
		Type: config.ProviderStripe, APIKey: "rk_test_1", BaseURL: "https://api.stripe.com", RequireEmailMatch: true,
		CreditValue: config.Limits{"USD": 100}, DiscountValue: config.Limits{"USD": 100}, Timeout: 10 * time.Second,
	}, cfg.Providers["billing"])
	require.Equal(t, config.Provider{
		Type: config.ProviderPayPal, ClientID: "id", ClientSecret: "hush", BaseURL: "https://api-m.paypal.com", Timeout: 10 * time.Second,
	}, cfg.Providers["payouts"])
	require.Equal(t, config.Provider{
		Type: config.ProviderTremendous, APIKey: "TEST_1", BaseURL: "https://api.tremendous.com/api/v2", CampaignID: "CAMPAIGN1234",
		Products: []string{}, FundingSourceID: "balance", Timeout: 10 * time.Second,
	}, cfg.Providers["gifts"])
	require.Equal(t, config.Route{Unit: reward.Cash, Currency: "USD", Provider: "payouts"}, cfg.Routes[2])
	rule := cfg.Policy[2]
	require.Contains(t, strings.Split(read(t, examplePath), "\n")[rule.Line-1], "- when: amount > 10000")
	rule.Line = 0
	require.Equal(t, policy.Rule{
		When: "amount > 10000", Then: policy.Ask, Approvals: 2, Role: "finance", Not: []string{"alice"},
		RemindAfter: 4 * time.Hour, EscalateAfter: 24 * time.Hour, HoldAfter: 72 * time.Hour,
	}, rule)
	require.Equal(t, 336*time.Hour, cfg.Policy[4].For)
	require.Equal(t, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), cfg.Policy[5].Until)
	require.Equal(t, config.Limits{"credits": 50000, "USD": 500000}, cfg.Brake.MaxPerDay)
	require.Equal(t, []string{"approver", "finance"}, cfg.Operators[0].Roles)
	require.Equal(t, "https://hooks.slack.com/services/T0/B0/xyz", cfg.Notifications[0].Channel.URL.Reveal())
	require.Equal(t, config.Channel{Type: config.ChannelSlack, Token: "xoxb-1-hush", Channel: "C0123456789"}, cfg.Notifications[2].Channel)
	require.Equal(t, config.Channel{
		Type: config.ChannelEmail, Host: "smtp.example.com", Port: 587, TLS: config.TLSStart, Username: "rewards", Password: "hush",
		From: "Rewards <rewards@example.com>", To: []string{"finance@example.com", "ops@example.com"},
	}, cfg.Notifications[3].Channel)
	require.Equal(t, 7, cfg.DailySummaryHour)
	require.Equal(t, config.Slack{
		BotToken: "xoxb-1-hush", SigningSecret: "hush", Channel: "C0123456789", TeamID: "T0123456789", AppID: "A0123456789",
		BaseURL: "https://slack.com/api",
	}, cfg.Slack)
	require.Equal(t, "U012AB3CD", cfg.Operators[0].SlackUser)
	require.Equal(t, "https://rewards.example.com", cfg.PublicURL)
}

func TestSlackIsOffByDefault(t *testing.T) {
	t.Parallel()

	cfg := mustParse(t, required, nil)
	require.False(t, cfg.Slack.Enabled())
	require.Contains(t, cfg.Summary(), config.Setting{Key: "slack", Value: "no approvals"})
}

func TestSlackWithoutPeopleIsNoted(t *testing.T) {
	t.Parallel()

	cfg := mustParse(t, required+"slack: {bot_token: xoxb-1, signing_secret: s, channel: C1, team_id: T1}\n", nil)
	require.True(t, cfg.Slack.Enabled())
	require.Contains(t, cfg.Warnings(), "slack: no operator has a slack_user, so nobody can decide there")
	require.Contains(t, cfg.Summary(), config.Setting{Key: "slack", Value: "approvals in channel C1 of workspace T1"})
}

func TestSlackSecretFromAFile(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(path, []byte("xoxb-file\n"), 0o600))
	cfg := mustParse(t, required+"slack: {signing_secret: s, channel: C1, team_id: T1}\n", environment{"REWARDFLOW_SLACK_BOT_TOKEN_FILE": path})
	require.Equal(t, "xoxb-file", cfg.Slack.BotToken.Reveal())
}

func TestFileThatDoesNotExist(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "missing.yaml")
	_, err := config.Load(path, environment{}.lookup)
	require.ErrorContains(t, err, path+": the file does not exist")
}

func TestEnvironmentAloneIsEnough(t *testing.T) {
	t.Parallel()

	env := environment{
		"REWARDFLOW_FIRSTPROMOTER_API_KEY": "k", "REWARDFLOW_FIRSTPROMOTER_WEBHOOK_SECRET": webhookSecret,
		"REWARDFLOW_PROVIDERS_PEOPLE_TYPE": "manual", "REWARDFLOW_ROUTES": "[{provider: people}]",
	}
	cfg, err := config.Load("", env.lookup, env.environ()...)
	require.NoError(t, err)
	require.Equal(t, []config.Route{{Provider: "people"}}, cfg.Routes)
	require.Equal(t, "manual", cfg.Providers["people"].Type)
}

func TestUnverifiedDependsOnOperators(t *testing.T) {
	t.Parallel()

	operators := "operators: [{name: alice, token_sha256: " + strings.Repeat("AB", 32) + ", roles: [viewer]}]\n"
	require.Equal(t, config.UnverifiedAccept, mustParse(t, required, nil).Approvals.Unverified)
	cfg := mustParse(t, required+operators, nil)
	require.Equal(t, config.UnverifiedIgnore, cfg.Approvals.Unverified)
	require.Equal(t, strings.Repeat("ab", 32), cfg.Operators[0].TokenSHA256)
	said := mustParse(t, required+operators+"approvals: {unverified: accept}\n", nil)
	require.Equal(t, config.UnverifiedAccept, said.Approvals.Unverified)
}

func TestExpansion(t *testing.T) {
	t.Parallel()

	file := required + "data_dir: ${ROOT}/a$$b$c${EMPTY}\nlisten: \"127.0.0.1:${PORT}\"\n"
	cfg := mustParse(t, file, environment{"ROOT": "/srv/${NOT_AGAIN}", "PORT": "9", "EMPTY": ""})
	require.Equal(t, "/srv/${NOT_AGAIN}/a$b$c", cfg.DataDir)
	require.Equal(t, "127.0.0.1:9", cfg.Listen)
}

func TestAnchorsAreRead(t *testing.T) {
	t.Parallel()

	file := required + `
providers:
  one: &base {type: webhook, url: https://one.example.com, secret: &key "dollars$$-and-enough-characters"}
  two: {type: webhook, url: https://two.example.com, secret: *key}
  three: *base
`
	cfg := mustParse(t, file, environment{"REWARDFLOW_PROVIDERS_THREE_URL": "https://three.example.com"})
	require.Equal(t, "dollars$-and-enough-characters", cfg.Providers["two"].Secret.Reveal())
	require.Equal(t, "https://three.example.com", cfg.Providers["three"].URL)
	require.Equal(t, "https://one.example.com", cfg.Providers["one"].URL, "an anchor's other users are not touched")
}

func TestWarnings(t *testing.T) {
	t.Parallel()

	require.Equal(t, []string{
		"routes: there are none, so every reward will wait in attention",
		"operators: there are none, so only this machine can use the operator API",
	}, mustParse(t, required, nil).Warnings())

	cfg := mustParse(t, required+`
providers: {people: {type: manual}}
routes: [{unit: credit, provider: people}, {provider: people}, {unit: points, provider: people}]
policy: [{then: ask, approvals: 2, role: finance}]
operators: [{name: alice, token_sha256: `+strings.Repeat("ab", 32)+`, roles: [finance]}]
`, nil)
	require.Equal(t, []string{
		`routes[0].unit: "credit" is not a unit that FirstPromoter documents`,
		"routes[1]: it matches every reward, so the routes after it are never used",
		"policy[0]: it asks 2 people, and only 1 operators can approve",
	}, cfg.Warnings())
}

func TestRouteMatches(t *testing.T) {
	t.Parallel()

	require.True(t, config.Route{}.Matches(reward.Cash, 7))
	require.True(t, config.Route{Unit: reward.Credits, Campaign: 7}.Matches(reward.Credits, 7))
	require.False(t, config.Route{Unit: reward.Credits, Campaign: 7}.Matches(reward.Credits, 8))
	require.False(t, config.Route{Unit: reward.Credits}.Matches(reward.Points, 7))
}

// write puts a secret into a file and returns its path.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func TestVariablesNeedNoQuotesInsideOfBraces(t *testing.T) {
	t.Parallel()

	cfg, err := config.Parse([]byte(`
firstpromoter: {api_key: ${KEY}, webhook_secret: ${HOOK}}
providers:
  team: {type: webhook, url: https://billing.example.com/rewards, secret: ${TEAM}, allow_private_networks: false}
  other: {type: webhook, url: "https://example.com/$${raw}", secret: a-${TEAM}-z}
routes: [{provider: team}]
`), "rewardflow.yaml", func(name string) (string, bool) {
		value, ok := map[string]string{
			"KEY": "k", "HOOK": strings.Repeat("h", 32), "TEAM": "{curly}, with: a comma # and 0123456789",
		}[name]
		return value, ok
	})
	require.NoError(t, err)
	require.Equal(t, "{curly}, with: a comma # and 0123456789", cfg.Providers["team"].Secret.Reveal())
	require.Equal(t, "a-{curly}, with: a comma # and 0123456789-z", cfg.Providers["other"].Secret.Reveal())
	require.Equal(t, "https://example.com/${raw}", cfg.Providers["other"].URL)
}

func TestEngineOnPostgres(t *testing.T) {
	t.Parallel()

	const url = "postgres://me:s3cret@db:5432/temporal?sslmode=require"
	cfg := mustParse(t, required, environment{"REWARDFLOW_ENGINE_DATABASE": url, "REWARDFLOW_ENGINE_HISTORY_SHARDS": "128"})
	require.Equal(t, url, cfg.Engine.PostgresURL())
	require.Equal(t, 128, cfg.Engine.HistoryShards)
	require.Contains(t, cfg.Summary(), config.Setting{Key: "engine.database", Value: "postgres"})

	for _, ledger := range []string{"postgres://x@DB:5432/temporal", "postgresql://x@db:5432/temporal_visibility"} {
		_, err := parse(required, environment{"REWARDFLOW_DATABASE": ledger, "REWARDFLOW_ENGINE_DATABASE": url})
		require.ErrorContains(t, err, "engine.database: is the ledger's database; allowed: another database")
		require.NotContains(t, err.Error(), "s3cret")
	}
	_, err := parse(required, environment{"REWARDFLOW_DATABASE": "postgres://x@db:5432/rewardflow", "REWARDFLOW_ENGINE_DATABASE": url})
	if err != nil {
		require.NotContains(t, err.Error(), "engine.database")
	}
}
