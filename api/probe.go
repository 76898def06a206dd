package api

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// What an operator's program sends to the webhook's address to learn whether
// FirstPromoter would get through: ProbeBody, which is no event, with the header
// ProbeHeader. The answer is 400 where the address and the credentials are
// right, and nothing is stored or counted as a delivery. With wrong credentials
// it is a forged webhook like any other.
const (
	ProbeHeader = "Rewardflow-Probe"
	ProbeBody   = "{}"
)

// probed reports whether a webhook was a probe that came through. Only who knows
// the secret is ever answered 400, and FirstPromoter does not send the header.
func probed(c *gin.Context, status int) bool {
	return status == http.StatusBadRequest && c.GetHeader(ProbeHeader) != "" && takenOf(c).Type == ""
}
