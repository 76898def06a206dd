package config

import (
	"net/mail"
	"strconv"
	"strings"
)

func (c *Config) validateNotifications(d *decoder) {
	for i, n := range c.Notifications {
		key := itemKey("notifications", i)
		if len(n.Events) == 0 {
			d.mistake(key+".events", "is missing", strings.Join(NotificationEvents(), ", "))
		}
		for j, event := range n.Events {
			d.oneOf(itemKey(key+".events", j), event, NotificationEvents())
		}
		d.checkChannel(key+".channel", n.Channel)
	}
	if c.DailySummaryHour < 0 || c.DailySummaryHour > 23 {
		d.mistake("daily_summary_hour", strconv.Itoa(c.DailySummaryHour)+" is no hour of the day", "0 to 23, in UTC")
	}
	if d.given("templates") && strings.TrimSpace(c.Templates) == "" && c.Templates != "" {
		d.mistake("templates", "is blank", "a directory; leave it out for none")
	}
}

func (d *decoder) checkChannel(key string, c Channel) {
	if !d.oneOf(key+".type", c.Type, []string{ChannelLog, ChannelWebhook, ChannelSlack, ChannelEmail}) {
		return
	}
	mail := []string{"host", "port", "tls", "username", "password", "from", "to"}
	switch c.Type {
	case ChannelWebhook:
		d.checkEndpoint(key+".url", c.URL.Reveal(), c.AllowPrivateNetworks)
		d.checkSigningSecret(key+".secret", c.Secret)
	case ChannelSlack:
		d.checkSlack(key, c)
		d.onlyWith(key, "type: webhook", "secret")
	case ChannelEmail:
		d.checkEmail(key, c)
		d.onlyWith(key, "type: webhook", "secret")
		d.onlyWith(key, "type: webhook or slack", "url", "allow_private_networks")
	default:
		d.onlyWith(key, "type: webhook or slack", "url", "secret", "allow_private_networks")
	}
	if c.Type != ChannelSlack {
		d.onlyWith(key, "type: slack", "token", "channel")
	}
	if c.Type != ChannelEmail {
		d.onlyWith(key, "type: email", mail...)
	}
}

// checkSlack accepts an incoming webhook's URL, or a bot's token and where it
// posts.
func (d *decoder) checkSlack(key string, c Channel) {
	if c.Token == "" && c.Channel == "" {
		d.checkEndpoint(key+".url", c.URL.Reveal(), c.AllowPrivateNetworks)
		return
	}
	const either = "either url, of an incoming webhook, or token and channel, of a bot"
	if c.URL != "" {
		d.mistake(key+".url", "stands beside a bot's token or channel", either)
	}
	d.onlyWith(key, "url", "allow_private_networks")
	if token := c.Token.Reveal(); !strings.HasPrefix(token, "xoxb-") || strings.ContainsAny(token, " \r\n\t") {
		d.mistake(key+".token", "is not a bot's token", "xoxb-..., with the scope chat:write; "+either)
	}
	if c.Channel == "" || strings.ContainsAny(c.Channel, " \r\n\t") {
		d.mistake(key+".channel", "is not a conversation", "its ID such as C0123456789, or #name in quotes; "+either)
	}
}

func (d *decoder) checkEmail(key string, c Channel) {
	if c.Host == "" || strings.ContainsAny(c.Host, " \r\n\t/@:") {
		d.mistake(key+".host", "is not the name of a mail server", "a name such as smtp.example.com, without a port")
	}
	if d.given(key+".port") && (c.Port < 1 || c.Port > 65535) {
		d.mistake(key+".port", "is out of range", "1 to 65535; leave it out for 587 (starttls), 465 (implicit) or 25 (none)")
	}
	if c.TLS != "" {
		d.oneOf(key+".tls", c.TLS, []string{TLSStart, TLSImplicit, TLSNone})
	}
	switch {
	case c.Username != "" && c.Password == "":
		d.mistake(key+".password", "is missing beside username", "both, or neither")
	case c.Username == "" && c.Password != "":
		d.mistake(key+".username", "is missing beside password", "both, or neither")
	case c.Username != "" && c.TLS == TLSNone:
		d.mistake(key+".tls", "would send the password unprotected", TLSStart+", "+TLSImplicit)
	}
	const address = "an address such as rewards@example.com, or Rewards <rewards@example.com>"
	if _, err := mail.ParseAddress(c.From); err != nil {
		d.mistake(key+".from", "is not an e-mail address", address)
	}
	if len(c.To) == 0 {
		d.mistake(key+".to", "is missing", "a list of addresses")
	}
	for i, to := range c.To {
		if _, err := mail.ParseAddress(to); err != nil {
			d.mistake(itemKey(key+".to", i), "is not an e-mail address", address)
		}
	}
}
