package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The sizes of a page.
const (
	defaultLimit = 50
	maxLimit     = 500
)

// rewardReader reads what the ledger holds of rewards.
type rewardReader interface {
	Reward(ctx context.Context, id reward.ID) (ledger.Record, error)
	ListRewards(ctx context.Context, f ledger.Filter) ([]ledger.Record, error)
	Changes(ctx context.Context, id reward.ID) ([]ledger.Change, error)
	Deliveries(ctx context.Context, id reward.ID) ([]ledger.Delivery, error)
	Attempts(ctx context.Context, id reward.ID) ([]ledger.Attempt, error)
	TallyOf(ctx context.Context, id reward.ID) (ledger.Tally, error)
	DecisionsOf(ctx context.Context, id reward.ID) ([]ledger.Recorded, error)
	ResolutionsOf(ctx context.Context, id reward.ID) ([]reward.Resolution, error)
	Payout(ctx context.Context, id reward.ID) (ledger.Payout, error)
}

// budgetReader reads what a reward has spent of FirstPromoter's retries.
type budgetReader interface {
	RetryBudget(ctx context.Context, id reward.ID) (ledger.Budget, error)
}

// rewardsHandler shows rewards.
type rewardsHandler struct {
	ledger interface {
		rewardReader
		budgetReader
	}
	unstored Unstored // May be nil.
	present  presenter
}

// rewardsPage is one page of the list. NextCursor is empty on the last page;
// the page that it names may turn out to be empty.
type rewardsPage struct {
	Rewards    []rewardJSON `json:"rewards"`
	NextCursor string       `json:"next_cursor,omitempty"`
}

// list shows rewards, newest first.
func (h *rewardsHandler) list(c *gin.Context) error {
	f, err := filterOf(c)
	if err != nil {
		return err
	}
	records, err := h.ledger.ListRewards(c.Request.Context(), f)
	if err != nil {
		return err
	}
	page := rewardsPage{Rewards: make([]rewardJSON, 0, len(records))}
	for _, r := range records {
		page.Rewards = append(page.Rewards, h.present.reward(r))
	}
	if len(records) == f.Limit {
		page.NextCursor = cursorAfter(records[len(records)-1])
	}
	c.JSON(http.StatusOK, page)
	return nil
}

// show shows one reward, with everything that led to where it stands.
func (h *rewardsHandler) show(c *gin.Context) error {
	id, err := rewardID(c)
	if err != nil {
		return err
	}
	f, err := h.read(c.Request.Context(), id)
	if fault.Is(err, fault.NotFound) {
		return h.neverStored(c.Request.Context(), id, err)
	}
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, h.present.detail(f))
	return nil
}

// neverStored says of a reward that the ledger does not have whether its event
// came and could not be stored.
func (h *rewardsHandler) neverStored(ctx context.Context, id reward.ID, cause error) error {
	b, err := h.budget(ctx, id)
	if err != nil || b.Spent == 0 {
		return cause
	}
	return fault.Wrap(fault.NotFound, "api", fmt.Sprintf(
		"the ledger has no reward %s: its event came and could not be stored, which spent %d of the %d errors of a day, the last at %s; "+
			"FirstPromoter sends it again", id, b.Spent, ledger.RetryBudget, b.LastError.UTC().Format(time.RFC3339)), cause)
}

// budget is what the ledger holds, and what it does not hold yet.
func (h *rewardsHandler) budget(ctx context.Context, id reward.ID) (ledger.Budget, error) {
	b, err := h.ledger.RetryBudget(ctx, id)
	if err != nil || h.unstored == nil {
		return b, err
	}
	if errors, last := h.unstored.Pending(id); errors > 0 {
		b.Spent, b.LastError, b.Open = b.Spent+errors, last, true
	}
	return b, nil
}

