package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rewardflow/rewardflow/internal/policy"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/suggest"
)

// minWebhookSecret is the least length of the webhook's secret. It is all that
// tells FirstPromoter's deliveries from anybody's.
const minWebhookSecret = 32

// complete fills in what depends on other keys, and brings texts into their
// one form.
func (c *Config) complete(d *decoder) {
	c.FirstPromoter.BaseURL = strings.TrimRight(c.FirstPromoter.BaseURL, "/")
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	c.Slack.BaseURL = strings.TrimRight(c.Slack.BaseURL, "/")
	if u, err := url.Parse(c.Auth.OIDC.Issuer); c.Auth.OIDC.Name == "" && err == nil {
		c.Auth.OIDC.Name = u.Hostname()
	}
	c.completeEncryption(d)
	for name, p := range c.Providers {
		key := childKey("providers", name)
		c.Providers[name] = p.complete(func(field string) bool { return d.given(childKey(key, field)) })
	}
	for i := range c.Policy {
		if o := d.origins[itemKey("policy", i)]; o.variable == "" {
			c.Policy[i].Line = o.line
		}
	}
	for i := range c.Operators {
		c.Operators[i].TokenSHA256 = strings.ToLower(c.Operators[i].TokenSHA256)
	}
	if !d.given("approvals.unverified") && (len(c.Operators) > 0 || c.Auth.NamesPeople()) {
		c.Approvals.Unverified = UnverifiedIgnore
	}
}

// validate checks every key and the relations between keys.
func (c *Config) validate(d *decoder) {
	d.unreadable = len(d.problems)
	c.validateProcess(d)
	c.validateEngine(d)
	c.validateDeployment(d)
	c.validateFirstPromoter(d)
	c.validateProviders(d)
	c.validateRoutes(d)
	c.validatePolicy(d)
	c.validateApprovals(d)
	c.validateBrake(d)
	c.validateOperators(d)
	c.validateAuth(d)
	c.validateOIDC(d)
	c.validateEncryption(d)
	c.validateNotifications(d)
	c.validateSlack(d)
	c.warn()
}

// maxDrain leaves half of what a process has for its end to everything else.
const maxDrain = 20 * time.Second

func (c *Config) validateProcess(d *decoder) {
	if _, port, err := net.SplitHostPort(c.Listen); err != nil {
		d.mistake("listen", "is not host:port", "an address such as 127.0.0.1:8080, or :8080 for every interface")
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		d.mistake("listen", "does not end in a port number", "0 to 65535 after the colon; 0 takes a free port")
	}
	if _, port, err := net.SplitHostPort(c.MetricsListen); c.MetricsListen != "" && err != nil {
		d.mistake("metrics_listen", "is not host:port", "an address such as 127.0.0.1:9464, or :9464 for every interface; empty for none")
	} else if _, err := strconv.ParseUint(port, 10, 16); c.MetricsListen != "" && err != nil {
		d.mistake("metrics_listen", "does not end in a port number", "0 to 65535 after the colon; 0 takes a free port")
	}
	if strings.TrimSpace(c.DataDir) == "" {
		d.mistake("data_dir", "is empty", "a directory, such as .rewardflow")
	}
	if c.DrainFor < 0 || c.DrainFor > maxDrain {
		d.mistake("drain_for", "is out of range", "a duration from 0s to "+maxDrain.String())
	}
	switch {
	case c.Database == DatabaseSQLite:
	case strings.HasPrefix(c.Database.Reveal(), "postgres://"), strings.HasPrefix(c.Database.Reveal(), "postgresql://"):
		if _, err := pgconn.ParseConfig(c.Database.Reveal()); err != nil {
			d.mistake("database", "is not a URL that can be read",
				"postgres://user:password@host:port/database, with special characters of the password written as %XX")
		}
	default:
		d.mistake("database", "is not a database that rewardflow knows", DatabaseSQLite+", a file in data_dir; postgres://user:password@host:port/database")
	}
	if strings.TrimSpace(c.Temporal.TaskQueue) == "" {
		d.mistake("temporal.task_queue", "is empty", "the name of a task queue, such as rewardflow")
	}
}

