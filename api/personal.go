package api

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

// Keys changes the ledger to the active key of the ring.
type Keys interface {
	// Rotate wraps at most n data keys anew. Calling it again goes on.
	Rotate(ctx context.Context, n int) (KeyRotation, error)
}

// KeyRotation is where the change to the active key stands.
type KeyRotation struct {
	Active string
	// Done is how many data keys this call wrapped anew.
	Done int
	// Left counts the data keys that still need another key, by it.
	Left map[string]int
	// Unneeded are keys of the ring that the ledger does not need.
	Unneeded []string
	// Retention is how long Temporal keeps what has ended; zero where it did not
	// say.
	Retention time.Duration
}

// eraser erases what the ledger holds of a person.
type eraser interface {
	ErasePromoter(ctx context.Context, promoter int64, actor string) (ledger.Erasure, error)
}

// rotateAtOnce is how many data keys one request changes: a moment's work.
const rotateAtOnce = 200

type keysHandler struct {
	keys Keys
	log  *slog.Logger
}

type rotationJSON struct {
	Active            string         `json:"active"`
	Done              int            `json:"done"`
	Left              map[string]int `json:"left"`
	Unneeded          []string       `json:"unneeded"`
	TemporalRetention string         `json:"temporal_retention,omitempty"`
}

// rotate changes a batch to the active key.
func (h *keysHandler) rotate(c *gin.Context) error {
	var in struct{}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if h.keys == nil {
		return fault.New(fault.Conflict, "api", "encryption.keys is empty, so there is no key to change to: make one with \"rewardflow keys new\"")
	}
	r, err := h.keys.Rotate(c.Request.Context(), rotateAtOnce)
	if err != nil {
		return err
	}
	h.log.InfoContext(c.Request.Context(), "keys.rotated",
		slog.String("by", principalOf(c).Name), slog.String("active", r.Active), slog.Int("done", r.Done))
	out := rotationJSON{Active: r.Active, Done: r.Done, Left: orNone(r.Left), Unneeded: append([]string{}, r.Unneeded...)}
	if r.Retention > 0 {
		out.TemporalRetention = r.Retention.String()
	}
	c.JSON(http.StatusOK, out)
	return nil
}

func orNone(m map[string]int) map[string]int {
	out := map[string]int{}
	maps.Copy(out, m)
	return out
}

type promotersHandler struct {
	ledger eraser
	log    *slog.Logger
}

type erasureJSON struct {
	Promoter int64 `json:"promoter"`
	Rewards  int   `json:"rewards"`
	Events   int   `json:"events"`
	Payouts  int   `json:"payouts"`
	Keys     int   `json:"keys"`
}

// erase blanks what the ledger holds of a promoter's person. The ledger records who
// wanted it.
func (h *promotersHandler) erase(c *gin.Context) error {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id <= 0 {
		return invalid("the address names no promoter: an ID is a whole number above zero")
	}
	var in struct{}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	done, err := h.ledger.ErasePromoter(c.Request.Context(), id, principalOf(c).Name)
	if err != nil {
		return err
	}
	h.log.InfoContext(c.Request.Context(), "promoter.erased", slog.String("by", principalOf(c).Name), slog.Int64("promoter", id))
	c.JSON(http.StatusOK, erasureJSON{Promoter: id, Rewards: done.Rewards, Events: done.Events, Payouts: done.Payouts, Keys: done.Keys})
	return nil
}
