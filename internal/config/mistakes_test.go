package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/config"
)

const someDigest = "abababababababababababababababababababababababababababababababab"

// TestMistakes breaks one thing at a time. The file's second line on is the
// case's; its first is what every file needs.
// relay is what an e-mail channel needs.
const relay = "host: smtp.example.com, from: a@example.com, to: [b@example.com]"

func TestMistakes(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		file string
		want string
	}{
		"unknown key":     {"lissten: x", `rewardflow.yaml:2: lissten: is not a known key, did you mean "listen"?; allowed: listen, data_dir, `},
		"unknown in list": {"providers: {p: {type: manual}}\nroutes:\n  - provider: p\n    unti: credits", `rewardflow.yaml:5: routes[0].unti: is not a known key, did you mean "unit"?`},
		"key twice":       {"listen: :1\nlisten: :2", "rewardflow.yaml:3: listen: is given twice, in line 2 too"},
		"merge key":       {"temporal: {<<: {task_queue: x}}", "rewardflow.yaml:2: temporal: merge keys (<<) are not supported"},
		"list as key":     {"temporal: {[a]: x}", "rewardflow.yaml:2: temporal: a list cannot be a key"},
		"scalar for map":  {"temporal: x", "rewardflow.yaml:2: temporal: is a single value; allowed: a map of keys (REWARDFLOW_TEMPORAL)"},
		"map for list":    {"routes: {a: b}", "rewardflow.yaml:2: routes: is a map of keys; allowed: a list"},
		"list for scalar": {"listen: [a]", "rewardflow.yaml:2: listen: is a list; allowed: one value"},
		"policy is text":  {"policy: [x]", "rewardflow.yaml:2: policy[0]: is a single value; allowed: a map of keys"},

		"unset variable":      {"data_dir: ${NOWHERE}/x", "rewardflow.yaml:2: data_dir: the variable NOWHERE is not set; allowed: set NOWHERE, or write $${...}"},
		"unclosed variable":   {"data_dir: ${NOWHERE", "rewardflow.yaml:2: data_dir: holds ${ that does not begin a variable"},
		"variable with minus": {"data_dir: ${NO-WHERE}", "data_dir: holds ${ that does not begin a variable"},

		"listen":          {"listen: localhost", "rewardflow.yaml:2: listen: is not host:port; allowed: an address such as 127.0.0.1:8080, or :8080 for every interface (REWARDFLOW_LISTEN)"},
		"metrics listen":  {"metrics_listen: localhost", "rewardflow.yaml:2: metrics_listen: is not host:port"},
		"metrics port":    {"metrics_listen: localhost:http", "metrics_listen: does not end in a port number; allowed: 0 to 65535"},
		"port":            {"listen: localhost:http", "listen: does not end in a port number; allowed: 0 to 65535"},
		"data_dir":        {`data_dir: " "`, "data_dir: is empty"},
		"drain_for":       {`drain_for: 1m`, "drain_for: is out of range; allowed: a duration from 0s to 20s"},
		"postgres":        {"database: postgres://u:s3cret@db:x/x", "database: is not a URL that can be read; allowed: postgres://user:password@host:port/database"},
		"database":        {"database: mysql://s3cret", "database: is not a database that rewardflow knows; allowed: sqlite, a file in data_dir; postgres://"},
		"engine":          {"engine: {database: mysql://s3cret}", "rewardflow.yaml:2: engine.database: is not a database that the embedded engine knows; allowed: sqlite, or a URL such as postgres://"},
		"engine's name":   {"engine: {database: postgres://u:s3cret@db}", "engine.database: does not end in the name of a database; allowed: up to 40 letters, digits and _"},
		"engine's shards": {"engine: {history_shards: 0}", "engine.history_shards: 0 is out of range; allowed: 1 to 4096"},
		"deployment":      {"temporal: {deployment: a.b}", "temporal.deployment: is not a name for a worker deployment; allowed: up to 100 letters, digits, - and _"},
		"build":           {"temporal: {build_id: b}", "temporal.build_id: means nothing without temporal.deployment"},
		"odd build":       {"temporal: {deployment: d, build_id: 'a b'}", "temporal.build_id: is not a name for a build"},
		"payouts":         {"providers: {p: {type: stripe, api_key: rk_1, payouts_per_minute: 60001}}\nroutes: [{provider: p}]", "providers.p.payouts_per_minute: 60001 is out of range; allowed: 1 to 60000, or 0 for no limit"},
		"manual payouts":  {"providers: {p: {type: manual, payouts_per_minute: 1}}\nroutes: [{provider: p}]", "payouts_per_minute"},
		"task queue":      {`temporal: {task_queue: ""}`, "temporal.task_queue: is empty"},
		"reminder":        {"approvals: {remind_after: 1 day}", `rewardflow.yaml:2: approvals.remind_after: "1 day" is not a duration; allowed: a number with a unit, such as 30s, 10m or 24h (REWARDFLOW_APPROVALS_REMIND_AFTER)`},
		"reminder zero":   {"approvals: {remind_after: 0s}", "approvals.remind_after: is not above zero"},
		"escalate first":  {"approvals: {escalate_after: 1h}", "approvals.escalate_after: 1h0m0s is before remind_after (24h0m0s); allowed: durations that rise"},
		"hold first":      {"approvals: {hold_after: 48h}", "approvals.hold_after: 48h0m0s is before escalate_after (72h0m0s)"},
		"unverified":      {"approvals: {unverified: acept}", `approvals.unverified: "acept" is not known, did you mean "accept"?; allowed: accept, ignore`},
		"unverified bool": {"approvals: {unverified: yes}", `approvals.unverified: "yes" is not known; allowed: accept, ignore`},

		"slack without token":   {"slack: {channel: C1}", "slack.bot_token: is missing; allowed: the bot token of the Slack app, xoxb-...; leave slack out"},
		"slack user token":      {"slack: {bot_token: xoxp-1, signing_secret: s, channel: C1, team_id: T1}", "slack.bot_token: is not a bot token"},
		"slack without secret":  {"slack: {bot_token: xoxb-1, channel: C1, team_id: T1}", "slack.signing_secret: is missing"},
		"slack channel by name": {`slack: {bot_token: xoxb-1, signing_secret: s, channel: "#rewards", team_id: T1}`, `slack.channel: "#rewards" is not an ID of Slack; allowed: the channel's ID, not its name`},
		"slack without team":    {"slack: {bot_token: xoxb-1, signing_secret: s, channel: C1}", "slack.team_id: is missing"},
		"slack app":             {"slack: {bot_token: xoxb-1, signing_secret: s, channel: C1, team_id: T1, app_id: B1}", `slack.app_id: "B1" is not an ID of Slack`},
		"slack in clear":        {"slack: {bot_token: xoxb-1, signing_secret: s, channel: C1, team_id: T1, base_url: 'http://slack.example'}", "slack.base_url: is not https"},
		"slack user":            {"operators: [{name: a, token_sha256: " + someDigest + ", roles: [viewer], slack_user: alice}]", `operators[0].slack_user: "alice" is not an ID of Slack; allowed: a member ID`},
		"slack user twice": {
			"operators: [{name: a, token_sha256: " + someDigest + ", roles: [viewer], slack_user: U1}, {name: b, token_sha256: 0" + someDigest[1:] + ", roles: [viewer], slack_user: U1}]",
			"operators[1].slack_user: is the one of operators[0], too",
		},
		"public url": {"public_url: rewards.example.com", "public_url: is not an absolute URL"},

		"session":         {"auth: {session_lifetime: 1s}", "auth.session_lifetime: 1s is out of range; allowed: 1m to 720h, such as 12h"},
		"proxy alone":     {"auth: {proxy: {user_header: X-User}}", "auth.proxy.trusted: is missing; allowed: the networks that the proxy sends from"},
		"proxy unnamed":   {"auth: {proxy: {trusted: [10.0.0.0/8]}}", "auth.proxy.user_header: is missing; allowed: the header in which"},
		"proxy network":   {"auth: {proxy: {trusted: [10.0.0.1], user_header: X-User}}", "auth.proxy.trusted[0]: is not a network; allowed: a network in CIDR notation"},
		"proxy of all":    {"auth: {proxy: {trusted: [0.0.0.0/0], user_header: X-User}}", "auth.proxy.trusted[0]: would believe everybody"},
		"proxy of all v6": {`auth: {proxy: {trusted: ["::/0"], user_header: X-User}}`, "auth.proxy.trusted[0]: would believe everybody"},
		"proxy header":    {`auth: {proxy: {trusted: [10.0.0.0/8], user_header: "X User"}}`, "auth.proxy.user_header: is not the name of a header"},
		"proxy cookie":    {"auth: {proxy: {trusted: [10.0.0.0/8], user_header: cookie}}", "auth.proxy.user_header: every client sends this header itself"},
		"groups unnamed":  {"auth: {proxy: {trusted: [10.0.0.0/8], user_header: X-User, groups: [{name: a, roles: [viewer]}]}}", "auth.proxy.groups_header: is missing"},
		"group role":      {"auth: {proxy: {trusted: [10.0.0.0/8], user_header: X-User, groups_header: X-Groups, groups: [{name: a, roles: [viewr]}]}}", `auth.proxy.groups[0].roles[0]: "viewr" is not known, did you mean "viewer"?`},
		"group comma":     {`auth: {proxy: {trusted: [10.0.0.0/8], user_header: X-User, groups_header: X-Groups, groups: [{name: "a,b", roles: [viewer]}]}}`, "auth.proxy.groups[0].name: holds a comma, which separates groups"},
		"group twice":     {"auth: {proxy: {trusted: [10.0.0.0/8], user_header: X-User, groups_header: X-Groups, groups: [{name: a, roles: [viewer]}, {name: a, roles: [admin]}]}}", "auth.proxy.groups[1].name: is given twice"},

		"provider name":     {"providers: {My Team: {type: manual}}", "providers.My Team: is not a name for a provider; allowed: up to 32 of a-z"},
		"provider reserved": {"providers: {by_hand: {type: manual}}", "providers.by_hand: is a name with a meaning of its own"},
		"provider all":      {"providers: {all: {type: manual}}", "providers.all: is a name with a meaning of its own"},
		"provider type":     {"providers: {p: {type: webhok}}", `providers.p.type: "webhok" is not known, did you mean "webhook"?; allowed: webhook, manual, stripe, paypal, tremendous`},
		"provider untyped":  {"providers: {p: {}}", "providers.p.type: is missing; allowed: webhook, manual, stripe, paypal, tremendous (REWARDFLOW_PROVIDERS_P_TYPE)"},
		"manual with url":   {"providers: {p: {type: manual, url: https://x.example}}", "providers.p.url: has no meaning here; allowed: only with type: webhook"},
		"webhook bool":      {webhookProvider("allow_private_networks: yes"), `providers.p.allow_private_networks: "yes" is neither true nor false; allowed: true, false`},
		"webhook timeout":   {webhookProvider("timeout: 0s"), "providers.p.timeout: is not above zero"},
		"old secret":        {webhookProvider("secrets: [short]"), "providers.p.secrets[0]: has 5 bytes; allowed: 24 characters or more"},

		"route provider":     {"providers: {people: {type: manual}}\nroutes: [{provider: peple}]", `rewardflow.yaml:3: routes[0].provider: "peple" is not known, did you mean "people"?; allowed: people (REWARDFLOW_ROUTES_0_PROVIDER)`},
		"route, none":        {"routes: [{provider: people}]", `routes[0].provider: "people" is not configured`},
		"route without":      {"providers: {p: {type: manual}}\nroutes: [{unit: credits}]", "routes[0].provider: is missing; allowed: p"},
		"route campaign":     {route("campaign: 0"), "routes[0].campaign: is not above zero; allowed: the ID of a campaign"},
		"route cash":         {route("unit: cash"), "routes[0].currency: is missing, and events of FirstPromoter name none; allowed: an ISO 4217 code"},
		"route currency":     {route("unit: cash, currency: usd"), `routes[0].currency: "usd" is not a currency; allowed: an ISO 4217 code in upper case`},
		"route credits":      {route("unit: credits, currency: USD"), "routes[0].currency: only cash has a currency; allowed: leave it out, or add unit: cash"},
		"route all currency": {route("currency: USD"), "routes[0].currency: only cash has a currency"},

		"policy":        {"policy:\n  - {then: pay}\n  - when: amuont > 1\n    then: pay", `rewardflow.yaml:4: policy[1].when: column 1: "amuont" is not known, did you mean "amount"?; allowed: the facts unit (string), amount (int)`},
		"policy then":   {"policy: [{then: payy}]", `rewardflow.yaml:2: policy[0].then: "payy" is not a verdict, did you mean "pay"?; allowed: pay, ask, hold, refuse`},
		"policy typed":  {"policy: [{then: ask, approvals: two}]", `policy[0].approvals: "two" is not a whole number`},
		"policy until":  {"policy: [{then: hold, until: tomorrow}]", `policy[0].until: "tomorrow" is not a time; allowed: 2026-12-31T00:00:00Z`},
		"policy unless": {"policy: [{then: pay, unless: x}]", "policy[0].unless: is not a known key; allowed: when, then, approvals, role, not, remind_after, escalate_after, hold_after, for, until, reason"},

		"cap fraction": {"brake: {max_single: {credits: 5000.5}}", `brake.max_single.credits: "5000.5" is not a whole number; allowed: digits only`},
		"cap exponent": {"brake: {max_single: {credits: 5e3}}", `"5e3" is not a whole number`},
		"cap hex":      {"brake: {max_single: {credits: 0x10}}", `"0x10" is not a whole number`},
		"cap grouped":  {"brake: {max_single: {credits: 5_000}}", `"5_000" is not a whole number`},
		"cap too big":  {"brake: {max_single: {credits: 9223372036854775808}}", "is not a whole number"},
		"cap zero":     {"brake: {max_per_day: {credits: 0}}", "brake.max_per_day.credits: is not above zero"},
		"cap typo":     {"brake: {max_per_promoter_per_day: {credit: 5}}", `brake.max_per_promoter_per_day.credit: is neither a unit nor a currency, so it would cap nothing, did you mean "credits"?; allowed: credits, points`},
		"cap lower":    {"brake: {max_per_campaign_per_day: {usd: 5}}", `brake.max_per_campaign_per_day.usd: is neither a unit nor a currency`},
		"cap cash":     {"brake: {max_single: {cash: 5}}", "brake.max_single.cash: cash is capped under its currency; allowed: an ISO 4217 code"},

		"operator name":  {"operators: [{token_sha256: " + someDigest + ", roles: [viewer]}]", "operators[0].name: is missing or not a name"},
		"operator token": {"operators: [{name: a, token_sha256: abc, roles: [viewer]}]", "operators[0].token_sha256: is not a SHA-256; allowed: 64 hexadecimal digits"},
		"operator empty": {"operators: [{name: a, token_sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, roles: [viewer]}]", "is the SHA-256 of nothing"},
		"operator roles": {"operators: [{name: a, token_sha256: " + someDigest + "}]", "operators[0].roles: is missing; allowed: viewer, approver, finance, operator, admin"},
		"operator role":  {"operators: [{name: a, token_sha256: " + someDigest + ", roles: [viewer, aprover]}]", `operators[0].roles[1]: "aprover" is not known, did you mean "approver"?`},
		"operator twice": {
			"operators:\n  - {name: a, token_sha256: " + someDigest + ", roles: [viewer]}\n  - {name: a, token_sha256: " + strings.ToUpper(someDigest[:62]) + "cd, roles: [viewer]}",
			"rewardflow.yaml:4: operators[1].name: is the name of operators[0], too",
		},
		"operator's token twice": {
			"operators:\n  - {name: a, token_sha256: " + someDigest + ", roles: [viewer]}\n  - {name: b, token_sha256: " + strings.ToUpper(someDigest) + ", roles: [viewer]}",
			"rewardflow.yaml:4: operators[1].token_sha256: is the token of operators[0], too",
		},

		"no events":       {"notifications: [{channel: {type: log}}]", "notifications[0].events: is missing"},
		"event":           {"notifications: [{events: [lead_sginup], channel: {type: log}}]", `notifications[0].events[0]: "lead_sginup" is not known, did you mean "lead_signup"?`},
		"no channel":      {"notifications: [{events: [lead_signup]}]", "notifications[0].channel.type: is missing; allowed: log, webhook, slack, email"},
		"channel type":    {"notifications: [{events: [lead_signup], channel: {type: e-mail}}]", `notifications[0].channel.type: "e-mail" is not known, did you mean "email"?; allowed: log, webhook, slack, email`},
		"channel log":     {"notifications: [{events: [lead_signup], channel: {type: log, url: x}}]", "notifications[0].channel.url: has no meaning here; allowed: only with type: webhook or slack"},
		"channel slack":   {"notifications: [{events: [lead_signup], channel: {type: slack}}]", "notifications[0].channel.url: is missing"},
		"slack secret":    {"notifications: [{events: [lead_signup], channel: {type: slack, url: https://x.example, secret: x}}]", "channel.secret: has no meaning here; allowed: only with type: webhook"},
		"slack both":      {"notifications: [{events: [lead_signup], channel: {type: slack, url: https://x.example, token: xoxb-1, channel: C1}}]", "channel.url: stands beside a bot's token or channel; allowed: either url"},
		"slack token":     {"notifications: [{events: [lead_signup], channel: {type: slack, token: xoxp-SECRET, channel: C1}}]", "channel.token: is not a bot's token"},
		"slack channel":   {"notifications: [{events: [lead_signup], channel: {type: slack, token: xoxb-1}}]", "channel.channel: is not a conversation"},
		"log token":       {"notifications: [{events: [lead_signup], channel: {type: log, token: x}}]", "channel.token: has no meaning here; allowed: only with type: slack"},
		"log host":        {"notifications: [{events: [lead_signup], channel: {type: log, host: x}}]", "channel.host: has no meaning here; allowed: only with type: email"},
		"email url":       {"notifications: [{events: [lead_signup], channel: {type: email, url: https://x.example, " + relay + "}}]", "channel.url: has no meaning here"},
		"email host":      {"notifications: [{events: [lead_signup], channel: {type: email, from: a@example.com, to: [b@example.com], host: 'x:25'}}]", "channel.host: is not the name of a mail server"},
		"email port":      {"notifications: [{events: [lead_signup], channel: {type: email, port: 0, " + relay + "}}]", "channel.port: is out of range"},
		"email tls":       {"notifications: [{events: [lead_signup], channel: {type: email, tls: implict, " + relay + "}}]", `channel.tls: "implict" is not known, did you mean "implicit"?`},
		"email username":  {"notifications: [{events: [lead_signup], channel: {type: email, username: x, " + relay + "}}]", "channel.password: is missing beside username"},
		"email clear":     {"notifications: [{events: [lead_signup], channel: {type: email, username: x, password: y, tls: none, " + relay + "}}]", "channel.tls: would send the password unprotected"},
		"email from":      {"notifications: [{events: [lead_signup], channel: {type: email, host: x, from: nobody, to: [b@example.com]}}]", "channel.from: is not an e-mail address"},
		"email no to":     {"notifications: [{events: [lead_signup], channel: {type: email, host: x, from: a@example.com}}]", "channel.to: is missing"},
		"email to":        {"notifications: [{events: [lead_signup], channel: {type: email, host: x, from: a@example.com, to: [b@example.com, nobody]}}]", "channel.to[1]: is not an e-mail address"},
		"summary hour":    {"daily_summary_hour: 24", "daily_summary_hour: 24 is no hour of the day; allowed: 0 to 23, in UTC"},
		"templates":       {"templates: ' '", "templates: is blank"},
		"channel webhook": {"notifications: [{events: [lead_signup], channel: {type: webhook, url: https://x.example}}]", "notifications[0].channel.secret: is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := parse(required+tc.file+"\n", nil)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "the configuration has 1 mistake:", "one mistake is told once")
			require.NotContains(t, err.Error(), "s3cret")
		})
	}
}

