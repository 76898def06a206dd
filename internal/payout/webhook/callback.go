package webhook

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

const (
	// callbackType is the type of the one callback that is understood.
	callbackType = "reward.payout.updated"
	// tolerance is how far a callback's time may be from now, which bounds how
	// long one can be played again (Standard Webhooks recommends five minutes).
	tolerance = 5 * time.Minute
)

// Heard implements payout.Caller: the receiver says, with the headers and any
// one of the secrets of Standard Webhooks, that a payout has changed.
func (p *Provider) Heard(header func(name string) string, body []byte) (string, error) {
	const op = "webhook.heard"
	if !p.signed(header, body) {
		return "", fault.New(fault.Denied, op, "the callback is not signed with a secret of the provider "+p.name+", or its clock is off")
	}
	var callback struct {
		Type string `json:"type"`
		Data struct {
			Key string `json:"key"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &callback); err != nil {
		return "", fault.Wrap(fault.Invalid, op, "the callback is not a JSON document", err)
	}
	if callback.Type != callbackType || !payout.UsableKey(callback.Data.Key) {
		return "", fault.New(fault.Invalid, op, `the callback is not {"type":"`+callbackType+`","data":{"key":"..."}}`)
	}
	return callback.Data.Key, nil
}

// signed reports whether one of the secrets made the signature, a moment ago.
func (p *Provider) signed(header func(name string) string, body []byte) bool {
	seconds, err := strconv.ParseInt(header(standardwebhooks.HeaderWebhookTimestamp), 10, 64)
	if err != nil || p.now().Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return false
	}
	h := http.Header{}
	for _, name := range []string{
		standardwebhooks.HeaderWebhookID, standardwebhooks.HeaderWebhookTimestamp, standardwebhooks.HeaderWebhookSignature,
	} {
		h.Set(name, header(name))
	}
	for _, signer := range p.signers {
		if signer.VerifyIgnoringTimestamp(body, h) == nil {
			return true
		}
	}
	return false
}
