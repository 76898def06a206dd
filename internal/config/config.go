// Package config reads rewardflow.yaml and the environment into one checked
// value.
//
// Every mistake is reported at once, with its place, the key, what is allowed
// there and the variable that sets it. What Load returns can be wired without
// further checks. docs/configuration.md describes every key for operators.
package config

import (
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/policy"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Config is the whole configuration. Its secrets print as "***".
type Config struct {
	// Listen is the address of the HTTP server, as host:port.
	Listen string `yaml:"listen"`
	// DataDir holds everything that one machine keeps.
	DataDir string `yaml:"data_dir"`
	// DrainFor is how long a process of the API that was told to stop still
	// serves, so that proxies see that it is not ready: 0 to 20 s.
	DrainFor time.Duration `yaml:"drain_for"`
	// MetricsListen is where a process serves its metrics beside the HTTP server,
	// as host:port; empty for nowhere. A worker has no other place.
	MetricsListen string `yaml:"metrics_listen"`
	// Database is DatabaseSQLite or the URL of a PostgreSQL database, which may
	// hold a password.
	Database      Secret              `yaml:"database"`
	Temporal      Temporal            `yaml:"temporal"`
	Engine        Engine              `yaml:"engine"`
	FirstPromoter FirstPromoter       `yaml:"firstpromoter"`
	Providers     map[string]Provider `yaml:"providers"`
	// Routes choose the provider; the first match wins. A reward that no route
	// matches waits in attention.
	Routes []Route `yaml:"routes"`
	// Policy holds the rules; Load has checked that they compile.
	Policy        []policy.Rule  `yaml:"policy"`
	Approvals     Approvals      `yaml:"approvals"`
	Brake         Brake          `yaml:"brake"`
	Operators     []Operator     `yaml:"operators"`
	Auth          Auth           `yaml:"auth"`
	Encryption    Encryption     `yaml:"encryption"`
	Notifications []Notification `yaml:"notifications"`
	// Templates is a directory with messages in the operator's own words; empty
	// for none.
	Templates string `yaml:"templates"`
	// DailySummaryHour is the hour of the UTC day, 0 to 23, from which on the
	// event daily_summary is made, where a notification wants it.
	DailySummaryHour int `yaml:"daily_summary_hour"`
	// PublicURL is where people reach this installation, without a slash at its
	// end; empty gives no links. Auth.OIDC needs it.
	PublicURL string `yaml:"public_url"`
	Slack     Slack  `yaml:"slack"`

	// warnings are what validation found odd and not wrong.
	warnings []string
}

// OnPostgres reports whether the ledger is in PostgreSQL.
func (c *Config) OnPostgres() bool { return strings.HasPrefix(c.Database.Reveal(), "postgres") }

// DatabaseSQLite is the value of Config.Database for the file
// <data_dir>/ledger.db.
const DatabaseSQLite = "sqlite"

// Temporal is what rewardflow adds to Temporal's own TEMPORAL_* variables,
// which name the server, the namespace and the credentials.
type Temporal struct {
	TaskQueue string `yaml:"task_queue"`
	// Deployment is the worker deployment that rewardflow worker belongs to;
	// empty for workers without versions.
	Deployment string `yaml:"deployment"`
	// BuildID is the version within Deployment; empty for the commit that the
	// program was built from.
	BuildID string `yaml:"build_id"`
}

// Engine is the embedded Temporal server of the standalone program. Processes
// that use a Temporal server elsewhere ignore it.
type Engine struct {
	// Database is EngineSQLite, or the URL of a PostgreSQL database.
	Database Secret `yaml:"database"`
	// HistoryShards is fixed by the first start on a PostgreSQL database.
	HistoryShards int `yaml:"history_shards"`
}

// EngineSQLite is the value of Engine.Database for a file in DataDir.
const EngineSQLite = "sqlite"

// PostgresURL returns the URL of the engine's PostgreSQL database; empty when it
// keeps a file.
func (e Engine) PostgresURL() string {
	if e.Database == EngineSQLite {
		return ""
	}
	return e.Database.Reveal()
}

// FirstPromoter is the account whose rewards are fulfilled.
type FirstPromoter struct {
	// Account goes into every idempotency key, and tells several FirstPromoter
	// accounts apart that are paid through one provider account. Empty leaves
	// it out. At most payout.MaxAccount lower-case letters, digits and hyphens.
	Account string `yaml:"account"`
	// BaseURL is the v1 API, without a slash at its end.
	BaseURL string `yaml:"base_url"`
	APIKey  Secret `yaml:"api_key"`
	// WebhookSecret is the last part of the webhook URL's path: 32 characters
	// or more that need no escaping there.
	WebhookSecret Secret `yaml:"webhook_secret"`
	// BasicAuth is "user:password", and empty when the webhook has none.
	BasicAuth         Secret `yaml:"basic_auth"`
	RequestsPerMinute int    `yaml:"requests_per_minute"`
	// CloseByAnswerAfter is how long a paid reward waits for the API before an
	// answer to a re-fired event may close it.
	CloseByAnswerAfter time.Duration `yaml:"close_by_answer_after"`
}

// The provider types that are supported.
const (
	ProviderWebhook    = "webhook"
	ProviderManual     = "manual"
	ProviderStripe     = "stripe"
	ProviderPayPal     = "paypal"
	ProviderTremendous = "tremendous"
)

// Provider is one configured provider. The keys that its type does not have
// are zero.
type Provider struct {
	Type string `yaml:"type"`
	// URL takes the payouts of a webhook provider. It holds no credentials.
	URL    string `yaml:"url"`
	Secret Secret `yaml:"secret"`
	// Secrets sign as well while a secret is being changed; usually empty.
	Secrets              []Secret `yaml:"secrets"`
	AllowPrivateNetworks bool     `yaml:"allow_private_networks"`

	// BaseURL is the API of a stripe or paypal provider: scheme and host,
	// without a slash at its end. That of a tremendous provider has a path.
	BaseURL string `yaml:"base_url"`
	// APIKey is a restricted or secret key of Stripe, or a key of Tremendous.
	APIKey Secret `yaml:"api_key"`
	// RequireEmailMatch declines a customer of Stripe whose e-mail address is
	// not the promoter's. It is true where the file says nothing.
	RequireEmailMatch bool `yaml:"require_email_match"`
	// CreditValue and DiscountValue say what one of credits and of discount_mon
	// is worth, in minor units by ISO 4217 currency. Without an entry for the
	// customer's currency Stripe declines the reward.
	CreditValue   Limits `yaml:"credit_value"`
	DiscountValue Limits `yaml:"discount_value"`

	// ClientID and ClientSecret are those of a REST app at PayPal.
	ClientID     string `yaml:"client_id"`
	ClientSecret Secret `yaml:"client_secret"`
	// UnclaimedCountsAsPaid takes a payout as delivered before the receiver has
	// claimed it at PayPal.
	UnclaimedCountsAsPaid bool `yaml:"unclaimed_counts_as_paid"`

	// CampaignID and Products say what the receiver of a reward of Tremendous
	// can choose from: one of them at least. FundingSourceID is what pays for
	// it, "balance" where the file says nothing.
	CampaignID      string   `yaml:"campaign_id"`
	Products        []string `yaml:"products"`
	FundingSourceID string   `yaml:"funding_source_id"`

	// PayoutsPerMinute limits how many payouts all workers together submit; zero
	// does not.
	PayoutsPerMinute int `yaml:"payouts_per_minute"`

	// Timeout bounds one call: above zero and at most 14 s, and zero for a
	// manual provider, which makes none.
	Timeout time.Duration `yaml:"timeout"`
}

// Route says which provider pays which rewards. Zero fields match everything.
type Route struct {
	Unit     reward.Unit `yaml:"unit"`
	Campaign int64       `yaml:"campaign"`
	// Currency is what cash is paid in, an ISO 4217 code. It does not select:
	// FirstPromoter's events name no currency. Only, and always, with cash.
	Currency string `yaml:"currency"`
	// Provider is the name of a configured provider.
	Provider string `yaml:"provider"`
}

// Matches reports whether the route takes rewards of the unit in the campaign.
func (r Route) Matches(unit reward.Unit, campaign int64) bool {
	return (r.Unit == "" || r.Unit == unit) && (r.Campaign == 0 || r.Campaign == campaign)
}

// What happens to a decision that carries no proven identity.
const (
	UnverifiedAccept = "accept"
	UnverifiedIgnore = "ignore"
)

// Approvals says how long people may take, and whose word counts. The times
// count from when people were asked, and rise: RemindAfter, EscalateAfter,
// HoldAfter.
type Approvals struct {
	RemindAfter   time.Duration `yaml:"remind_after"`
	EscalateAfter time.Duration `yaml:"escalate_after"`
	HoldAfter     time.Duration `yaml:"hold_after"`
	// Unverified is UnverifiedAccept or UnverifiedIgnore. Where the file says
	// nothing, it is accept while there are no operators, and ignore otherwise.
	Unverified string `yaml:"unverified"`
}

// Limits are amounts by unit; cash stands under its currency, in minor units.
type Limits map[string]int64

// Brake holds the caps. A unit without an entry has none. Days are UTC days.
type Brake struct {
	MaxSingle            Limits `yaml:"max_single"`
	MaxPerDay            Limits `yaml:"max_per_day"`
	MaxPerPromoterPerDay Limits `yaml:"max_per_promoter_per_day"`
	MaxPerCampaignPerDay Limits `yaml:"max_per_campaign_per_day"`
}

// Operator is a person or program that may use the operator API.
type Operator struct {
	Name string `yaml:"name"`
	// TokenSHA256 is the SHA-256 of the API token, 64 hexadecimal digits in
	// lower case.
	TokenSHA256 string `yaml:"token_sha256"`
	// Roles are among Roles().
	Roles []string `yaml:"roles"`
	// SlackUser is the person's user ID in Slack ("U..." or "W..."); empty for
	// somebody who does not decide there.
	SlackUser string `yaml:"slack_user"`
	// OIDCUser is how the provider of OpenID Connect names the person; empty for
	// somebody whom it names by Name, or who does not sign in there.
	OIDCUser string `yaml:"oidc_user"`
}

// Auth says who else may come in, and for how long somebody stays.
type Auth struct {
	// SessionLifetime is how long a person stays signed in to the console.
	SessionLifetime time.Duration `yaml:"session_lifetime"`
	Proxy           AuthProxy     `yaml:"proxy"`
	OIDC            AuthOIDC      `yaml:"oidc"`
}

// AuthOIDC is a provider of OpenID Connect at which people sign in to the
// console. Without an issuer there is none.
type AuthOIDC struct {
	// Issuer is the provider, exactly as its discovery document names it.
	Issuer string `yaml:"issuer"`
	// Name is what the login page calls the provider; Load fills in the issuer's
	// host where the file says nothing.
	Name     string `yaml:"name"`
	ClientID string `yaml:"client_id"`
	// ClientSecret is empty for a public client.
	ClientSecret Secret `yaml:"client_secret"`
	// Scopes are what is asked for, "openid" among them.
	Scopes []string `yaml:"scopes"`
	// NameClaim names the person, and GroupsClaim lists the person's groups.
	NameClaim   string `yaml:"name_claim"`
	GroupsClaim string `yaml:"groups_claim"`
	// Groups give people their roles; somebody in none of them cannot sign in.
	Groups []AuthGroup `yaml:"groups"`
}

// On reports whether people sign in at a provider.
func (o AuthOIDC) On() bool { return o.Issuer != "" }

// AuthProxy is a reverse proxy that signs people in and names them in headers.
// The zero value believes nobody.
type AuthProxy struct {
	// Trusted are the networks that the proxy sends from, in CIDR notation.
	Trusted []string `yaml:"trusted"`
	// UserHeader names the person.
	UserHeader string `yaml:"user_header"`
	// GroupsHeader lists the person's groups, with commas between them; empty
	// when the proxy sends none.
	GroupsHeader string `yaml:"groups_header"`
	// Groups give people their roles.
	Groups []AuthGroup `yaml:"groups"`
}

// AuthGroup gives the people of a group their roles.
type AuthGroup struct {
	// Name is the group as the header or the claim spells it.
	Name string `yaml:"name"`
	// Roles are among Roles().
	Roles []string `yaml:"roles"`
}

// NamesPeople reports whether people come in who are no operators.
func (a Auth) NamesPeople() bool { return a.Proxy.On() || a.OIDC.On() }

// On reports whether a proxy names people.
func (p AuthProxy) On() bool { return len(p.Trusted) > 0 && p.UserHeader != "" }

// Roles returns the roles that an operator can hold.
func Roles() []string { return []string{"viewer", "approver", "finance", "operator", "admin"} }

// The types of notification channels.
const (
	ChannelLog     = "log"
	ChannelWebhook = "webhook"
	ChannelSlack   = "slack"
	ChannelEmail   = "email"
)

// How a connection to a mail server is encrypted.
const (
	TLSStart    = "starttls"
	TLSImplicit = "implicit"
	TLSNone     = "none"
)

// Notification sends events to a channel.
type Notification struct {
	// Events are among NotificationEvents().
	Events  []string `yaml:"events"`
	Channel Channel  `yaml:"channel"`
}

// Channel is where notifications go.
type Channel struct {
	Type string `yaml:"type"`
	// URL is a secret, because Slack's holds the credential.
	URL                  Secret `yaml:"url"`
	Secret               Secret `yaml:"secret"`
	AllowPrivateNetworks bool   `yaml:"allow_private_networks"`

	// Token and Channel post to Slack as a bot, in place of URL.
	Token   Secret `yaml:"token"`
	Channel string `yaml:"channel"`

	// Host is a mail server, and TLS how it is spoken to. Port zero means the
	// usual one for that. Username and Password are both empty where it asks for
	// nothing.
	Host     string   `yaml:"host"`
	Port     int      `yaml:"port"`
	TLS      string   `yaml:"tls"`
	Username string   `yaml:"username"`
	Password Secret   `yaml:"password"`
	From     string   `yaml:"from"`
	To       []string `yaml:"to"`
}

// Slack is where approvals are shown and decided in Slack. The zero value, but
// for BaseURL, shows none.
type Slack struct {
	// BotToken is the app's ("xoxb-...").
	BotToken Secret `yaml:"bot_token"`
	// SigningSecret is the app's; Slack signs clicks with it.
	SigningSecret Secret `yaml:"signing_secret"`
	// Channel is the ID of a channel ("C..." or "G...").
	Channel string `yaml:"channel"`
	// TeamID is the workspace ("T...").
	TeamID string `yaml:"team_id"`
	// AppID is the app ("A..."); empty is not compared.
	AppID string `yaml:"app_id"`
	// ShowEmail sends promoters' e-mail addresses and customer IDs to Slack.
	ShowEmail bool `yaml:"show_email"`
	// BaseURL is Slack's Web API, without a slash at its end.
	BaseURL string `yaml:"base_url"`
}

// Enabled reports whether approvals are shown in Slack.
func (s Slack) Enabled() bool { return s.BotToken != "" }

// NotificationEvents returns the types that a notification can be for:
// FirstPromoter's events in their canonical spelling, then our own about a
// reward that waits for people or came to its end, and the daily summary.
func NotificationEvents() []string { return notify.Types() }

// Default returns what holds for every key that is not set.
func Default() *Config {
	return &Config{
		Listen:   "127.0.0.1:8080",
		DataDir:  ".rewardflow",
		DrainFor: 5 * time.Second,
		Database: DatabaseSQLite,
		Temporal: Temporal{TaskQueue: "rewardflow"},
		Engine:   Engine{Database: EngineSQLite, HistoryShards: 512},
		FirstPromoter: FirstPromoter{
			BaseURL:            "https://firstpromoter.com/api/v1",
			RequestsPerMinute:  60,
			CloseByAnswerAfter: 10 * time.Minute,
		},
		Approvals: Approvals{
			RemindAfter:   24 * time.Hour,
			EscalateAfter: 72 * time.Hour,
			HoldAfter:     168 * time.Hour,
			Unverified:    UnverifiedAccept,
		},
		Auth: Auth{
			SessionLifetime: 12 * time.Hour,
			OIDC:            AuthOIDC{Scopes: []string{"openid", "email", "profile"}, NameClaim: "email", GroupsClaim: "groups"},
		},
		Encryption:       Encryption{CodecServer: CodecServer{Listen: "127.0.0.1:8234"}},
		DailySummaryHour: 7,
		Slack:            Slack{BaseURL: "https://slack.com/api"},
	}
}

// defaultTimeout bounds one call to a provider.
const defaultTimeout = 10 * time.Second
