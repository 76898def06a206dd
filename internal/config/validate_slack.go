package config

import (
	"fmt"
	"regexp"
	"strings"
)

func (c *Config) validateSlack(d *decoder) {
	if c.PublicURL != "" {
		if message := checkBaseURL(c.PublicURL); message != "" {
			d.mistake("public_url", message, "an https URL without credentials and query; http only to this machine")
		}
	}
	c.validateSlackUsers(d)
	s := c.Slack
	if !s.Enabled() {
		// Half a configuration would show nothing, and nobody would know why.
		if s.SigningSecret != "" || s.Channel != "" || s.TeamID != "" || s.AppID != "" || s.ShowEmail {
			d.mistake("slack.bot_token", "is missing", "the bot token of the Slack app, xoxb-...; leave slack out for no approvals there")
		}
		return
	}
	if !strings.HasPrefix(s.BotToken.Reveal(), "xoxb-") {
		d.mistake("slack.bot_token", "is not a bot token", "OAuth & Permissions, Bot User OAuth Token: xoxb-...")
	}
	if s.SigningSecret == "" {
		d.mistake("slack.signing_secret", "is missing", "Basic Information, App Credentials, Signing Secret")
	}
	d.slackID("slack.channel", s.Channel, "CG", "the channel's ID, not its name: channel details, at the bottom")
	d.slackID("slack.team_id", s.TeamID, "T", "the workspace's ID: the part with T of https://app.slack.com/client/T.../C...")
	if s.AppID != "" {
		d.slackID("slack.app_id", s.AppID, "A", "Basic Information, App ID")
	}
	if message := checkBaseURL(s.BaseURL); message != "" {
		d.mistake("slack.base_url", message, "an https URL without credentials and query; http only to this machine")
	}
}

func (c *Config) validateSlackUsers(d *decoder) {
	users := map[string]int{}
	for i, o := range c.Operators {
		if o.SlackUser == "" {
			continue
		}
		key := itemKey("operators", i) + ".slack_user"
		if first, twice := users[o.SlackUser]; twice {
			d.mistake(key, fmt.Sprintf("is the one of operators[%d], too", first), "a person for each operator")
		}
		d.slackID(key, o.SlackUser, "UW", "a member ID: the person's profile, Copy member ID")
		users[o.SlackUser] = i
	}
}

// slackID checks the form of an ID: a letter that says of what, and capitals
// and digits.
func (d *decoder) slackID(key, id, letters, where string) {
	switch {
	case id == "":
		d.mistake(key, "is missing", where)
	case !regexp.MustCompile(`^[` + letters + `][A-Z0-9]{1,30}$`).MatchString(id):
		d.mistake(key, d.shown(key)+"is not an ID of Slack", where)
	}
}
