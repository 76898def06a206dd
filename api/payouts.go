package api

import (
	"context"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// statementReader reads what was paid.
type statementReader interface {
	ListPayouts(ctx context.Context, f ledger.PayoutFilter, after ledger.PayoutCursor, limit int) ([]ledger.Entry, error)
	PayoutTotals(ctx context.Context, f ledger.PayoutFilter) ([]ledger.PayoutTotal, error)
}

// payoutsHandler shows what was paid in a period.
type payoutsHandler struct {
	ledger statementReader
}

// payoutsPage is one page of a statement. NextCursor is empty on the last
// page; the page that it names may turn out to be empty.
type payoutsPage struct {
	Payouts    []entryJSON `json:"payouts"`
	NextCursor string      `json:"next_cursor,omitempty"`
}

// entryJSON is one payout in a statement.
type entryJSON struct {
	RewardID reward.ID     `json:"reward_id"`
	Status   reward.Status `json:"status"`
	State    payout.State  `json:"state"`
	Money    ledger.Money  `json:"money"`
	// At is where the payout stands in the statement.
	At              time.Time       `json:"at"`
	Quantity        reward.Quantity `json:"quantity"`
	Provider        string          `json:"provider"`
	Reference       string          `json:"reference"`
	OtherReferences []string        `json:"other_references"`
	Key             string          `json:"key"`
	Generation      int             `json:"generation"`
	Destination     string          `json:"destination"`
	Detail          string          `json:"detail"`
	Promoter        payeeJSON       `json:"promoter"`
	Campaign        reward.Campaign `json:"campaign"`
	PolicyVersion   string          `json:"policy_version"`
	Rule            string          `json:"rule"`
	Approvals       []approverJSON  `json:"approvals"`
	ByHand          bool            `json:"by_hand"`
	Resolution      *resolutionJSON `json:"resolution,omitempty"`
	ReservedAt      time.Time       `json:"reserved_at,omitzero"`
	FirstSentAt     time.Time       `json:"first_sent_at,omitzero"`
	LastSentAt      time.Time       `json:"last_sent_at,omitzero"`
	PaidAt          time.Time       `json:"paid_at,omitzero"`
	ReturnedAt      time.Time       `json:"returned_at,omitzero"`
	ClosedAt        time.Time       `json:"closed_at,omitzero"`
}

// payeeJSON is a promoter. The email address is there only for who asks for it.
type payeeJSON struct {
	ID     int64  `json:"id"`
	CustID string `json:"cust_id"`
	Email  string `json:"email,omitempty"`
}

type approverJSON struct {
	By       string    `json:"by"`
	Verified bool      `json:"verified"`
	At       time.Time `json:"at"`
}

// payoutTotalsJSON are the sums of a statement.
type payoutTotalsJSON struct {
	Totals []payoutTotalJSON `json:"totals"`
}

type payoutTotalJSON struct {
	State    payout.State `json:"state"`
	Money    ledger.Money `json:"money"`
	Unit     reward.Unit  `json:"unit"`
	Currency string       `json:"currency,omitempty"`
	Count    int          `json:"count"`
	Amount   *big.Int     `json:"amount"`
}

// list shows payouts, in the order in which their value left.
func (h *payoutsHandler) list(c *gin.Context) error {
	if err := onlyQuery(c, "from", "to", "state", "unit", "provider", "email", "cursor", "limit"); err != nil {
		return err
	}
	f, err := payoutFilterOf(c)
	if err != nil {
		return err
	}
	emails, err := flagOf(c, "email")
	if err != nil {
		return err
	}
	limit, err := limitOf(c)
	if err != nil {
		return err
	}
	after, err := parsePayoutCursor(c.Query("cursor"))
	if err != nil {
		return err
	}
	entries, err := h.ledger.ListPayouts(c.Request.Context(), f, after, limit)
	if err != nil {
		return err
	}
	page := payoutsPage{Payouts: each(entries, func(e ledger.Entry) entryJSON { return presentEntry(e, emails) })}
	if len(entries) == limit {
		page.NextCursor = payoutCursorAfter(entries[len(entries)-1])
	}
	c.JSON(http.StatusOK, page)
	return nil
}

// totals shows the sums of everything that list would show.
func (h *payoutsHandler) totals(c *gin.Context) error {
	if err := onlyQuery(c, "from", "to", "state", "unit", "provider"); err != nil {
		return err
	}
	f, err := payoutFilterOf(c)
	if err != nil {
		return err
	}
	totals, err := h.ledger.PayoutTotals(c.Request.Context(), f)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, payoutTotalsJSON{Totals: each(totals, func(t ledger.PayoutTotal) payoutTotalJSON {
		return payoutTotalJSON(t)
	})})
	return nil
}