func webhookProvider(more string) string {
	return "providers: {p: {type: webhook, url: https://x.example, secret: " + signingKey + ", " + more + "}}"
}

func route(text string) string {
	return "providers: {p: {type: manual}}\nroutes: [{provider: p, " + text + "}]"
}

func TestMistakesOfTheAccount(t *testing.T) {
	t.Parallel()

	_, err := parse("", nil)
	require.EqualError(t, err, `the configuration has 2 mistakes:
  rewardflow.yaml: firstpromoter.api_key: is missing; allowed: the (legacy) API key of your FirstPromoter account: Settings, Integrations, Manage API keys (REWARDFLOW_FIRSTPROMOTER_API_KEY)
  rewardflow.yaml: firstpromoter.webhook_secret: is missing; allowed: 32 or more letters, digits, - and _; make one with: openssl rand -hex 24 (REWARDFLOW_FIRSTPROMOTER_WEBHOOK_SECRET)`)

	_, err = parse("firstpromoter:\n  api_key:\n  webhook_secret: ${UNSET}\n", nil)
	require.ErrorContains(t, err, "rewardflow.yaml:2: firstpromoter.api_key: is missing")
	require.ErrorContains(t, err, "rewardflow.yaml:3: firstpromoter.webhook_secret: the variable UNSET is not set")
	require.ErrorContains(t, err, "has 2 mistakes:")

	for text, want := range map[string]string{
		"webhook_secret: s3cret-and-too-short":                 "webhook_secret: has 20 characters; allowed: 32 or more",
		"webhook_secret: s3cret/with/a/slash/0123456789012345": "webhook_secret: has characters that a URL's path would change",
		"basic_auth: s3cret":                                   "basic_auth: has no colon between user and password; allowed: user:password",
		"basic_auth: ':s3cret'":                                "basic_auth: has no colon between user and password",
		"base_url: http://firstpromoter.com/api/v1":            "base_url: is not https; allowed: an https URL",
		"base_url: https://u:s3cret@firstpromoter.com":         "base_url: holds a user name or password",
		"base_url: https://firstpromoter.com/?k=s3cret":        "base_url: has a query or a fragment",
		"base_url: firstpromoter.com":                          "base_url: is not an absolute URL",
		"requests_per_minute: 0":                               "requests_per_minute: 0 is out of range; allowed: 1 to 60000",
		"requests_per_minute: 1.5":                             `requests_per_minute: "1.5" is not a whole number`,
		"close_by_answer_after: -1m":                           "close_by_answer_after: is not above zero",
	} {
		file := "firstpromoter:\n  api_key: k\n"
		if !strings.HasPrefix(text, "webhook_secret") {
			file += "  webhook_secret: " + webhookSecret + "\n"
		}
		_, err := parse(file+"  "+text+"\n", nil)
		require.ErrorContains(t, err, "firstpromoter."+want)
		require.ErrorContains(t, err, "has 1 mistake:")
		require.NotContains(t, err.Error(), "s3cret")
	}

	for _, loopback := range []string{"http://127.0.0.1:9/api", "http://localhost:9/api", "http://[::1]:9/api/"} {
		cfg := mustParse(t, strings.Replace(required, "{", "{base_url: '"+loopback+"', ", 1), nil)
		require.Equal(t, strings.TrimSuffix(loopback, "/"), cfg.FirstPromoter.BaseURL)
	}
}