// file is all that the ledger holds of one reward.
type file struct {
	record      ledger.Record
	tally       ledger.Tally
	decisions   []ledger.Recorded
	resolutions []reward.Resolution
	attempts    []ledger.Attempt
	deliveries  []ledger.Delivery
	changes     []ledger.Change
	budget      ledger.Budget
	// payout is nil while there is none.
	payout *ledger.Payout
}

func (h *rewardsHandler) read(ctx context.Context, id reward.ID) (f file, err error) {
	if f.record, err = h.ledger.Reward(ctx, id); err != nil {
		return file{}, err
	}
	if f.tally, err = h.ledger.TallyOf(ctx, id); err != nil {
		return file{}, err
	}
	if f.decisions, err = h.ledger.DecisionsOf(ctx, id); err != nil {
		return file{}, err
	}
	if f.resolutions, err = h.ledger.ResolutionsOf(ctx, id); err != nil {
		return file{}, err
	}
	if f.attempts, err = h.ledger.Attempts(ctx, id); err != nil {
		return file{}, err
	}
	if f.deliveries, err = h.ledger.Deliveries(ctx, id); err != nil {
		return file{}, err
	}
	if f.changes, err = h.ledger.Changes(ctx, id); err != nil {
		return file{}, err
	}
	if f.budget, err = h.budget(ctx, id); err != nil {
		return file{}, err
	}
	payout, err := h.ledger.Payout(ctx, id)
	switch {
	case err == nil:
		f.payout = &payout
	case !fault.Is(err, fault.NotFound):
		return file{}, err
	}
	return f, nil
}

// filterOf reads the query of the list.
func filterOf(c *gin.Context) (ledger.Filter, error) {
	if err := onlyQuery(c, "status", "promoter", "unit", "cursor", "limit"); err != nil {
		return ledger.Filter{}, err
	}
	f := ledger.Filter{Unit: reward.Unit(c.Query("unit"))}
	var err error
	if f.Statuses, err = statusesOf(c.QueryArray("status")); err != nil {
		return ledger.Filter{}, err
	}
	if p := c.Query("promoter"); p != "" {
		if f.Promoter, err = strconv.ParseInt(p, 10, 64); err != nil || f.Promoter <= 0 {
			return ledger.Filter{}, invalid(`the query parameter "promoter" is not a whole number above zero`)
		}
	}
	if f.Before, f.Limit, err = pageOf(c); err != nil {
		return ledger.Filter{}, err
	}
	return f, nil
}

// statusesOf reads statuses, each parameter holding one or several with commas.
func statusesOf(params []string) ([]reward.Status, error) {
	var statuses []reward.Status
	for _, param := range params {
		for word := range strings.SplitSeq(param, ",") {
			s := reward.Status(strings.TrimSpace(word))
			if s == "" {
				continue
			}
			if !s.Known() {
				return nil, invalid(fmt.Sprintf("%.40q is not a status: there are %s", s, allStatuses()))
			}
			statuses = append(statuses, s)
		}
	}
	return statuses, nil
}

func allStatuses() string {
	words := make([]string, 0, len(reward.Statuses()))
	for _, s := range reward.Statuses() {
		words = append(words, string(s))
	}
	return strings.Join(words, ", ")
}

// pageOf reads where a page starts, and how long it is at most.
func pageOf(c *gin.Context) (ledger.Cursor, int, error) {
	limit, err := limitOf(c)
	if err != nil {
		return ledger.Cursor{}, 0, err
	}
	at, number, err := parsePlace(rewardList, c.Query("cursor"))
	return ledger.Cursor{ReceivedAt: at, ID: reward.ID(number)}, limit, err
}

func limitOf(c *gin.Context) (int, error) {
	l := c.Query("limit")
	if l == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(l)
	if err != nil || n < 1 || n > maxLimit {
		return 0, invalid(fmt.Sprintf(`the query parameter "limit" is not a whole number from 1 to %d`, maxLimit))
	}
	return n, nil
}

// cursorAfter names the place behind a reward in the list.
func cursorAfter(r ledger.Record) string {
	return placeCursor(rewardList, r.ReceivedAt, int64(r.Reward.ID))
}