func presentEntry(e ledger.Entry, emails bool) entryJSON {
	p := e.Payout
	out := entryJSON{
		RewardID: p.RewardID, Status: e.Status, State: p.State, Money: e.Money, At: e.At.UTC(),
		Quantity: p.Quantity, Provider: p.Provider, Reference: p.Reference, OtherReferences: append([]string{}, e.OtherReferences...),
		Key: p.Request.Key, Generation: p.Generation, Destination: p.Request.Destination, Detail: p.Detail,
		Promoter: payeeJSON{ID: e.Promoter.ID, CustID: e.Promoter.CustID}, Campaign: e.Campaign,
		PolicyVersion: e.PolicyVersion, Rule: e.Rule,
		Approvals: each(e.Approvals, func(a ledger.Approval) approverJSON {
			return approverJSON{By: a.By, Verified: a.Verified, At: a.At.UTC()}
		}),
		ByHand:     e.ByHand,
		ReservedAt: p.ReservedAt.UTC(), FirstSentAt: p.FirstSentAt.UTC(), LastSentAt: e.LastSentAt.UTC(),
		PaidAt: p.PaidAt.UTC(), ReturnedAt: e.ReturnedAt.UTC(), ClosedAt: e.ClosedAt.UTC(),
	}
	if emails {
		out.Promoter.Email = e.Promoter.Email
	}
	if e.Resolution.ID != "" {
		resolution := presentResolution(e.Resolution)
		out.Resolution = &resolution
	}
	return out
}

// payoutFilterOf reads which payouts are asked for.
func payoutFilterOf(c *gin.Context) (ledger.PayoutFilter, error) {
	f := ledger.PayoutFilter{Unit: reward.Unit(c.Query("unit")), Provider: c.Query("provider")}
	var err error
	if f.From, err = boundOf(c, "from"); err != nil {
		return ledger.PayoutFilter{}, err
	}
	if f.To, err = boundOf(c, "to"); err != nil {
		return ledger.PayoutFilter{}, err
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return ledger.PayoutFilter{}, invalid(`the period is empty: "to" is not after "from", and is not part of the period itself`)
	}
	f.States, err = payoutStatesOf(c.QueryArray("state"))
	return f, err
}

// boundOf reads a bound of a period: a day in UTC, or a time.
func boundOf(c *gin.Context, name string) (time.Time, error) {
	value := c.Query(name)
	if value == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if at, err := time.Parse(layout, value); err == nil && at.Unix() > 0 {
			return at.UTC(), nil
		}
	}
	return time.Time{}, invalid(fmt.Sprintf(
		"the query parameter %q is neither a day such as 2026-11-01, in UTC, nor a time of RFC 3339, after 1970", name))
}

// payoutStatesOf reads states, each parameter holding one or several with commas.
func payoutStatesOf(params []string) ([]payout.State, error) {
	var states []payout.State
	for _, param := range params {
		for word := range strings.SplitSeq(param, ",") {
			s := payout.State(strings.TrimSpace(word))
			if s == "" {
				continue
			}
			if !slices.Contains(payout.States(), s) {
				return nil, invalid(fmt.Sprintf("%.40q is not a state of a payout: there are %s", s, allPayoutStates()))
			}
			states = append(states, s)
		}
	}
	return states, nil
}

func allPayoutStates() string {
	words := make([]string, 0, len(payout.States()))
	for _, s := range payout.States() {
		words = append(words, string(s))
	}
	return strings.Join(words, ", ")
}

// flagOf reads a parameter that is true or false; false when it is not there.
func flagOf(c *gin.Context, name string) (bool, error) {
	switch c.Query(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, invalid(fmt.Sprintf("the query parameter %q is neither true nor false", name))
}

// payoutCursorAfter names the place behind an entry.
func payoutCursorAfter(e ledger.Entry) string {
	return placeCursor(payoutList, e.At, int64(e.Payout.RewardID))
}

func parsePayoutCursor(s string) (ledger.PayoutCursor, error) {
	at, number, err := parsePlace(payoutList, s)
	return ledger.PayoutCursor{At: at, RewardID: reward.ID(number)}, err
}
