package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
)

// checkWebhook goes FirstPromoter's way in, with its secret and what is no
// event. The secret, which is the last part of the path, is in no answer.
func (p *Program) checkWebhook(ctx context.Context, cfg *config.Config) (string, error) {
	if cfg.PublicURL == "" {
		return "", skipped("public_url is not set, so the address that FirstPromoter calls is not known here\n" +
			"it is https://HOST/webhooks/firstpromoter/ and firstpromoter.webhook_secret; " +
			"to ask it: REWARDFLOW_PUBLIC_URL=https://HOST rewardflow doctor")
	}
	shown := cfg.PublicURL + "/webhooks/firstpromoter/***"
	resp, body, err := probe(ctx, cfg, "rewardflow/"+p.env.Version)
	if err != nil {
		return "", &failure{
			message: shown + ": " + fault.Message(err),
			next: "see that the name leads to your proxy, that it listens there, and that its certificate is right; " +
				"where this machine may not go out and in again, ask from another one",
		}
	}
	a := webhookAnswer{status: resp.StatusCode, location: resp.Header.Get("Location")}
	var said problem
	if json.Unmarshal(body, &said) == nil {
		a.code = said.Code
	}
	words, next := a.verdict()
	if next == "" {
		return shown + " " + words, nil
	}
	return "", &failure{message: shown + " " + words, next: next}
}

// probe sends what is no event. Its error is classified, and names no address.
func probe(ctx context.Context, cfg *config.Config, agent string) (*http.Response, []byte, error) {
	const op = "doctor.webhook"
	base, err := url.Parse(cfg.PublicURL)
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, op, "public_url is not a URL")
	}
	target := base.JoinPath("webhooks", "firstpromoter", cfg.FirstPromoter.WebhookSecret.Reveal())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(api.ProbeBody))
	if err != nil {
		return nil, nil, fault.New(fault.Internal, op, "the request cannot be made")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", agent)
	req.Header.Set(api.ProbeHeader, "doctor")
	if user, password, ok := strings.Cut(cfg.FirstPromoter.BasicAuth.Reveal(), ":"); ok {
		req.SetBasicAuth(user, password)
	}
	resp, err := egress.NewClient(egress.Options{}).Do(req)
	if err != nil {
		return nil, nil, egress.Classify(op, err)
	}
	body, err := egress.ReadBody(resp)
	if err != nil {
		return nil, nil, err
	}
	return resp, body, nil
}

// The codes of the problems that rewardflow answers a webhook with; they never
// change.
const (
	codeNoEvent         = "invalid"
	codeUnauthenticated = "unauthenticated"
	codeNotStored       = "not_stored"
	codeOvercrowded     = "overcrowded"
)

// webhookAnswer is what came back from the webhook's address.
type webhookAnswer struct {
	status int
	// code is that of a problem document, which tells rewardflow's own answer from
	// one of something in front of it; empty for the latter.
	code     string
	location string
}

// verdict says what an answer means, and what to do; nothing where all is well.
func (a webhookAnswer) verdict() (words, next string) {
	switch {
	case a.code == codeNoEvent:
		return "leads to rewardflow, which knows the secret", ""
	case a.code == codeUnauthenticated:
		return "leads to rewardflow, which refuses the secret or firstpromoter.basic_auth (it counts this as a forged webhook)",
			"restart the API where one of them was changed; see that no proxy takes the last part of the path or the header Authorization away"
	case a.code == codeNotStored, a.code == codeOvercrowded:
		return "leads to rewardflow, which cannot take events now", "look into the log of the API, and see whether its disk is full"
	case a.status >= 200 && a.status < 300:
		return fmt.Sprintf("takes what is no event (status %d), so something else than rewardflow answers there; "+
				"a 200 tells FirstPromoter that a reward is fulfilled", a.status),
			"have your proxy pass /webhooks/firstpromoter/ on to rewardflow, before FirstPromoter sends anything there"
	case a.status >= 300 && a.status < 400:
		return fmt.Sprintf("redirects%s (status %d), and nobody promises that FirstPromoter follows", to(a.location), a.status),
			"have your proxy pass the path on to rewardflow at this very address, or set public_url, and the URL at FirstPromoter, to where it leads"
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		return fmt.Sprintf("is turned away before it comes to rewardflow (status %d)", a.status),
			"have your proxy pass /webhooks/firstpromoter/ on without asking who calls: FirstPromoter has no account there"
	case a.status == http.StatusNotFound, a.status == http.StatusMethodNotAllowed:
		return fmt.Sprintf("is not passed on to rewardflow (status %d)", a.status),
			"have your proxy pass /webhooks/firstpromoter/ on to rewardflow, with the whole path"
	case a.status >= http.StatusInternalServerError:
		return fmt.Sprintf("leads to something that does not reach rewardflow (status %d)", a.status),
			"see that the API runs, and that your proxy names its address"
	}
	return fmt.Sprintf("is answered %d, and not as rewardflow does", a.status), "see what your proxy does with POST /webhooks/firstpromoter/"
}

// to names the host that a redirect leads to, without its path, which may hold
// the secret.
func to(location string) string {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" {
		return ""
	}
	return " to " + plain(u.Scheme+"://"+u.Host)
}
