package cli_test

import (
	"net/http"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
)

// webhookSecret is that of the world's API, and of its webhook provider.
const webhookSecret = "0123456789abcdef0123456789abcdef"

// answerAsFirstPromoter answers the list of payouts to whoever brings the key.
// Its clock is right at the root, and off by DURATION below /clock/DURATION.
func answerAsFirstPromoter(w http.ResponseWriter, r *http.Request) {
	path, now := r.URL.Path, noon()
	if rest, ok := strings.CutPrefix(path, "/clock/"); ok {
		off, more, _ := strings.Cut(rest, "/")
		d, err := time.ParseDuration(off)
		if err != nil {
			panic(err)
		}
		path, now = "/"+more, now.Add(d)
	}
	w.Header().Set("Date", now.Format(http.TimeFormat))
	if rest, ok := strings.CutPrefix(path, "/cached"); ok {
		path = rest
		w.Header().Set("Age", "3600")
	}
	switch {
	case r.Header.Get("X-Api-Key") != "the-right-key":
		w.WriteHeader(http.StatusUnauthorized)
	case path != "/payouts/list":
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = w.Write([]byte("[]"))
	}
}

// newProviders are doubles of all providers, at one address, as far as they are
// asked without paying. A call that could pay is answered 418.
func newProviders() (http.Handler, error) {
	receiver, err := sandbox.New(sandbox.Config{Secret: webhookSecret})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /rewards/", receiver)
	mux.HandleFunc("POST /v1/oauth2/token", answerAsPayPalsTokens)
	mux.HandleFunc("GET /v1/payments/payouts/", answerAsPayPal)
	mux.HandleFunc("GET /v1/", answerAsStripe)
	mux.HandleFunc("GET /api/v2/", answerAsTremendous)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	return mux, nil
}

func say(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// answerAsStripe knows two keys, one of which may not read subscriptions.
func answerAsStripe(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case key != "rk_live_whole" && key != "rk_live_half":
		say(w, http.StatusUnauthorized, `{"error":{"type":"invalid_request_error","message":"Invalid API Key provided: `+key+`"}}`)
	case key == "rk_live_half" && r.URL.Path == "/v1/subscriptions":
		say(w, http.StatusForbidden, `{"error":{"type":"invalid_request_error","message":"The provided key '`+key+
			`' lacks something. Having the 'rak_subscription_read' permission would allow this request to continue."}}`)
	case strings.HasPrefix(r.URL.Path, "/v1/customers/"):
		say(w, http.StatusNotFound, `{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such customer"}}`)
	default:
		say(w, http.StatusOK, `{"object":"list","has_more":false,"data":[]}`)
	}
}

// answerAsPayPalsTokens gives a token of an app with the feature Payouts to one
// client, and one of an app without it to another.
func answerAsPayPalsTokens(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	scope := map[string]string{"payer": "https://uri.paypal.com/payments/payouts", "poor": "https://uri.paypal.com/services/invoicing"}[id]
	if scope == "" || secret != "the-right-secret" {
		say(w, http.StatusUnauthorized, `{"error":"invalid_client","error_description":"Client Authentication failed"}`)
		return
	}
	say(w, http.StatusOK, `{"scope":"`+scope+`","access_token":"A21","token_type":"Bearer","expires_in":32400}`)
}

func answerAsPayPal(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer A21" {
		say(w, http.StatusUnauthorized, `{"name":"AUTHENTICATION_FAILURE","message":"m","debug_id":"1"}`)
		return
	}
	say(w, http.StatusNotFound, `{"name":"RESOURCE_NOT_FOUND","message":"m","debug_id":"1"}`)
}

func answerAsTremendous(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Authorization") != "Bearer PROD_right":
		say(w, http.StatusUnauthorized, `{"errors":{"message":"Unauthorized","payload":{}}}`)
	case r.URL.Path == "/api/v2/funding_sources":
		say(w, http.StatusOK, `{"funding_sources":[{"id":"GCTHLCMFVYMD","method":"balance","status":"active","usage_permissions":["api_orders"],"meta":{}}]}`)
	case r.URL.Path == "/api/v2/campaigns/CAMPAIGN1234":
		say(w, http.StatusOK, `{"campaign":{"id":"CAMPAIGN1234"}}`)
	default:
		say(w, http.StatusNotFound, `{"errors":{"message":"Not found","payload":{}}}`)
	}
}

// answerAsFront stands where a reverse proxy stands, and answers as the first
// part of the path says.
func answerAsFront(w http.ResponseWriter, r *http.Request) {
	how, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch how {
	case "redirects":
		http.Redirect(w, r, "https://elsewhere.example.com/"+rest, http.StatusMovedPermanently)
	case "takes-everything":
		w.WriteHeader(http.StatusOK)
	case "asks-who":
		w.Header().Set("WWW-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
	case "reaches-nothing":
		w.WriteHeader(http.StatusBadGateway)
	case "no-rewardflow": // A firewall, say, that does not like the body.
		http.Error(w, "Bad Request", http.StatusBadRequest)
	case "full":
		say(w, http.StatusServiceUnavailable, `{"detail":"the event was not stored: send it again","code":"not_stored"}`)
	case "basic":
		if user, password, _ := r.BasicAuth(); user != "first" || password != "pro:moter" {
			say(w, http.StatusUnauthorized, `{"detail":"the webhook's address or its credentials are wrong","code":"unauthenticated"}`)
			return
		}
		say(w, http.StatusBadRequest, `{"detail":"event.type is missing","code":"invalid"}`)
	case "hangs-up":
		panic(http.ErrAbortHandler)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}
