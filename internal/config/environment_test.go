package config_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/policy"
)

const withTeam = required + `
listen: 127.0.0.1:1
providers:
  team: {type: webhook, url: https://one.example.com, secret: ` + signingKey + `}
  my-team: {type: manual}
routes:
  - {provider: team}
brake: {max_single: {credits: 10}}
`

func TestEnvironmentWins(t *testing.T) {
	t.Parallel()

	cfg := mustParse(t, withTeam, environment{
		"REWARDFLOW_LISTEN":                                "127.0.0.1:2",
		"REWARDFLOW_FIRSTPROMOTER_API_KEY":                 "from-$${the}-environment",
		"REWARDFLOW_FIRSTPROMOTER_REQUESTS_PER_MINUTE":     "90",
		"REWARDFLOW_FIRSTPROMOTER_CLOSE_BY_ANSWER_AFTER":   "20m",
		"REWARDFLOW_PROVIDERS_TEAM_URL":                    "https://two.example.com",
		"REWARDFLOW_PROVIDERS_TEAM_ALLOW_PRIVATE_NETWORKS": "true",
		"REWARDFLOW_PROVIDERS_MY_TEAM_TYPE":                "manual",
		"REWARDFLOW_PROVIDERS_OTHER_TYPE":                  "manual",
		"REWARDFLOW_BRAKE_MAX_SINGLE_CREDITS":              "20",
		"REWARDFLOW_BRAKE_MAX_SINGLE_USD":                  "30",
		"REWARDFLOW_BRAKE_MAX_PER_DAY_FREE_MONTHS":         "40",
		"REWARDFLOW_BRAKE_MAX_PER_PROMOTER_PER_DAY":        `{"points": 50}`,
		"REWARDFLOW_POLICY":                                "[{when: amount > 5, then: hold, for: 1h}]",
		"REWARDFLOW_ROUTES_0_UNIT":                         "points",
		"REWARDFLOW_ROUTES_1_PROVIDER":                     "other",
		"REWARDFLOW_DATA_DIR":                              "", // Empty is not set.
		"REWARDFLOW_CONFIG":                                "x", "REWARDFLOW_TOKEN": "x", "REWARDFLOW_URL": "x",
		"OTHER_VARIABLE": "x",
	})
	require.Equal(t, "127.0.0.1:2", cfg.Listen)
	require.Equal(t, ".rewardflow", cfg.DataDir)
	require.Equal(t, "from-$${the}-environment", cfg.FirstPromoter.APIKey.Reveal(), "nothing is expanded in a variable")
	require.Equal(t, webhookSecret, cfg.FirstPromoter.WebhookSecret.Reveal(), "the file's other keys stay")
	require.Equal(t, 90, cfg.FirstPromoter.RequestsPerMinute)
	require.Equal(t, 20*time.Minute, cfg.FirstPromoter.CloseByAnswerAfter)
	require.Equal(t, config.Provider{
		Type: "webhook", URL: "https://two.example.com", Secret: signingKey, AllowPrivateNetworks: true, Timeout: 10 * time.Second,
	}, cfg.Providers["team"])
	require.Contains(t, cfg.Providers, "other")
	require.Len(t, cfg.Providers, 3)
	require.Equal(t, config.Limits{"credits": 20, "USD": 30}, cfg.Brake.MaxSingle)
	require.Equal(t, config.Limits{"free_months": 40}, cfg.Brake.MaxPerDay)
	require.Equal(t, config.Limits{"points": 50}, cfg.Brake.MaxPerPromoterPerDay)
	require.Equal(t, []policy.Rule{{When: "amount > 5", Then: policy.Hold, For: time.Hour}}, cfg.Policy)
	require.Equal(t, []config.Route{{Unit: "points", Provider: "team"}, {Provider: "other"}}, cfg.Routes)
}

func TestEnvironmentHidesWhatTheFileExpands(t *testing.T) {
	t.Parallel()

	file := "firstpromoter: {api_key: '${NOT_SET}', webhook_secret: " + webhookSecret + "}\n"
	cfg := mustParse(t, file, environment{"REWARDFLOW_FIRSTPROMOTER_API_KEY": "k"})
	require.Equal(t, "k", cfg.FirstPromoter.APIKey.Reveal())
}

func TestKeysOfTheFileNeedNoList(t *testing.T) {
	t.Parallel()

	env := environment{"REWARDFLOW_PROVIDERS_TEAM_URL": "https://two.example.com", "REWARDFLOW_LISTN": "not seen"}
	cfg, err := config.Parse([]byte(withTeam), "rewardflow.yaml", env.lookup)
	require.NoError(t, err)
	require.Equal(t, "https://two.example.com", cfg.Providers["team"].URL)
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()

	file := withTeam + "notifications: [{events: [lead_signup], channel: {type: slack, url: https://replaced.example.com}}]\n"
	cfg := mustParse(t, file, environment{
		"REWARDFLOW_FIRSTPROMOTER_API_KEY_FILE":        write(t, "k\n\n"),
		"REWARDFLOW_FIRSTPROMOTER_WEBHOOK_SECRET_FILE": write(t, webhookSecret+"-2\r\n"),
		"REWARDFLOW_FIRSTPROMOTER_BASIC_AUTH_FILE":     write(t, "user:pass"),
		"REWARDFLOW_PROVIDERS_TEAM_SECRET_FILE":        write(t, signingKey+"-2\n"),
		"REWARDFLOW_NOTIFICATIONS_0_CHANNEL_URL_FILE":  write(t, "https://hooks.example.com/x\n"),
	})
	require.Equal(t, "k\n", cfg.FirstPromoter.APIKey.Reveal(), "one newline is trimmed")
	require.Equal(t, webhookSecret+"-2", cfg.FirstPromoter.WebhookSecret.Reveal())
	require.Equal(t, "user:pass", cfg.FirstPromoter.BasicAuth.Reveal())
	require.Equal(t, signingKey+"-2", cfg.Providers["team"].Secret.Reveal())
	require.Equal(t, "https://hooks.example.com/x", cfg.Notifications[0].Channel.URL.Reveal())
}

func TestSecretFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()

	missing := filepath.Join(t.TempDir(), "missing")
	empty := write(t, "\n")
	_, err := parse(withTeam, environment{
		"REWARDFLOW_FIRSTPROMOTER_API_KEY_FILE":        missing,
		"REWARDFLOW_FIRSTPROMOTER_WEBHOOK_SECRET_FILE": empty,
		"REWARDFLOW_FIRSTPROMOTER_BASIC_AUTH_FILE":     write(t, "user:pass"),
		"REWARDFLOW_FIRSTPROMOTER_BASIC_AUTH":          "user:pass",
		"REWARDFLOW_LISTEN_FILE":                       empty,
	})
	require.ErrorContains(t, err, "REWARDFLOW_FIRSTPROMOTER_API_KEY_FILE: the file "+missing+" does not exist")
	require.ErrorContains(t, err, "REWARDFLOW_FIRSTPROMOTER_WEBHOOK_SECRET_FILE: the file "+empty+" is empty")
	require.ErrorContains(t, err, "REWARDFLOW_FIRSTPROMOTER_BASIC_AUTH_FILE: REWARDFLOW_FIRSTPROMOTER_BASIC_AUTH is set too; allowed: one of the two")
	require.ErrorContains(t, err, "REWARDFLOW_LISTEN_FILE: is not a variable of rewardflow")
	require.NotContains(t, err.Error(), "user:pass")

	directory := t.TempDir()
	_, err = parse(withTeam, environment{"REWARDFLOW_FIRSTPROMOTER_API_KEY_FILE": directory})
	require.ErrorContains(t, err, "the file "+directory+" cannot be read")
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()

	_, err := parse(withTeam, environment{
		"REWARDFLOW_LISTN":                   "v4lue",
		"REWARDFLOW_FIRSTPROMOTER_APIKEY":    "v4lue",
		"REWARDFLOW_PROVIDERS_TEAM_SECRT":    "v4lue",
		"REWARDFLOW_WHATEVER_THIS_MAY_BE":    "v4lue",
		"REWARDFLOW_ROUTES_5_PROVIDER":       "v4lue",
		"REWARDFLOW_FIRSTPROMOTER_BASE_UR_L": "", // Empty is not set.
	})
	require.ErrorContains(t, err, "the configuration has 5 mistakes:")
	require.ErrorContains(t, err, "REWARDFLOW_LISTN: is not a variable of rewardflow; allowed: did you mean REWARDFLOW_LISTEN?")
	require.ErrorContains(t, err, "did you mean REWARDFLOW_FIRSTPROMOTER_API_KEY?")
	require.ErrorContains(t, err, "did you mean REWARDFLOW_PROVIDERS_TEAM_SECRET?")
	require.ErrorContains(t, err, "REWARDFLOW_WHATEVER_THIS_MAY_BE: is not a variable of rewardflow; allowed: the names in docs/configuration.md")
	require.ErrorContains(t, err, "REWARDFLOW_ROUTES_5_PROVIDER: is not a variable")
	require.NotContains(t, err.Error(), "v4lue")
}

func TestMistakesInVariablesNameTheVariable(t *testing.T) {
	t.Parallel()

	_, err := parse(withTeam, environment{
		"REWARDFLOW_LISTEN":                            "v4lue",
		"REWARDFLOW_FIRSTPROMOTER_REQUESTS_PER_MINUTE": "v4lue",
		"REWARDFLOW_APPROVALS_UNVERIFIED":              "v4lue",
		"REWARDFLOW_ROUTES":                            "[{provider: peple, unti: credits}]",
		"REWARDFLOW_OPERATORS":                         "[v4lue",
		"REWARDFLOW_PROVIDERS_TEAM":                    "v4lue",
	})
	for _, want := range []string{
		"  REWARDFLOW_LISTEN: listen: is not host:port; allowed: an address such as",
		"  REWARDFLOW_FIRSTPROMOTER_REQUESTS_PER_MINUTE: firstpromoter.requests_per_minute: is not a whole number; allowed: digits only",
		"  REWARDFLOW_APPROVALS_UNVERIFIED: approvals.unverified: is not known; allowed: accept, ignore",
		"  REWARDFLOW_ROUTES: routes[0].provider: is not known; allowed: my-team, team",
		`  REWARDFLOW_ROUTES: routes[0].unti: is not a known key, did you mean "unit"?; allowed: unit, campaign, currency, provider`,
		"  REWARDFLOW_OPERATORS: is not readable as YAML or JSON; allowed: one value, such as",
		"  REWARDFLOW_PROVIDERS_TEAM: is not a variable",
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "v4lue")
}
