package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxProviderName keeps the button of the login page on one line of a telephone.
const maxProviderName = 40

func (c *Config) validateOIDC(d *decoder) {
	c.validateOIDCUsers(d)
	o := c.Auth.OIDC
	if !o.On() {
		// Half a configuration would sign in nobody, and nobody would know why.
		if o.ClientID != "" || o.ClientSecret != "" || len(o.Groups) > 0 {
			d.mistake("auth.oidc.issuer", "is missing", "the provider's address as its discovery document has it, such as https://accounts.example.com; leave oidc out for none")
		}
		return
	}
	if message := checkBaseURL(o.Issuer); message != "" {
		d.mistake("auth.oidc.issuer", message, "the https URL that the provider's discovery document calls issuer; http only to this machine")
	}
	if c.PublicURL == "" {
		d.mistake("public_url", "is missing", "where people open this installation, such as https://rewards.example.com: auth.oidc has the provider send them back there")
	}
	if strings.TrimSpace(o.ClientID) == "" {
		d.mistake("auth.oidc.client_id", "is missing", "the client that you registered at the provider for this installation")
	}
	if len(o.Name) > maxProviderName {
		d.mistake("auth.oidc.name", fmt.Sprintf("has %d characters", len(o.Name)), fmt.Sprintf("at most %d: the button says Sign in with it", maxProviderName))
	}
	c.validateScopes(d)
	d.checkClaims(o)
	if len(o.Groups) == 0 {
		d.mistake("auth.oidc.groups", "is missing, so nobody who signs in could do anything", "a list of groups with their roles: [{name: payments, roles: [approver]}]")
	}
	d.checkGroups("auth.oidc.groups", o.Groups)
}

// validateScopes keeps to what RFC 6749, section 3.3, calls a scope.
func (c *Config) validateScopes(d *decoder) {
	scope := regexp.MustCompile(`^[!#-\[\]-~]+$`)
	for i, s := range c.Auth.OIDC.Scopes {
		if !scope.MatchString(s) {
			d.mistake(itemKey("auth.oidc.scopes", i), "is not a scope", "one word for each entry, such as groups")
		}
	}
	if !slices.Contains(c.Auth.OIDC.Scopes, "openid") {
		d.mistake("auth.oidc.scopes", "leaves out openid, so the provider would name nobody", "[openid, email, profile], and what else the groups need")
	}
}

func (d *decoder) checkClaims(o AuthOIDC) {
	// By https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims these
	// are what people call themselves: not unique, and changed at will.
	chosen := []string{"name", "given_name", "family_name", "middle_name", "nickname", "profile", "picture", "website"}
	const names = "a claim that is one person's and that people cannot change themselves, such as email, preferred_username or sub"
	switch {
	case strings.TrimSpace(o.NameClaim) == "":
		d.mistake("auth.oidc.name_claim", "is empty", names)
	case slices.Contains(chosen, o.NameClaim):
		d.mistake("auth.oidc.name_claim", "does not tell people apart: two can have the same, and one can change it between two votes", names)
	}
	if strings.TrimSpace(o.GroupsClaim) == "" {
		d.mistake("auth.oidc.groups_claim", "is empty", "the claim in which the provider lists a person's groups, such as groups")
	}
}

// validateOIDCUsers keeps one name at the provider from being two people here.
func (c *Config) validateOIDCUsers(d *decoder) {
	for i, o := range c.Operators {
		if o.OIDCUser == "" {
			continue
		}
		key := itemKey("operators", i) + ".oidc_user"
		if strings.TrimSpace(o.OIDCUser) != o.OIDCUser {
			d.mistake(key, "begins or ends with a space", "the person's name as the claim of auth.oidc.name_claim has it")
		}
		for j, other := range c.Operators {
			switch {
			case j < i && strings.EqualFold(o.OIDCUser, other.OIDCUser):
				d.mistake(key, fmt.Sprintf("is the one of operators[%d], too", j), "a person for each operator")
			case j != i && strings.EqualFold(o.OIDCUser, other.Name):
				d.mistake(key, fmt.Sprintf("is the name of operators[%d]", j), "a person for each operator")
			}
		}
	}
}

// warnOfTwoNames names the operators who could vote once by token and once as
// the person whom the provider names.
func (c *Config) warnOfTwoNames(note func(format string, args ...any)) {
	if !c.Auth.OIDC.On() || c.Auth.OIDC.NameClaim != "email" {
		return // What names look like is known of addresses only.
	}
	for i, o := range c.Operators {
		decides := slices.Contains(o.Roles, "approver") || slices.Contains(o.Roles, "finance")
		if decides && o.OIDCUser == "" && !strings.Contains(o.Name, "@") {
			note("operators[%d]: %s can decide, and has no oidc_user: a person who signs in by token and by auth.oidc would have two votes", i, o.Name)
		}
	}
}
