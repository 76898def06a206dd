package api

import (
	"context"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// slackPath is the interactivity URL of the Slack app.
const slackPath = "/slack/interactions"

// SlackInteractions takes what people do with the buttons in Slack.
type SlackInteractions interface {
	// Take answers a request within three seconds: with JSON, or with nil for an
	// empty answer. fault.Denied says that Slack did not send it to us.
	Take(ctx context.Context, header http.Header, body []byte) (answer []byte, err error)
}

type slackHandler struct{ interactions SlackInteractions }

// receive answers Slack. Whatever it answers but 200 shows the person who
// clicked that something went wrong, and the body to nobody.
func (h *slackHandler) receive(c *gin.Context) error {
	if h.interactions == nil {
		return newProblem(http.StatusNotFound, "slack_not_configured", "approvals in Slack are not configured here")
	}
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return unreadable(err)
	}
	answer, err := h.interactions.Take(c.Request.Context(), c.Request.Header, body)
	if fault.Is(err, fault.Denied) {
		p := newProblem(http.StatusUnauthorized, "unauthenticated", "the request is not one that Slack signed for this app")
		p.anonymous, p.cause = true, err
		return p
	}
	if err != nil {
		return err
	}
	if answer == nil {
		c.Data(http.StatusOK, "text/plain; charset=utf-8", nil)
		return nil
	}
	c.Data(http.StatusOK, "application/json", answer)
	return nil
}
