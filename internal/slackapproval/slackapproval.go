// Package slackapproval brings approvals to Slack: one message for each reward
// that waits for people, with buttons, and what people do with the buttons.
//
// A message is drawn from the ledger and from nothing else (Board), by a
// workflow that runs whenever something about the reward has changed
// (Follower), so that it shows every decision, whatever lane it came by. A
// button carries the reward's ID and the digest of what was shown. What a
// click means is decided by the ledger, as for every lane (Interactions).
package slackapproval

import (
	"errors"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// DefaultBaseURL is Slack's Web API.
const DefaultBaseURL = "https://slack.com/api"

// Config says which Slack, and who is who. Every field is required, unless it
// says otherwise.
type Config struct {
	// BotToken is the app's bot token ("xoxb-...") with the scope chat:write.
	BotToken string
	// SigningSecret is the app's, by which Slack signs what it sends.
	SigningSecret string
	// Channel is the ID of the channel that messages go to. The bot is in it.
	Channel string
	// TeamID is the workspace ("T..."): nobody of another one decides here.
	TeamID string
	// AppID ("A...") is compared with what Slack sends; empty compares nothing.
	AppID string
	// ShowEmail sends the promoter's e-mail address to Slack.
	ShowEmail bool
	// BaseURL is DefaultBaseURL where it is empty.
	BaseURL string
	// Link returns where people see a reward; nil gives no links.
	Link func(id reward.ID) string
	// People are the operators by their Slack user ID ("U..." or "W...").
	People map[string]Person
	// Timeout bounds one call to Slack; zero means 10 seconds.
	Timeout time.Duration
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Person is an operator.
type Person struct {
	Name  string
	Roles []string
}

func (c Config) withDefaults() (Config, error) {
	for _, required := range []struct{ name, value string }{
		{"BotToken", c.BotToken}, {"SigningSecret", c.SigningSecret}, {"Channel", c.Channel}, {"TeamID", c.TeamID},
	} {
		if required.value == "" {
			return c, errors.New("slack approvals: " + required.name + " is missing")
		}
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	c.BaseURL = strings.TrimRight(c.BaseURL, "/") + "/"
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// waits reports whether people's decisions can count for a reward.
func waits(rec ledger.Record) bool {
	return rec.Status == reward.AwaitingApproval || (rec.Status == reward.Held && rec.Approvals > 0)
}

// subject is what a button is about. The amount is not in it: whatever is paid
// is what the ledger holds under the digest.
type subject struct {
	id     reward.ID
	digest reward.Digest
}

func (s subject) String() string { return s.id.String() + "." + string(s.digest) }

func parseSubject(text string) (subject, bool) {
	id, digest, found := strings.Cut(text, ".")
	parsed, err := reward.ParseID(id)
	ok := found && err == nil && digest != "" && len(digest) <= 64 &&
		!strings.ContainsFunc(digest, func(r rune) bool { return r < '!' || r > '~' })
	return subject{id: parsed, digest: reward.Digest(digest)}, ok
}
