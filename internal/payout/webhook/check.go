package webhook

import (
	"context"
	"net/http"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const opCheck = "webhook.check"

// Check implements payout.Checker by two look-ups of a key that no payout has.
// The signed one must be answered by 404, which says that the receiver takes
// the signature and does not know the key. That could be said by any server
// that does not know the path, so the same look-up without a signature must be
// turned away.
func (p *Provider) Check(ctx context.Context, _ []reward.Unit) (string, error) {
	signed, failure := p.look(ctx, p.sign)
	if failure != nil {
		return "", failure
	}
	if failure := judgeSigned(signed); failure != nil {
		return "", failure
	}
	unsigned, failure := p.look(ctx, func(http.Header, string, []byte) error { return nil })
	if failure != nil {
		return "", failure
	}
	if failure := judgeUnsigned(unsigned); failure != nil {
		return "", failure
	}
	return "it takes our signature, turns away who has none, and answers look-ups", nil
}

// look asks for the key that no payout has. A look-up has no effect, so that a
// lost answer leaves no doubt.
func (p *Provider) look(ctx context.Context, sign signer) (answer, *fault.Error) {
	resp, failure := p.ask(ctx, http.MethodGet, lookupURL(p.url, payout.CheckKey), payout.CheckKey, nil, sign)
	if failure != nil {
		return answer{}, failure.OfRead()
	}
	body, err := egress.ReadBody(resp)
	if err != nil {
		return answer{}, fault.Wrap(fault.Unavailable, opCheck, fault.Message(err), err)
	}
	return answer{status: resp.StatusCode, body: body, retryAfter: egress.RetryAfter(resp.Header, p.now())}, nil
}

// judgeSigned returns what is wrong with the answer to a signed look-up.
func judgeSigned(a answer) *fault.Error {
	switch a.status {
	case http.StatusNotFound:
		return nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.New(fault.Denied, opCheck, a.words("the receiver does not accept our signature"))
	case http.StatusOK:
		return fault.New(fault.Invalid, opCheck,
			a.plain("the receiver says that it knows a key that no payout has, and must say 404: a payout that it never got would be taken for one that it has"))
	}
	return a.elsewhere("the receiver does not answer a look-up of a key that it cannot know by 404")
}

// judgeUnsigned returns what is wrong with the answer to a look-up without a
// signature. The contract wants 401; 403, and 400 for headers that are missing,
// turn it away as well.
func judgeUnsigned(a answer) *fault.Error {
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest:
		return nil
	case http.StatusNotFound:
		return fault.New(fault.Invalid, opCheck,
			a.plain("it answers a look-up with a signature and one without it alike: either nothing takes payouts at this address, or the signature is not verified"))
	}
	return a.elsewhere("a look-up without a signature is not turned away")
}

// elsewhere classifies an answer that a receiver which keeps the contract does
// not give to a look-up.
func (a answer) elsewhere(words string) *fault.Error {
	switch {
	case a.status >= 300 && a.status < 400:
		return fault.New(fault.Invalid, opCheck, a.plain("it redirects, and redirects are not followed"))
	case a.status == http.StatusTooManyRequests:
		failure := fault.New(fault.Throttled, opCheck, a.plain("the receiver asks to come back later"))
		failure.RetryAfter = a.retryAfter
		return failure
	case a.status == http.StatusRequestTimeout, a.status >= 500:
		return fault.New(fault.Unavailable, opCheck, a.words("the receiver could not answer"))
	}
	return fault.New(fault.Invalid, opCheck, a.words(words))
}
