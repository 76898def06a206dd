package identity

import (
	"slices"
	"strings"
)

// The roles of an operator.
const (
	// RoleViewer reads everything.
	RoleViewer = "viewer"
	// RoleApprover decides, where the policy asks for it or for no role.
	RoleApprover = "approver"
	// RoleFinance decides, where the policy asks for it or for no role.
	RoleFinance = "finance"
	// RoleOperator resolves rewards that wait for a person, and holds the brake.
	RoleOperator = "operator"
	// RoleAdmin may use every route. It is no substitute for the role that the
	// policy asks of a decision.
	RoleAdmin = "admin"
)

// Roles returns all roles.
func Roles() []string {
	return []string{RoleViewer, RoleApprover, RoleFinance, RoleOperator, RoleAdmin}
}

// Access says who may use a route. The zero value admits nobody.
type Access int

// Who may come in.
const (
	Nobody Access = iota
	Anyone
	Reads
	Decides
	Operates
	Administers
)

// Roles returns the roles of which the caller needs one; none where nobody or
// anyone may come in.
func (a Access) Roles() []string {
	switch a {
	case Reads:
		return Roles()
	case Decides:
		return []string{RoleApprover, RoleFinance, RoleAdmin}
	case Operates:
		return []string{RoleOperator, RoleAdmin}
	case Administers:
		return []string{RoleAdmin}
	case Nobody, Anyone:
	}
	return nil
}

// Allows reports whether somebody who holds the roles may come in.
func (a Access) Allows(held []string) bool {
	return slices.ContainsFunc(a.Roles(), func(r string) bool { return slices.Contains(held, r) })
}

// Missing says in words which roles would be needed.
func (a Access) Missing() string {
	return "this needs one of the roles " + strings.Join(a.Roles(), ", ") + ": ask whoever keeps the list of operators"
}