func TestMistakesOfEndpoints(t *testing.T) {
	t.Parallel()

	const private = ", allow_private_networks: true"
	for fields, want := range map[string]string{
		"secret: " + signingKey:                                            "url: is missing",
		"url: https://x.example":                                           "secret: is missing",
		"url: https://x.example, secret: s3cret":                           "secret: has 6 bytes; allowed: 24 characters or more",
		"url: https://x.example, secret: whsec_s3cret":                     "secret: does not hold padded standard base64 after whsec_",
		"url: https://x.example, secret: whsec_c2hvcnQ=":                   "secret: has 5 bytes",
		"url: x.example, secret: " + signingKey:                            "url: is not an absolute URL",
		"url: 'ftp://x.example/s3cret', secret: " + signingKey:             "url: is neither https nor http",
		"url: 'https://u:s3cret@x.example', secret: " + signingKey:         "url: holds a user name or password",
		"url: 'https://x.example/#s3cret', secret: " + signingKey:          "url: has a fragment",
		"url: 'http://x.example/s3cret', secret: " + signingKey:            "url: is not https; allowed: an absolute https URL without credentials; http with allow_private_networks: true",
		"url: 'https://10.1.2.3/s3cret', secret: " + signingKey:            "url: leads into a private network",
		"url: 'https://localhost:1/s3cret', secret: " + signingKey:         "url: leads into a private network",
		"url: 'http://u:s3cret@10.1.2.3', secret: " + signingKey + private: "url: holds a user name or password",
	} {
		for place, file := range map[string]string{
			"providers.p.":              "providers: {p: {type: webhook, " + fields + "}}\n",
			"notifications[0].channel.": "notifications: [{events: [lead_signup], channel: {type: webhook, " + fields + "}}]\n",
		} {
			_, err := parse(required+file, nil)
			require.ErrorContains(t, err, place+want)
			require.NotContains(t, err.Error(), "s3cret")
		}
	}

	mustParse(t, required+"providers: {p: {type: webhook, url: 'http://10.1.2.3/x', secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"+private+"}}\n", nil)
}

