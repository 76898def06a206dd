package firstpromoter

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
)

const (
	// readTries is how often a read is made at most. A write is made once.
	readTries = 3
	// firstPause is the pause before the second try of a read; it doubles.
	firstPause = 200 * time.Millisecond
	// longestPause is how long a read waits for its next try. Who is asked to
	// wait for longer gives up, and the caller comes back later.
	longestPause = 5 * time.Second
)

// answer is what FirstPromoter said.
type answer struct {
	status int
	header http.Header
	body   []byte
	// broken is why the body could not be read to its end; nil if it could.
	broken error
}

// list reads one page, with a few tries.
func (c *Client) list(ctx context.Context, op string, query url.Values) (answer, error) {
	for try := 1; ; try++ {
		a, err := c.call(ctx, op, http.MethodGet, "list", query)
		if err == nil {
			err = c.judgeList(op, a)
		}
		if err == nil {
			return a, nil
		}
		err = asRead(err)
		if try == readTries || !pauseBeforeNext(ctx, try, err) {
			return answer{}, err
		}
	}
}

// asRead classifies the failure of a read.
func asRead(err error) error {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.OfRead()
	}
	return err
}

// pauseBeforeNext waits and reports whether another try makes sense.
func pauseBeforeNext(ctx context.Context, try int, err error) bool {
	if !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Throttled) {
		return false
	}
	pause := firstPause << (try - 1)
	pause = max(pause/2+rand.N(pause/2), fault.RetryAfter(err)) //nolint:gosec // Jitter needs no secrecy.
	if pause > longestPause {
		return false
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < pause {
		return false
	}
	return wait(ctx, pause) == nil
}

// call makes one request, once the rate limit admits it. Parameters go as
// key-value pairs, which is all that v1 takes: in the query of a GET, in the
// body of a PUT. (net/http sends a PUT again by itself only when not one byte
// of it was written.)
func (c *Client) call(ctx context.Context, op, method, action string, params url.Values) (answer, error) {
	if c.wrong != nil {
		return answer{}, fault.Wrap(fault.Invalid, op, "FirstPromoter cannot be called: "+c.wrong.Error(), c.wrong)
	}
	if err := c.admit(ctx, op); err != nil {
		return answer{}, err
	}
	req, err := c.request(ctx, method, action, params)
	if err != nil {
		return answer{}, fault.Wrap(fault.Internal, op, "the request cannot be made", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, egress.Classify(op, withoutURL(err))
	}
	body, err := egress.ReadBody(resp)
	return answer{status: resp.StatusCode, header: resp.Header, body: body, broken: err}, nil
}

func (c *Client) request(ctx context.Context, method, action string, params url.Values) (*http.Request, error) {
	target := c.base.JoinPath("payouts", action)
	body := ""
	if method == http.MethodGet {
		target.RawQuery = params.Encode()
	} else {
		body = params.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-API-KEY", c.key())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "rewardflow")
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, nil
}

// withoutURL strips what net/http puts around an error: the full URL.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// admit waits for the rate limit. A wait that would outlast the deadline is
// not begun: nothing was sent, and the caller learns when to come back.
func (c *Client) admit(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Unavailable, op, "the call was given up before anything was sent", err)
	}
	now := c.now()
	slot := c.limiter.ReserveN(now, 1)
	pause := slot.DelayFrom(now)
	if deadline, ok := ctx.Deadline(); ok && pause > time.Until(deadline) {
		slot.CancelAt(now)
		return &fault.Error{
			Kind: fault.Throttled, Op: op, RetryAfter: pause,
			Message: "firstpromoter.requests_per_minute is used up for now; nothing was sent",
		}
	}
	if err := wait(ctx, pause); err != nil {
		slot.CancelAt(c.now())
		return fault.Wrap(fault.Unavailable, op, "the call was given up before anything was sent", err)
	}
	return nil
}

// wait returns after the pause, or with the context's error before.
func wait(ctx context.Context, pause time.Duration) error {
	if pause <= 0 {
		return nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