func (c *Config) validateFirstPromoter(d *decoder) {
	fp := c.FirstPromoter
	if !regexp.MustCompile(`^[a-z0-9-]{0,30}$`).MatchString(fp.Account) {
		d.mistake("firstpromoter.account", "cannot be part of an idempotency key", "at most 30 lower-case letters, digits and hyphens; or empty")
	}
	if message := checkBaseURL(fp.BaseURL); message != "" {
		d.mistake("firstpromoter.base_url", message, "an https URL without credentials and query; http only to this machine")
	}
	if fp.APIKey == "" {
		d.mistake("firstpromoter.api_key", "is missing", "the (legacy) API key of your FirstPromoter account: Settings, Integrations, Manage API keys")
	}
	secret := fp.WebhookSecret.Reveal()
	const make32 = "32 or more letters, digits, - and _; make one with: openssl rand -hex 24"
	switch {
	case secret == "":
		d.mistake("firstpromoter.webhook_secret", "is missing", make32)
	case !regexp.MustCompile(`^[A-Za-z0-9._~-]+$`).MatchString(secret):
		d.mistake("firstpromoter.webhook_secret", "has characters that a URL's path would change", make32)
	case len(secret) < minWebhookSecret:
		d.mistake("firstpromoter.webhook_secret", fmt.Sprintf("has %d characters", len(secret)), make32)
	}
	if user, _, colon := strings.Cut(fp.BasicAuth.Reveal(), ":"); fp.BasicAuth != "" && (!colon || user == "") {
		d.mistake("firstpromoter.basic_auth", "has no colon between user and password", "user:password")
	}
	if fp.RequestsPerMinute < 1 || fp.RequestsPerMinute > 60_000 {
		d.mistake("firstpromoter.requests_per_minute", strconv.Itoa(fp.RequestsPerMinute)+" is out of range", "1 to 60000")
	}
	if fp.CloseByAnswerAfter <= 0 {
		d.mistake("firstpromoter.close_by_answer_after", "is not above zero", "a duration such as 10m")
	}
}

// mistake records what validation found wrong with a key, unless the key, or
// one above it, could not be read in the first place: one mistake is told once.
func (d *decoder) mistake(key, message, allowed string) {
	if !slices.ContainsFunc(d.problems[:d.unreadable], func(p Problem) bool {
		above := p.Key != "" && (strings.HasPrefix(key, p.Key+".") || strings.HasPrefix(key, p.Key+"["))
		return p.Key == key || above || p.Variable == variable(key)+fileSuffix
	}) {
		d.wrong(key, message, allowed)
	}
}

// unread reports whether something below a key could not be read.
func (d *decoder) unread(key string) bool {
	return slices.ContainsFunc(d.problems[:d.unreadable], func(p Problem) bool {
		return strings.HasPrefix(p.Key, key+".")
	})
}

func checkBaseURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return "is not an absolute URL"
	case u.User != nil:
		return "holds a user name or password"
	case u.RawQuery != "" || u.Fragment != "":
		return "has a query or a fragment"
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return "is not https"
	}
	return ""
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *Config) validatePolicy(d *decoder) {
	_, err := policy.Compile(c.Policy)
	if err == nil {
		return
	}
	found := false
	for _, e := range leaves(err) {
		if mistake, ok := errors.AsType[*policy.RuleError](e); ok {
			found = true
			rule := itemKey("policy", mistake.Rule-1)
			if mistake.Field != "when" && d.unread(rule) {
				continue // A key that could not be read looks like one that is missing.
			}
			key := childKey(rule, mistake.Field)
			message := mistake.Message
			if mistake.Column > 0 {
				message = fmt.Sprintf("column %d: %s", mistake.Column, message)
			}
			d.mistake(key, message, mistake.Allowed)
		}
	}
	if !found {
		d.mistake("policy", err.Error(), "")
	}
}

