package api

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// problem is an error as its caller sees it: RFC 9457. As an error it is an
// answer that a handler chose itself; every other error is projected by its
// kind.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Code is for programs. It never changes.
	Code      string `json:"code"`
	RequestID string `json:"request_id,omitempty"`

	// anonymous leaves the request's ID out, so that two answers cannot be
	// told apart.
	anonymous  bool
	retryAfter time.Duration
	cause      error
}

// Error is for the log.
func (p *problem) Error() string {
	if p.cause != nil {
		return p.Detail + ": " + p.cause.Error()
	}
	return p.Detail
}

// Unwrap returns the cause.
func (p *problem) Unwrap() error { return p.cause }

// pause is what a caller is asked to wait when nobody knows better.
const pause = 30 * time.Second

// newProblem returns an answer that no kind of failure stands for. The detail
// is shown to the caller.
func newProblem(status int, code, detail string) *problem {
	p := &problem{
		Type:   "urn:rewardflow:problem:" + code,
		Title:  http.StatusText(status),
		Status: status,
		Detail: detail,
		Code:   code,
	}
	if status == http.StatusServiceUnavailable {
		p.retryAfter = pause
	}
	return p
}

// opaque tells nothing but where to look.
func opaque() *problem {
	return newProblem(http.StatusInternalServerError, string(fault.Internal),
		"something went wrong here: the log has more, under the request ID")
}

// invalid says what is wrong with a request.
func invalid(message string) error {
	return fault.New(fault.Invalid, "api", message)
}

// fail answers every request with the same problem.
func fail(p *problem) gin.HandlerFunc {
	return func(c *gin.Context) { _ = c.Error(p) }
}

// renderProblems turns the last error that a request left into its answer. It
// is the one place that decides what a caller may learn.
func (e *edge) renderProblems(c *gin.Context) {
	c.Next()
	last := c.Errors.Last()
	if last == nil {
		return
	}
	p := problemOf(last.Err)
	e.logProblem(c, p, last.Err)
	if c.Writer.Written() {
		return
	}
	answer := *p // The original may be shared by many requests.
	if !answer.anonymous {
		answer.RequestID = requestID(c)
	}
	if answer.retryAfter > 0 {
		c.Header("Retry-After", strconv.FormatInt(int64((answer.retryAfter+time.Second-1)/time.Second), 10))
	}
	body, err := json.Marshal(answer)
	if err != nil {
		body = []byte("{}") // Cannot happen: the fields are strings and a number.
	}
	c.Data(answer.Status, "application/problem+json", body)
}

// problemOf projects an error onto its answer.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	kind := fault.KindOf(err)
	p := newProblem(statusOf(kind), string(kind), fault.Message(err))
	if p.Status == http.StatusInternalServerError {
		p = opaque()
	}
	if after := fault.RetryAfter(err); after > 0 {
		p.retryAfter = after
	}
	return p
}

// statusOf has no default on purpose: a new kind of failure must be answered
// by a decision, and until then it is opaque.
func statusOf(kind fault.Kind) int {
	switch kind {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict, fault.Declined:
		return http.StatusConflict
	case fault.Denied:
		return http.StatusForbidden
	case fault.Throttled:
		return http.StatusTooManyRequests
	case fault.Unavailable, fault.Ambiguous:
		return http.StatusServiceUnavailable
	case fault.Internal:
	}
	return http.StatusInternalServerError
}

// logProblem writes what the caller does not see. A caller's mistake is the
// access log's matter.
func (e *edge) logProblem(c *gin.Context, p *problem, err error) {
	if p.Status < http.StatusInternalServerError {
		return
	}
	level := slog.LevelError
	if c.Request.Context().Err() != nil {
		level = slog.LevelWarn // The caller went away, which fails most things.
	}
	e.log.LogAttrs(c.Request.Context(), level, "request.failed",
		slog.String("route", routeOf(c)),
		slog.String("request_id", requestID(c)),
		slog.Int("status", p.Status),
		slog.String("code", p.Code),
		slog.String("error", err.Error()))
}
