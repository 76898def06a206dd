package nemesis

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// person is somebody with a token of the operator API.
type person struct {
	name  string
	roles []string
}

// people are the team. mallory is nobody: she has no token.
func people() []person {
	return []person{
		{"alice", []string{"approver", "finance"}},
		{"bob", []string{"approver", "finance"}},
		{"carol", []string{"finance"}},
		{"dave", []string{"viewer"}},
		{"erin", []string{"approver"}},
		{"oscar", []string{"operator", "viewer"}},
	}
}

// operator is who reads everything and moves the brake.
const operator = "oscar"

func token(name string) string { return "token-of-" + name + "-0123456789abcdef" }

// operatorsYAML renders the people for the configuration.
func operatorsYAML() string {
	var b strings.Builder
	for _, p := range people() {
		sum := sha256.Sum256([]byte(token(p.name)))
		fmt.Fprintf(&b, "  - {name: %s, token_sha256: %q, roles: [%s]}\n", p.name, hex.EncodeToString(sum[:]), strings.Join(p.roles, ", "))
	}
	return b.String()
}

// holds reports whether a person may approve where the role is asked for; an
// empty role asks for approver or finance.
func holds(name, role string) bool {
	for _, p := range people() {
		if p.name != name {
			continue
		}
		if role == "" {
			return slices.Contains(p.roles, "approver") || slices.Contains(p.roles, "finance")
		}
		return slices.Contains(p.roles, role)
	}
	return false
}
