package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/config"
)

func TestMistakesOfOIDC(t *testing.T) {
	t.Parallel()

	const whole = "issuer: https://id.example.com, client_id: rf, groups: [{name: a, roles: [viewer]}]"
	oidc := func(keys string) string {
		return "public_url: https://rewards.example.com\nauth: {oidc: {" + keys + "}}\n"
	}
	cfg := mustParse(t, required+oidc(whole), nil)
	require.True(t, cfg.Auth.OIDC.On())
	require.Equal(t, "id.example.com", cfg.Auth.OIDC.Name)
	require.Equal(t, []string{"openid", "email", "profile"}, cfg.Auth.OIDC.Scopes)
	require.Equal(t, "email", cfg.Auth.OIDC.NameClaim)
	require.Equal(t, "groups", cfg.Auth.OIDC.GroupsClaim)
	require.Equal(t, config.UnverifiedIgnore, cfg.Approvals.Unverified, "people are proven")
	mustParse(t, required+oidc(strings.Replace(whole, "https://id.example.com", "http://localhost:5556/dex", 1)), nil)
	require.False(t, mustParse(t, required+oidc(""), nil).Auth.OIDC.On())

	operators := func(text string) string { return "operators: [" + text + "]\n" }
	one, two := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	for name, tc := range map[string]struct{ file, want string }{
		"no issuer":       {oidc("client_secret: s3cret"), "auth.oidc.issuer: is missing; allowed: the provider's address as its discovery document has it"},
		"issuer in clear": {oidc(strings.Replace(whole, "https", "http", 1)), "auth.oidc.issuer: is not https; allowed: the https URL that the provider's discovery document calls issuer"},
		"issuer no URL":   {oidc(strings.Replace(whole, "https://", "", 1)), "auth.oidc.issuer: is not an absolute URL"},
		"issuer password": {oidc(strings.Replace(whole, "//", "//u:s3cret@", 1)), "auth.oidc.issuer: holds a user name or password"},
		"no public_url":   {"auth: {oidc: {" + whole + "}}\n", "public_url: is missing; allowed: where people open this installation"},
		"no client":       {oidc(strings.Replace(whole, "client_id: rf, ", "", 1)), "auth.oidc.client_id: is missing; allowed: the client that you registered"},
		"name":            {oidc(whole + ", name: " + strings.Repeat("n", 41)), "auth.oidc.name: has 41 characters; allowed: at most 40"},
		"scope":           {oidc(whole + `, scopes: [openid, "a b"]`), "auth.oidc.scopes[1]: is not a scope; allowed: one word for each entry"},
		"no openid":       {oidc(whole + `, scopes: [email]`), "auth.oidc.scopes: leaves out openid"},
		"no scopes":       {oidc(whole + `, scopes: []`), "auth.oidc.scopes: leaves out openid"},
		"empty claim":     {oidc(whole + `, name_claim: ""`), "auth.oidc.name_claim: is empty; allowed: a claim that is one person's"},
		"chosen name":     {oidc(whole + `, name_claim: name`), "auth.oidc.name_claim: does not tell people apart: two can have the same, and one can change it between two votes"},
		"empty groups":    {oidc(whole + `, groups_claim: ""`), "auth.oidc.groups_claim: is empty"},
		"no groups":       {oidc("issuer: https://id.example.com, client_id: rf"), "auth.oidc.groups: is missing, so nobody who signs in could do anything; allowed: a list of groups with their roles"},
		"group role":      {oidc(strings.Replace(whole, "viewer", "viewr", 1)), `auth.oidc.groups[0].roles[0]: "viewr" is not known, did you mean "viewer"?`},
		"group unnamed":   {oidc(strings.Replace(whole, "name: a, ", "", 1)), "auth.oidc.groups[0].name: is missing"},
		"user twice": {
			operators("{name: a, token_sha256: " + one + ", roles: [viewer], oidc_user: A@x.example}, {name: b, token_sha256: " + two + ", roles: [viewer], oidc_user: a@x.example}"),
			"operators[1].oidc_user: is the one of operators[0], too",
		},
		"user and name": {
			operators("{name: a, token_sha256: " + one + ", roles: [viewer], oidc_user: B}, {name: b, token_sha256: " + two + ", roles: [viewer]}"),
			"operators[0].oidc_user: is the name of operators[1]",
		},
		"user spaced": {operators("{name: a, token_sha256: " + one + `, roles: [viewer], oidc_user: "a "}`), "operators[0].oidc_user: begins or ends with a space"},
	} {
		_, err := parse(required+tc.file, nil)
		require.ErrorContains(t, err, tc.want, name)
		require.ErrorContains(t, err, "the configuration has 1 mistake:", name)
		require.NotContains(t, err.Error(), "s3cret", name)
	}
}

// Somebody with two names would have two votes.
func TestOperatorWithoutANameAtTheProviderIsWarnedOf(t *testing.T) {
	t.Parallel()

	const rest = "public_url: https://r.example.com\nauth: {oidc: {issuer: https://id.example.com, client_id: rf, groups: [{name: a, roles: [viewer]}]"
	operator := func(name, more string) string {
		return required + "operators: [{name: " + name + ", token_sha256: " + someDigest + ", " + more + "}]\n" + rest
	}
	cfg := mustParse(t, operator("alice", "roles: [approver]")+"}}\n", nil)
	require.Contains(t, cfg.Warnings(), "operators[0]: alice can decide, and has no oidc_user: a person who signs in by token and by auth.oidc would have two votes")
	for name, file := range map[string]string{
		"named":         operator("alice", "roles: [approver], oidc_user: alice@example.com") + "}}\n",
		"an address":    operator("alice@example.com", "roles: [approver]") + "}}\n",
		"decides not":   operator("ci", "roles: [viewer]") + "}}\n",
		"another claim": operator("alice", "roles: [approver]") + ", name_claim: preferred_username}}\n",
		"no provider":   required + "operators: [{name: alice, token_sha256: " + someDigest + ", roles: [approver]}]\n",
	} {
		require.NotContains(t, strings.Join(mustParse(t, file, nil).Warnings(), "\n"), "oidc_user", name)
	}
}