func TestMistakesOfYAML(t *testing.T) {
	t.Parallel()

	for file, want := range map[string]string{
		"\na: b: c\n":                      "rewardflow.yaml:2: is not YAML: mapping values are not allowed in this context",
		"listen: *s3cret\n":                "rewardflow.yaml: is not YAML: a value begins with *, which means an alias, and has no anchor",
		"listen: :1\n---\nlisten: :2\n":    "the file holds a second YAML document; allowed: one document",
		"- listen\n":                       "is a list; allowed: a map of keys",
		"listen: :1\n\tdata_dir: s3cret\n": "rewardflow.yaml:2: is not YAML",
	} {
		_, err := parse(file, nil)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "s3cret")
	}
}

func TestAllMistakesAreToldInTheOrderOfTheFile(t *testing.T) {
	t.Parallel()

	_, err := parse(required+"approvals: {unverified: no}\npolicy:\n  - {then: pya}\nlisten: x\ndatabse: sqlite\n",
		environment{"REWARDFLOW_DATA_DIRR": "x"})
	problems, ok := errors.AsType[config.Problems](err)
	require.True(t, ok)
	var keys []string
	for _, p := range problems {
		keys = append(keys, p.Key)
	}
	require.Equal(t, []string{"approvals.unverified", "policy[0].then", "listen", "databse", ""}, keys)

	one, ok := errors.AsType[config.Problem](err)
	require.True(t, ok)
	require.Equal(t, 2, one.Line)
}
