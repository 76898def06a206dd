package api

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/identity"
)

// The roles of an operator; package identity says what they may do.
const (
	RoleViewer   = identity.RoleViewer
	RoleApprover = identity.RoleApprover
	RoleFinance  = identity.RoleFinance
	RoleOperator = identity.RoleOperator
	RoleAdmin    = identity.RoleAdmin
)

// Roles returns all roles.
func Roles() []string { return identity.Roles() }

// Operator is a person or a program that may use the operator API.
type Operator = identity.Operator

// access says who may use a route. The zero value admits nobody.
type access = identity.Access

const (
	anyone   = identity.Anyone
	reads    = identity.Reads
	decides  = identity.Decides
	operates = identity.Operates
	// administers is for what concerns the installation and cannot be taken back.
	administers = identity.Administers
)

func roleMissing(a access) error {
	return newProblem(http.StatusForbidden, "role_missing", a.Missing())
}

// principal is who sent a request.
type principal = identity.Principal

// principalKey is where a request keeps its principal.
const principalKey = "principal"

// principalOf returns who sent the request; nobody on a route for anyone.
func principalOf(c *gin.Context) principal {
	who, _ := c.Get(principalKey)
	p, _ := who.(principal)
	return p
}

// refused turns the answer to a sender who is not known into a problem.
func refused(err error) error {
	if r, ok := errors.AsType[*identity.Refusal](err); ok {
		p := newProblem(http.StatusUnauthorized, r.Code, r.Message)
		if r.Code == identity.CodeTooMany {
			p = newProblem(http.StatusTooManyRequests, r.Code, r.Message)
			p.retryAfter = r.RetryAfter
		}
		return p
	}
	return err
}
