package tremendous

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const opCheck = "tremendous.check"

// fundingPath lists what can pay, and a campaign is at campaignsPath/<ID>
// (https://developers.tremendous.com/docs/paying-for-orders).
const (
	fundingPath   = "funding_sources"
	campaignsPath = "campaigns"
)

// source is what Tremendous says about a funding source. Other fields, its
// balance among them, are ignored.
type source struct {
	ID     string `json:"id"`
	Method string `json:"method"`
	Status string `json:"status"`
	// Uses are what it may pay for; absent in older answers.
	Uses []string `json:"usage_permissions"`
}

// The status of a source that pays, and the use that an order over the API is.
const (
	sourceActive = "active"
	useOrders    = "api_orders"
)

// Check implements payout.Checker: it reads the funding source and the campaign
// that orders name. Whether the API key may create orders, and the source covers
// them, Tremendous says to nobody who does not order.
func (p *Provider) Check(ctx context.Context, _ []reward.Unit) (string, error) {
	a, failure := p.read(ctx, fundingPath)
	if failure == nil {
		failure = a.judgeRead()
	}
	if failure == nil {
		failure = a.judgeSources(p.funding)
	}
	if failure != nil {
		return "", failure
	}
	words := "Tremendous accepts the API key, and the funding source is there"
	if p.campaign != "" {
		if failure := p.checkCampaign(ctx); failure != nil {
			return "", failure
		}
		words = "Tremendous accepts the API key, and the funding source and the campaign are there"
	}
	if strings.HasPrefix(p.base.Hostname(), "testflight.") {
		words += ", in the sandbox, which moves no real money"
	}
	return words + "\nnot seen: whether the key may order, and the money is there, which shows with the first payout", nil
}

func (p *Provider) checkCampaign(ctx context.Context) *fault.Error {
	a, failure := p.read(ctx, campaignsPath, p.campaign)
	switch _, ok := a.document(); {
	case failure != nil:
		return failure
	case a.status == http.StatusNotFound && ok:
		return fault.New(fault.NotFound, opCheck, a.words("Tremendous does not know the campaign of campaign_id"))
	}
	return a.judgeRead()
}

// read reads something. That leaves no doubt, whatever becomes of the answer.
func (p *Provider) read(ctx context.Context, path ...string) (answer, *fault.Error) {
	a, failure := p.call(ctx, http.MethodGet, p.base.JoinPath(path...), nil)
	return a, failure.OfRead()
}

// judgeRead returns what is wrong with the answer to a read; nil for a 200 that
// is whole.
func (a answer) judgeRead() *fault.Error {
	switch {
	case a.bodyErr != nil:
		return fault.Wrap(fault.Unavailable, opCheck, fault.Message(a.bodyErr), a.bodyErr)
	case a.status == http.StatusOK:
		return nil
	case a.status == http.StatusUnauthorized:
		return fault.New(fault.Denied, opCheck,
			a.words("Tremendous does not accept the API key: check that it and base_url are of the same environment, live or sandbox"))
	case a.status == http.StatusForbidden:
		return fault.New(fault.Denied, opCheck, a.words("Tremendous does not allow this API key to read what orders need"))
	case a.status == http.StatusTooManyRequests:
		failure := fault.New(fault.Throttled, opCheck, a.words("Tremendous asks to come back later"))
		failure.RetryAfter = a.retryAfter
		return failure
	case a.status == http.StatusRequestTimeout, a.status >= 500:
		return fault.New(fault.Unavailable, opCheck, a.words("Tremendous could not answer"))
	case a.status >= 300 && a.status < 400:
		return fault.New(fault.Invalid, opCheck, a.plain("what answers at base_url redirects, and redirects are not followed"))
	}
	return fault.New(fault.Invalid, opCheck, a.words("what answers at base_url does not answer as Tremendous does"))
}

// judgeSources looks for the funding source among those in the answer.
func (a answer) judgeSources(funding string) *fault.Error {
	var listed struct {
		Sources []source `json:"funding_sources"`
	}
	if json.Unmarshal(a.body, &listed) != nil || listed.Sources == nil {
		return fault.New(fault.Invalid, opCheck, a.plain("what answers at base_url does not answer as Tremendous does"))
	}
	at := slices.IndexFunc(listed.Sources, func(s source) bool {
		return s.ID == funding || strings.EqualFold(funding, Balance) && s.Method == Balance
	})
	if at < 0 {
		return fault.New(fault.NotFound, opCheck, "Tremendous lists no funding source as funding_source_id names it")
	}
	switch s := listed.Sources[at]; {
	case s.Status != "" && s.Status != sourceActive:
		return fault.New(fault.Declined, opCheck, "Tremendous does not let the funding source pay: it is "+payout.PlainWords(s.Status))
	case len(s.Uses) > 0 && !slices.Contains(s.Uses, useOrders):
		return fault.New(fault.Declined, opCheck, "Tremendous does not let the funding source pay for orders that come over the API")
	}
	return nil
}
