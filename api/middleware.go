package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// rewardsPath begins the routes of one reward.
const rewardsPath = "/api/v1/rewards/"

// maxBody is how many bytes a request may bring, on every route.
const maxBody = 1 << 20

// requestIDHeader brings a request's ID in and out.
const requestIDHeader = "X-Request-ID"

// identifyRequest gives a request its ID: the caller's own when it is fit to
// stand in a log, else a new one. It also takes gin's default answer away,
// which is 200: here 200 must be said.
func identifyRequest(c *gin.Context) {
	c.Status(defaultStatus(c))
	id := c.GetHeader(requestIDHeader)
	if !plainToken(id) {
		id = newID()
	}
	c.Set(requestIDHeader, id)
	c.Header(requestIDHeader, id)
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Cache-Control", "no-store")
	c.Next()
}

// defaultStatus is the answer to a request that nobody answers. On the
// webhook's route it asks FirstPromoter to send again.
func defaultStatus(c *gin.Context) int {
	if onWebhook(c) {
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func onWebhook(c *gin.Context) bool {
	return c.FullPath() == webhookPath || c.FullPath() == webhookRoot
}

func requestID(c *gin.Context) string { return c.GetString(requestIDHeader) }

// newID returns a UUID of version 7, or of version 4 should that ever fail.
func newID() string {
	if id, err := uuid.NewV7(); err == nil {
		return id.String()
	}
	return uuid.NewString()
}

// plainToken reports whether s is 8 to 64 letters, digits, "_" and "-".
func plainToken(s string) bool {
	if len(s) < 8 || len(s) > 64 {
		return false
	}
	for _, b := range []byte(s) {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '_', b == '-':
		default:
			return false
		}
	}
	return true
}

// routeOf returns the template of a request's route, never its path: the path
// may hold the webhook's secret.
func routeOf(c *gin.Context) string {
	if p := c.FullPath(); p != "" {
		return p
	}
	return unmatched
}

// unmatched stands for the route of a request that met none.
const unmatched = "unmatched"

// observe counts a request and writes its line of the access log.
func (e *edge) observe(c *gin.Context) {
	start := e.now()
	c.Next()
	status := c.Writer.Status()
	e.metrics.answered(routeOf(c), status)
	if onWebhook(c) && !probed(c, status) {
		e.metrics.answeredWebhook(status, takenOf(c))
		e.countUnstored(c, status)
	}

	level := slog.LevelInfo
	switch c.FullPath() {
	case livezPath, readyzPath, metricsPath:
		level = slog.LevelDebug // Machines ask these all day.
	}
	attrs := []slog.Attr{
		slog.String("method", methodOf(c.Request)),
		slog.String("route", routeOf(c)),
		slog.Int("status", status),
		slog.Duration("duration", e.now().Sub(start)),
		slog.String("request_id", requestID(c)),
	}
	if id := rewardOf(c); id != 0 {
		attrs = append(attrs, slog.Int64("reward_id", int64(id)))
	}
	if who := principalOf(c); who.Name != "" {
		attrs = append(attrs, slog.String("principal", who.Name))
	}
	e.log.LogAttrs(c.Request.Context(), level, "request.answered", attrs...)
}

// rewardOf returns the reward that a request is about, by its path or by the
// event that it brought; zero for every other request.
func rewardOf(c *gin.Context) reward.ID {
	if onWebhook(c) {
		return takenOf(c).RewardID
	}
	if !strings.HasPrefix(c.FullPath(), rewardsPath) {
		return 0
	}
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 0 {
		return 0
	}
	return reward.ID(id)
}

// methodOf returns a method of HTTP; a caller may send any word in its place.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	}
	return "_OTHER"
}

// recoverPanics makes a panic an error like any other.
func recoverPanics(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v) // It asks net/http to cut the connection.
		}
		c.Abort()
		p := opaque()
		if onWebhook(c) {
			p = notStored(nil)
		}
		p.cause = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		_ = c.Error(p)
	}()
	c.Next()
}

// refuseCrossOrigin refuses what a page of another origin makes a browser
// send. Programs, FirstPromoter among them, send neither of the headers that
// it judges by, and pass.
func refuseCrossOrigin(protection *http.CrossOriginProtection) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := protection.Check(c.Request); err != nil {
			c.Abort()
			p := newProblem(http.StatusForbidden, "cross_origin",
				"a browser sent this for a page of another origin, and such requests are refused")
			p.cause = err
			_ = c.Error(p)
			return
		}
		c.Next()
	}
}

// limitBody bounds what any handler can read.
func limitBody(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody)
	c.Next()
}

// unreadable says why a body could not be read.
func unreadable(err error) error {
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return newProblem(http.StatusRequestEntityTooLarge, "body_too_large",
			fmt.Sprintf("the body is longer than %d bytes", maxBody))
	}
	return invalid("the body broke off")
}
