package config

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Setting is one line of a summary.
type Setting struct {
	Key   string
	Value string
}

// Summary says in a few lines what is configured, for logs and for doctor. It
// holds no secret and no whole URL; of secrets it says whether they are set.
func (c *Config) Summary() []Setting {
	s := []Setting{
		{"listen", c.Listen},
		{"metrics_listen", cmp.Or(c.MetricsListen, "not set")},
		{"data_dir", c.DataDir},
		{"drain_for", c.DrainFor.String()},
		{"database", databaseKind(c.Database)},
		{"temporal.task_queue", c.Temporal.TaskQueue},
		{"engine.database", databaseKind(c.Engine.Database)},
		{"firstpromoter.account", cmp.Or(c.FirstPromoter.Account, "not set")},
		{"firstpromoter.base_url", hostOf(c.FirstPromoter.BaseURL)},
		{"firstpromoter.api_key", isSet(c.FirstPromoter.APIKey)},
		{"firstpromoter.webhook_secret", isSet(c.FirstPromoter.WebhookSecret)},
		{"firstpromoter.basic_auth", isSet(c.FirstPromoter.BasicAuth)},
		{"firstpromoter.requests_per_minute", strconv.Itoa(c.FirstPromoter.RequestsPerMinute)},
		{"firstpromoter.close_by_answer_after", c.FirstPromoter.CloseByAnswerAfter.String()},
	}
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		p := c.Providers[name]
		text := p.Type
		if p.URL != "" {
			text += " at " + hostOf(p.URL)
		} else if p.BaseURL != "" {
			text += " at " + hostOf(p.BaseURL)
		}
		s = append(s, Setting{"providers." + name, text})
	}
	for i, r := range c.Routes {
		s = append(s, Setting{itemKey("routes", i), r.words()})
	}
	s = append(s,
		Setting{"policy", counted(len(c.Policy), "rule")},
		Setting{"approvals", fmt.Sprintf("remind after %s, escalate after %s, hold after %s, unverified: %s",
			c.Approvals.RemindAfter, c.Approvals.EscalateAfter, c.Approvals.HoldAfter, c.Approvals.Unverified)},
		Setting{"brake.max_single", c.Brake.MaxSingle.words()},
		Setting{"brake.max_per_day", c.Brake.MaxPerDay.words()},
		Setting{"brake.max_per_promoter_per_day", c.Brake.MaxPerPromoterPerDay.words()},
		Setting{"brake.max_per_campaign_per_day", c.Brake.MaxPerCampaignPerDay.words()},
		Setting{"operators", counted(len(c.Operators), "operator")},
		Setting{"auth", c.Auth.words()},
		Setting{"encryption", c.Encryption.words()},
	)
	for i, n := range c.Notifications {
		s = append(s, Setting{itemKey("notifications", i), n.Channel.Type + ": " + strings.Join(n.Events, ", ")})
	}
	shown := "no approvals"
	if c.Slack.Enabled() {
		shown = "approvals in channel " + c.Slack.Channel + " of workspace " + c.Slack.TeamID
	}
	return append(s, Setting{"public_url", cmp.Or(c.PublicURL, "not set")}, Setting{"slack", shown})
}

// Warnings returns, in words, what is allowed and probably not meant.
func (c *Config) Warnings() []string { return slices.Clone(c.warnings) }

// LogValue logs the summary.
func (c *Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, s := range c.Summary() {
		attrs = append(attrs, slog.String(s.Key, s.Value))
	}
	return slog.GroupValue(attrs...)
}

func (a Auth) words() string {
	text := "sessions last " + a.SessionLifetime.String()
	if a.Proxy.On() {
		text += fmt.Sprintf(", a proxy in %s names people in %s, %s",
			strings.Join(a.Proxy.Trusted, ", "), a.Proxy.UserHeader, counted(len(a.Proxy.Groups), "group"))
	}
	if a.OIDC.On() {
		text += fmt.Sprintf(", people sign in at %s, which names them in %s, %s", hostOf(a.OIDC.Issuer), a.OIDC.NameClaim, counted(len(a.OIDC.Groups), "group"))
	}
	return text
}

func (r Route) words() string {
	var conditions []string
	if r.Unit != "" {
		conditions = append(conditions, strings.TrimSpace(string(r.Unit)+" "+r.Currency))
	}
	if r.Campaign != 0 {
		conditions = append(conditions, "campaign "+strconv.FormatInt(r.Campaign, 10))
	}
	if len(conditions) == 0 {
		conditions = []string{"everything"}
	}
	return strings.Join(conditions, ", ") + " to " + r.Provider
}

func (l Limits) words() string {
	var caps []string
	for _, unit := range slices.Sorted(maps.Keys(l)) {
		caps = append(caps, strconv.FormatInt(l[unit], 10)+" "+unit)
	}
	if len(caps) == 0 {
		return "no cap"
	}
	return strings.Join(caps, ", ")
}

func databaseKind(database Secret) string {
	kind, _, _ := strings.Cut(database.Reveal(), ":")
	return kind
}

// hostOf returns scheme and host: some services put a credential into the path.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "an unreadable URL"
	}
	return u.Scheme + "://" + u.Host
}

func isSet(s Secret) string {
	if s == "" {
		return "not set"
	}
	return "set"
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