// leaves returns the errors that were joined.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // A tree is walked, not a cause sought.
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}

func (c *Config) validateApprovals(d *decoder) {
	a := c.Approvals
	const order = "durations that rise: remind_after, escalate_after, hold_after"
	switch {
	case a.RemindAfter <= 0:
		d.mistake("approvals.remind_after", "is not above zero", "a duration such as 24h")
	case a.EscalateAfter < a.RemindAfter:
		d.mistake("approvals.escalate_after", fmt.Sprintf("%s is before remind_after (%s)", a.EscalateAfter, a.RemindAfter), order)
	case a.HoldAfter < a.EscalateAfter:
		d.mistake("approvals.hold_after", fmt.Sprintf("%s is before escalate_after (%s)", a.HoldAfter, a.EscalateAfter), order)
	}
	d.oneOf("approvals.unverified", a.Unverified, []string{UnverifiedAccept, UnverifiedIgnore})
}

// oneOf refuses a value that is not among the known ones.
func (d *decoder) oneOf(key, value string, known []string) bool {
	if slices.Contains(known, value) {
		return true
	}
	message := d.shown(key) + "is not known"
	if value == "" {
		message = "is missing"
	}
	if near := suggest.Nearest(value, known); near != "" {
		message += fmt.Sprintf(", did you mean %q?", near)
	}
	d.mistake(key, message, strings.Join(known, ", "))
	return false
}

// warn notes what is allowed and probably not meant.
func (c *Config) warn() {
	note := func(format string, args ...any) { c.warnings = append(c.warnings, fmt.Sprintf(format, args...)) }
	if len(c.Routes) == 0 {
		note("routes: there are none, so every reward will wait in attention")
	}
	for i, r := range c.Routes {
		if r.Unit != "" && !r.Unit.Known() {
			note("routes[%d].unit: %q is not a unit that FirstPromoter documents", i, r.Unit)
		}
		if r.Unit == "" && r.Campaign == 0 && i < len(c.Routes)-1 {
			note("routes[%d]: it matches every reward, so the routes after it are never used", i)
			break
		}
	}
	if c.Slack.Enabled() && !slices.ContainsFunc(c.Operators, func(o Operator) bool { return o.SlackUser != "" }) {
		note("slack: no operator has a slack_user, so nobody can decide there")
	}
	c.warnOfTwoNames(note)
	if len(c.Operators) == 0 && !c.Auth.NamesPeople() {
		note("operators: there are none, so only this machine can use the operator API")
		return
	}
	if c.Approvals.Unverified == UnverifiedAccept {
		note("approvals.unverified: decisions from the Temporal UI count, although they prove no identity")
		return
	}
	if c.Auth.NamesPeople() {
		return // Who is in which group is not known here.
	}
	for i, rule := range c.Policy {
		if able := c.approvers(rule.Role); rule.Then == policy.Ask && able < max(rule.Approvals, 1) {
			note("policy[%d]: it asks %d people, and only %d operators can approve", i, max(rule.Approvals, 1), able)
		}
	}
}

// approvers counts the operators whose approval counts where role is asked for.
func (c *Config) approvers(role string) int {
	able := 0
	for _, o := range c.Operators {
		if role != "" && slices.Contains(o.Roles, role) ||
			role == "" && (slices.Contains(o.Roles, "approver") || slices.Contains(o.Roles, "finance")) {
			able++
		}
	}
	return able
}

// units returns what a cap can be given for, besides currencies.
func (c *Config) units() []string {
	units := []string{
		string(reward.Credits), string(reward.Points), string(reward.FreeMonths),
		string(reward.DiscountPer), string(reward.DiscountMon),
	}
	for _, r := range c.Routes {
		if r.Unit != "" && r.Unit != reward.Cash && !slices.Contains(units, string(r.Unit)) {
			units = append(units, string(r.Unit))
		}
	}
	return units
}
