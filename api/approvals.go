package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// approvalReader reads what waits for decisions.
type approvalReader interface {
	ListRewards(ctx context.Context, f ledger.Filter) ([]ledger.Record, error)
	TallyOf(ctx context.Context, id reward.ID) (ledger.Tally, error)
	DecisionsOf(ctx context.Context, id reward.ID) ([]ledger.Recorded, error)
}

// approvalsHandler shows people what waits for their decision.
type approvalsHandler struct {
	ledger  approvalReader
	present presenter
}

// approvalJSON is a reward that the caller may decide.
type approvalJSON struct {
	rewardJSON

	Role      string    `json:"role"`
	Approvals int       `json:"approvals"`
	Needed    int       `json:"needed"`
	HoldUntil time.Time `json:"hold_until,omitzero"`
}

// approvalsPage is one page of the list. NextCursor is empty on the last page;
// the page that it names may turn out to be empty.
type approvalsPage struct {
	Approvals  []approvalJSON `json:"approvals"`
	NextCursor string         `json:"next_cursor,omitempty"`
}

// list shows the rewards that the caller may decide and has not, newest first.
// What the policy leaves to others is not among them.
func (h *approvalsHandler) list(c *gin.Context) error {
	if err := onlyQuery(c, "cursor", "limit"); err != nil {
		return err
	}
	before, limit, err := pageOf(c)
	if err != nil {
		return err
	}
	page, err := h.collect(c.Request.Context(), principalOf(c), before, limit)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, page)
	return nil
}

// collect goes through the ledger's pages until it has found as many as were
// asked for: most of a page may be other people's to decide.
func (h *approvalsHandler) collect(ctx context.Context, who principal, before ledger.Cursor, limit int) (approvalsPage, error) {
	page := approvalsPage{Approvals: []approvalJSON{}}
	filter := ledger.Filter{
		Statuses: []reward.Status{reward.AwaitingApproval, reward.Held},
		Before:   before,
		Limit:    maxLimit,
	}
	for {
		records, err := h.ledger.ListRewards(ctx, filter)
		if err != nil {
			return approvalsPage{}, err
		}
		for _, r := range records {
			item, waits, err := h.consider(ctx, who, r)
			if err != nil {
				return approvalsPage{}, err
			}
			if waits {
				page.Approvals = append(page.Approvals, item)
			}
			if len(page.Approvals) == limit {
				page.NextCursor = cursorAfter(r)
				return page, nil
			}
		}
		if len(records) < filter.Limit {
			return page, nil
		}
		end := records[len(records)-1]
		filter.Before = ledger.Cursor{ReceivedAt: end.ReceivedAt, ID: end.Reward.ID}
	}
}

// consider says whether a reward waits for the caller. It asks the cheap
// question first.
func (h *approvalsHandler) consider(ctx context.Context, who principal, r ledger.Record) (approvalJSON, bool, error) {
	if r.Approvals == 0 || !who.MayDecide(r.Role) || r.Excludes(who.Name) {
		return approvalJSON{}, false, nil
	}
	tally, err := h.ledger.TallyOf(ctx, r.Reward.ID)
	if err != nil {
		return approvalJSON{}, false, err
	}
	if !approvalsPending(r, tally) {
		return approvalJSON{}, false, nil
	}
	decisions, err := h.ledger.DecisionsOf(ctx, r.Reward.ID)
	if err != nil {
		return approvalJSON{}, false, err
	}
	if hasDecided(who, r.Digest, decisions) {
		return approvalJSON{}, false, nil
	}
	return approvalJSON{
		rewardJSON: h.present.reward(r),
		Role:       r.Role,
		Approvals:  tally.Approvals,
		Needed:     tally.Needed,
		HoldUntil:  r.HoldUntil.UTC(),
	}, true, nil
}

func hasDecided(who principal, current reward.Digest, decisions []ledger.Recorded) bool {
	return slices.ContainsFunc(decisions, func(d ledger.Recorded) bool {
		return d.Counted && ledger.SamePerson(d.By, who.Name) && d.Digest == current
	})
}
