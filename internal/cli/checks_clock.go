package cli

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// From when on a clock that differs from another's is told, and from when on it
// is wrong. What it breaks at last is signatures: Standard Webhooks' libraries,
// Slack, and rewardflow itself refuse one that is five minutes off
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
const (
	clockOdd   = 5 * time.Second
	clockWrong = time.Minute
)

// clock compares this machine's clock with that of a server whose answers pass
// through it.
type clock struct {
	now func() time.Time
	// last is what the last answer that told a time said.
	last reading
}

// reading is the time in an answer's Date header, which is cut to the second,
// and this machine's when the request left and when the answer began.
type reading struct{ sent, received, server time.Time }

// watch returns a client whose answers are read for their time.
func (c *clock) watch(client *http.Client) *http.Client {
	watched := *client
	watched.Transport = watching{base: client.Transport, clock: c}
	return &watched
}

type watching struct {
	base  http.RoundTripper
	clock *clock
}

// RoundTrip implements http.RoundTripper.
func (w watching) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := w.clock.now()
	resp, err := w.base.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	// An answer that a cache has kept (RFC 9111) tells an old time.
	if server, unread := http.ParseTime(resp.Header.Get("Date")); unread == nil && resp.Header.Get("Age") == "" {
		w.clock.last = reading{sent: sent, received: w.clock.now(), server: server}
	}
	return resp, nil
}

// ahead returns the bounds between which this machine's clock is ahead of the
// server's; below zero it is behind. The server looked at its clock at some
// moment between sent and received, and cut off up to a second.
func (r reading) ahead() (least, most time.Duration) {
	return r.sent.Sub(r.server) - time.Second, r.received.Sub(r.server)
}

// check tells by how much the clock surely differs.
func (c *clock) check(context.Context) (string, error) {
	if c.last.server.IsZero() {
		return "", skipped("FirstPromoter did not say what time it is, so there is no clock to compare with")
	}
	least, most := c.last.ahead()
	off, word := time.Duration(0), ""
	switch {
	case least > 0:
		off, word = least, "ahead of"
	case most < 0:
		off, word = -most, "behind"
	}
	words := fmt.Sprintf("it is at least %s %s FirstPromoter's", off.Truncate(time.Second), word)
	switch {
	case off < clockOdd:
		return fmt.Sprintf("it agrees with FirstPromoter's, to %s", (max(-least, most) + time.Second - 1).Truncate(time.Second)), nil
	case off < clockWrong:
		return words + "\nnote: have a time service set it; from 5 minutes on, signatures are refused", nil
	}
	return "", &failure{
		message: words,
		next: "have a time service set it (timedatectl set-ntp true, or chrony): from 5 minutes on, receivers of signed webhooks " +
			"refuse payouts and messages, and callbacks and Slack's clicks are refused here",
	}
}
