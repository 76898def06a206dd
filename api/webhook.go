package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

// Intake takes responsibility for events.
type Intake interface {
	// Accept stores an event for good. Fulfilled says that the event's reward
	// is paid and that its close is claimed for the answer; WorkflowID names
	// the workflow that carries the event, and may be empty. An error of kind
	// Invalid says that the event is unusable; every other error says that it
	// was not stored. What comes with an error is what the body said. The trace
	// context of the delivery is ctx's.
	Accept(ctx context.Context, body []byte) (ledger.Taken, error)
}

// webhookHandler takes FirstPromoter's events in.
type webhookHandler struct {
	intake Intake
	secret [32]byte // SHA-256, so that a comparison tells nothing of the length.
	basic  [32]byte
	// withBasic says that basic auth is asked for.
	withBasic bool
	gate      *gate
}

func newWebhookHandler(cfg Config, in Intake) *webhookHandler {
	return &webhookHandler{
		intake:    in,
		secret:    sha256.Sum256([]byte(cfg.WebhookSecret)),
		basic:     sha256.Sum256([]byte(cfg.BasicAuth)),
		withBasic: cfg.BasicAuth != "",
		gate:      newGate(maxInside, maxWaiting, maxWait),
	}
}

// webhookAnswers are all statuses that FirstPromoter can get.
func webhookAnswers() []int {
	return []int{
		http.StatusOK, http.StatusAccepted, http.StatusBadRequest, http.StatusUnauthorized,
		http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable,
	}
}

// accepted is the body of an answer to a webhook.
type accepted struct {
	Fulfilled  bool   `json:"fulfilled"`
	WorkflowID string `json:"workflow_id,omitempty"`
}

// receive answers a webhook. The answer is the protocol: exactly 200 means,
// for ever, that the reward is fulfilled, so it is said in one place and of
// nothing else. Any other 2xx leaves the reward pending, and anything else is
// sent again. See https://docs.firstpromoter.com.
func (h *webhookHandler) receive(c *gin.Context) error {
	if !h.genuine(c) {
		return unauthorized(c)
	}
	if err := h.gate.enter(c.Request.Context()); err != nil {
		return err
	}
	defer h.gate.leave()
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return unreadable(err)
	}
	taken, err := h.intake.Accept(c.Request.Context(), body)
	c.Set(takenKey, taken)
	if err != nil {
		return refusedEvent(err)
	}
	status := http.StatusAccepted
	if taken.Fulfilled {
		status = http.StatusOK
	}
	c.JSON(status, accepted{Fulfilled: taken.Fulfilled, WorkflowID: taken.WorkflowID})
	return nil
}

// genuine compares both credentials whatever the first comparison said.
func (h *webhookHandler) genuine(c *gin.Context) bool {
	given := sha256.Sum256([]byte(strings.TrimPrefix(c.Param("secret"), "/")))
	same := subtle.ConstantTimeCompare(given[:], h.secret[:])
	if h.withBasic {
		user, password, _ := c.Request.BasicAuth()
		sum := sha256.Sum256([]byte(user + ":" + password))
		same &= subtle.ConstantTimeCompare(sum[:], h.basic[:])
	}
	return same == 1
}

// unauthorized is the same for every cause, byte for byte.
func unauthorized(c *gin.Context) error {
	c.Header("WWW-Authenticate", `Basic realm="rewardflow"`)
	p := newProblem(http.StatusUnauthorized, "unauthenticated", "the webhook's address or its credentials are wrong")
	p.anonymous = true
	return p
}

// refusedEvent tells an event that is unusable for ever from one that could
// not be stored now. Everything that is not surely the former is the latter:
// FirstPromoter then sends it again, and nothing is lost.
func refusedEvent(err error) error {
	if fault.Is(err, fault.Invalid) {
		return err
	}
	return notStored(err)
}

func notStored(cause error) *problem {
	p := newProblem(http.StatusServiceUnavailable, "not_stored", "the event was not stored: send it again")
	p.cause = cause
	return p
}
