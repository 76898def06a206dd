package paypal

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const opCheck = "paypal.check"

// payoutsScope is among the scopes of an app that has the feature Payouts. The
// answer that gives out a token lists all of the app's
// (https://developer.paypal.com/apps-scopes-and-credentials.md).
const payoutsScope = "https://uri.paypal.com/payments/payouts"

// noBatch has the form of the ID of a batch, and is none of ours.
const noBatch = "RF0CHECK00000"

// Check implements payout.Checker: it gets an access token, looks whether that
// may be used for payouts, and reads a batch that there is not. Whether the
// account may pay, and has the money, PayPal says to nobody who does not pay.
func (p *Provider) Check(ctx context.Context, _ []reward.Unit) (string, error) {
	token, failure := p.tokens.get(ctx)
	if failure != nil {
		return "", failure
	}
	if scopes := strings.Fields(token.scopes); len(scopes) > 0 && !slices.Contains(scopes, payoutsScope) {
		return "", fault.New(fault.Denied, opCheck, "PayPal accepts client_id and client_secret, and the app does not have the feature Payouts")
	}
	a, failure := p.call(ctx, http.MethodGet, p.base.JoinPath(payoutsPath, noBatch), token, payout.Request{})
	if failure != nil {
		return "", failure.OfRead()
	}
	if a.status == http.StatusUnauthorized {
		p.tokens.drop(token)
	}
	if failure := a.judgeRead(); failure != nil {
		return "", failure
	}
	words := "PayPal accepts client_id and client_secret"
	if environment(p.base.Hostname()) == "sandbox" {
		words += " of the sandbox, which moves no real money"
	}
	return words + ", and lets the app read payouts\nnot seen: whether the account may pay, and has the money, which shows with the first payout", nil
}

// judgeRead returns what is wrong with the answer to a look-up of a batch that
// there is not. That PayPal judges the permission before it looks for the
// batch is inferred from its errors, and not documented.
func (a answer) judgeRead() *fault.Error {
	d, ok := a.document()
	switch {
	case a.status == http.StatusNotFound && ok:
		return nil
	case (a.status == http.StatusBadRequest || a.status == http.StatusUnprocessableEntity) && ok && refuses(d.text("name")):
		return nil // It does not like the ID, and that was all.
	case a.status == http.StatusUnauthorized:
		return fault.New(fault.Denied, opCheck, a.words("PayPal does not take the access token that it has just given out"))
	case a.status == http.StatusForbidden:
		return fault.New(fault.Denied, opCheck, a.words("PayPal does not allow the app to use Payouts"))
	case a.status == http.StatusTooManyRequests:
		failure := fault.New(fault.Throttled, opCheck, a.words("PayPal asks to come back later"))
		failure.RetryAfter = a.retryAfter
		return failure
	case a.status == http.StatusRequestTimeout, a.status >= 500, a.bodyErr != nil:
		return fault.New(fault.Unavailable, opCheck, a.words("PayPal could not answer"))
	case a.status >= 300 && a.status < 400:
		return fault.New(fault.Invalid, opCheck, a.plain("what answers at base_url redirects, and redirects are not followed"))
	}
	return fault.New(fault.Invalid, opCheck, a.words("what answers at base_url does not answer as PayPal does"))
}
