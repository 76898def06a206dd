package api

import (
	"context"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// callbackPath is where providers call.
const callbackPath = "/webhooks/providers/:name"

// Callbacks takes what providers say by themselves.
type Callbacks interface {
	// Take hastens a look-up. fault.Denied says that the provider did not make
	// the callback, or that there is no such provider.
	Take(ctx context.Context, provider string, header func(name string) string, body []byte) error
}

type callbackHandler struct{ callbacks Callbacks }

// receive answers a provider's callback.
func (h *callbackHandler) receive(c *gin.Context) error {
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return unreadable(err)
	}
	err = h.callbacks.Take(c.Request.Context(), c.Param("name"), c.Request.Header.Get, body)
	if fault.Is(err, fault.Denied) {
		p := newProblem(http.StatusUnauthorized, "unauthenticated", "the callback is not signed by a provider that may call here")
		p.anonymous = true
		return p
	}
	if err != nil {
		return err
	}
	c.JSON(http.StatusAccepted, gin.H{"accepted": true})
	return nil
}
