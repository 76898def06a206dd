package config

import (
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// headerName is a header that a proxy may name somebody in.
var headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,99}$`) //nolint:gochecknoglobals // Nothing writes it.

func (c *Config) validateAuth(d *decoder) {
	if l := c.Auth.SessionLifetime; l < time.Minute || l > 30*24*time.Hour {
		d.mistake("auth.session_lifetime", l.String()+" is out of range", "1m to 720h, such as 12h")
	}
	p := c.Auth.Proxy
	for i, network := range p.Trusted {
		key := itemKey("auth.proxy.trusted", i)
		const allowed = "a network in CIDR notation, such as 10.0.0.0/8 or 192.0.2.7/32"
		switch prefix, err := netip.ParsePrefix(network); {
		case err != nil:
			d.mistake(key, "is not a network", allowed)
		case prefix.Bits() == 0:
			d.mistake(key, "would believe everybody", allowed)
		}
	}
	switch {
	case len(p.Trusted) > 0 && p.UserHeader == "":
		d.mistake("auth.proxy.user_header", "is missing", "the header in which the proxy names the person, such as X-Forwarded-User")
	case len(p.Trusted) == 0 && (p.UserHeader != "" || p.GroupsHeader != "" || len(p.Groups) > 0):
		d.mistake("auth.proxy.trusted", "is missing", "the networks that the proxy sends from, such as [10.0.0.0/8]; headers from elsewhere prove nothing")
	}
	d.checkHeader("auth.proxy.user_header", p.UserHeader)
	d.checkHeader("auth.proxy.groups_header", p.GroupsHeader)
	if len(p.Groups) > 0 && p.GroupsHeader == "" {
		d.mistake("auth.proxy.groups_header", "is missing", "the header in which the proxy lists the person's groups, such as X-Forwarded-Groups")
	}
	for i, g := range p.Groups {
		if strings.Contains(g.Name, ",") {
			d.mistake(itemKey("auth.proxy.groups", i)+".name", "holds a comma, which separates groups", "the group as the header spells it")
		}
	}
	d.checkGroups("auth.proxy.groups", p.Groups)
}

func (d *decoder) checkGroups(list string, groups []AuthGroup) {
	seen := map[string]bool{}
	for i, g := range groups {
		key := itemKey(list, i)
		switch {
		case strings.TrimSpace(g.Name) == "":
			d.mistake(key+".name", "is missing", "the group as it is spelled where people are signed in")
		case seen[g.Name]:
			d.mistake(key+".name", "is given twice", "each group once")
		}
		seen[g.Name] = true
		if len(g.Roles) == 0 {
			d.mistake(key+".roles", "is missing", strings.Join(Roles(), ", "))
		}
		for j, role := range g.Roles {
			d.oneOf(itemKey(key+".roles", j), role, Roles())
		}
	}
}

func (d *decoder) checkHeader(key, name string) {
	switch {
	case name == "":
	case !headerName.MatchString(name):
		d.mistake(key, "is not the name of a header", "letters, digits and -, such as X-Forwarded-User")
	case strings.EqualFold(name, "Authorization") || strings.EqualFold(name, "Cookie") || strings.EqualFold(name, "Host"):
		d.mistake(key, "every client sends this header itself", "a header that only the proxy sets, such as X-Forwarded-User")
	}
}
