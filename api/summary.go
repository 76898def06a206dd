package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// summaryReader counts what the ledger holds.
type summaryReader interface {
	Summary(ctx context.Context) ([]ledger.Total, []ledger.PaidTotal, error)
}

// summaryHandler shows the whole at a glance.
type summaryHandler struct {
	ledger summaryReader
}

type summaryJSON struct {
	Statuses []totalJSON `json:"statuses"`
	Paid     []paidJSON  `json:"paid"`
}

type totalJSON struct {
	Status reward.Status `json:"status"`
	Count  int           `json:"count"`
	// Oldest is when the oldest of them got this status.
	Oldest time.Time `json:"oldest,omitzero"`
}

type paidJSON struct {
	Unit     reward.Unit `json:"unit"`
	Currency string      `json:"currency,omitempty"`
	Count    int         `json:"count"`
	Amount   int64       `json:"amount"`
}

func (h *summaryHandler) show(c *gin.Context) error {
	totals, paid, err := h.ledger.Summary(c.Request.Context())
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, summaryJSON{
		Statuses: each(totals, func(t ledger.Total) totalJSON {
			return totalJSON{Status: t.Status, Count: t.Count, Oldest: t.Oldest.UTC()}
		}),
		Paid: each(paid, func(p ledger.PaidTotal) paidJSON {
			return paidJSON{Unit: p.Unit, Currency: p.Currency, Count: p.Count, Amount: p.Amount}
		}),
	})
	return nil
}
