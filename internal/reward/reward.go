// Package reward holds the words of the domain as types: what is owed, to
// whom, where it stands, and who decided.
//
// It uses the standard library only, does no input or output, and may be
// imported from everywhere, workflows included.
package reward

import (
	"fmt"
	"strconv"
)

// ID is the ID of a reward: data.id of a fulfilment_pending event, which is
// the ID of FirstPromoter's v1 payout record. It is the key of everything.
// The zero value is no reward.
type ID int64

// ParseID reads a reward ID. It accepts decimal digits only, above zero.
func ParseID(s string) (ID, error) {
	n, err := strconv.ParseUint(s, 10, 63) // Unlike ParseInt, it takes no sign.
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a reward ID: it is a whole number above zero", s)
	}
	return ID(n), nil
}

// String returns the ID in decimal digits.
func (id ID) String() string { return strconv.FormatInt(int64(id), 10) }

// Promoter is who receives a reward.
type Promoter struct {
	ID int64 `json:"id"`
	// CustID is the promoter's ID in the team's own system. It may be empty,
	// and in some set-ups the promoter chose it.
	CustID string `json:"cust_id"`
	Email  string `json:"email"`
}

// Campaign is what the reward was earned in.
type Campaign struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Reward is what one fulfilment_pending event asks for.
type Reward struct {
	ID       ID       `json:"id"`
	Quantity Quantity `json:"quantity"`
	Promoter Promoter `json:"promoter"`
	Campaign Campaign `json:"campaign"`
}
