package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Unstored counts deliveries that were answered and not stored.
type Unstored interface {
	// Count counts deliveries. It never waits for the database.
	Count(c ledger.Unstored)
	// Pending returns how many errors to a reward's event are not in the ledger
	// yet, and when the last of them was answered.
	Pending(id reward.ID) (errors int, last time.Time)
}

// takenKey is where a webhook's request keeps what its body said.
const takenKey = "taken"

// takenOf returns what the body of a webhook said; nothing when it was not read.
func takenOf(c *gin.Context) ledger.Taken {
	v, _ := c.Get(takenKey)
	taken, _ := v.(ledger.Taken)
	return taken
}

// typeLabel returns an event type of the closed set that metrics and counts use:
// what a sender makes up must not become a label.
func typeLabel(known []string, taken ledger.Taken) string {
	switch {
	case taken.Type == "":
		return ledger.UnreadType
	case slices.Contains(known, taken.Type):
		return taken.Type
	}
	return ledger.UnknownType
}

// countUnstored counts a webhook that was answered and not stored.
func (e *edge) countUnstored(c *gin.Context, status int) {
	taken := takenOf(c)
	reason := unstoredReason(status, taken)
	if e.unstored == nil || reason == "" {
		return
	}
	now := e.now().UTC()
	e.unstored.Count(ledger.Unstored{
		Answer: status, Reason: reason, Type: typeLabel(e.metrics.types, taken), RewardID: taken.RewardID,
		Count: 1, FirstAt: now, LastAt: now,
	})
}

// unstoredReason says why a delivery was not stored; empty when it was.
func unstoredReason(status int, taken ledger.Taken) ledger.UnstoredReason {
	switch status {
	case http.StatusUnauthorized:
		return ledger.ReasonUnauthenticated
	case http.StatusForbidden:
		return ledger.ReasonCrossOrigin
	case http.StatusRequestEntityTooLarge:
		return ledger.ReasonTooLarge
	case http.StatusBadRequest:
		if taken.Reason == "" {
			return ledger.ReasonBrokenOff // The body was never judged.
		}
		return taken.Reason
	case http.StatusOK, http.StatusAccepted:
		return taken.Reason
	}
	return ledger.ReasonNotStored
}
