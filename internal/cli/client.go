package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// callTimeout bounds one call of the operator API, which may wait for a
// workflow's answer.
const callTimeout = 30 * time.Second

// operatorAPI speaks to the operator API.
type operatorAPI struct {
	base  *url.URL
	token string
	agent string
	http  *http.Client
}

// operatorAPI returns a client as the flags and the environment describe it.
func (p *Program) operatorAPI() (*operatorAPI, error) {
	return p.operatorAPIAt(p.variable(urlVariable, defaultURL))
}

// operatorAPIAt takes another address where the flag names none.
func (p *Program) operatorAPIAt(address string) (*operatorAPI, error) {
	if p.url != "" {
		address = p.url
	}
	base, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, usage("the address of the operator API is not a URL such as %s: see --url and $%s", defaultURL, urlVariable)
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, usage("the address of the operator API may have no user, query or fragment: see --url and $%s", urlVariable)
	}
	token, err := p.operatorToken()
	if err != nil {
		return nil, err
	}
	return &operatorAPI{
		base:  base,
		token: token,
		agent: "rewardflow/" + p.env.Version,
		http:  egress.NewClient(egress.Options{Timeout: callTimeout}),
	}, nil
}

// operatorToken returns the token that the flags or the environment give;
// empty when none does.
func (p *Program) operatorToken() (string, error) {
	token, source := p.variable(tokenVariable, ""), "$"+tokenVariable
	switch {
	case p.token != "" && p.tokenFile != "":
		return "", usage("--token and --token-file are both given: choose one")
	case p.token != "":
		token, source = p.token, "--token"
	case p.tokenFile != "":
		data, err := os.ReadFile(p.tokenFile)
		if err != nil {
			return "", usage("the token cannot be read: %v", err)
		}
		token, source = string(data), "the file of --token-file"
		if strings.TrimSpace(token) == "" {
			return "", usage("%s is empty", source)
		}
	}
	token = strings.TrimSpace(token)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", usage("%s holds a space or a character that is not ASCII, so it is no operator token", source)
	}
	return token, nil
}

func (a *operatorAPI) get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	return a.call(ctx, http.MethodGet, path, query, nil)
}

func (a *operatorAPI) send(ctx context.Context, method, path string, body any) ([]byte, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	return a.call(ctx, method, path, nil, data)
}

// call makes one request, and returns the body of a success. Every other
// answer, and none, is a failure.
func (a *operatorAPI) call(ctx context.Context, method, path string, query url.Values, body []byte) ([]byte, error) {
	resp, err := a.do(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	answer, err := egress.ReadBody(resp)
	if err != nil {
		return nil, a.unanswered(method, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, a.refused(resp, answer)
	}
	return answer, nil
}

// do makes one request and returns whatever was answered.
func (a *operatorAPI) do(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Response, error) {
	address := a.base.JoinPath(path)
	address.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, address.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", a.agent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, a.unanswered(method, egress.Classify("operator API", err))
	}
	return resp, nil
}

// unanswered says that a request got no answer, and what that means for it.
func (a *operatorAPI) unanswered(method string, err error) *failure {
	if fault.Is(err, fault.Unavailable) {
		return &failure{
			code:    exitFailure,
			message: fmt.Sprintf("the operator API cannot be reached at %s: %s", a.base, fault.Message(err)),
			next: "start it (rewardflow api --config rewardflow.yaml, or go run ./cmd/standalone demo), " +
				"or name another address with --url or $" + urlVariable,
		}
	}
	message := fmt.Sprintf("the operator API at %s did not answer: %s", a.base, fault.Message(err))
	if method == http.MethodGet {
		return &failure{code: exitFailure, message: message, next: "rewardflow doctor"}
	}
	return &failure{
		code:    exitFailure,
		message: message + "; it may have taken the request",
		next:    "look before you send it again: rewardflow show ID, or rewardflow brake show",
		doubt:   true,
	}
}

// problem is an error as the API writes it (RFC 9457).
type problem struct {
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	RequestID string `json:"request_id"`
}

// refused turns an answer that is no success into a failure.
func (a *operatorAPI) refused(resp *http.Response, body []byte) *failure {
	var p problem
	doubt := resp.StatusCode >= http.StatusInternalServerError && resp.StatusCode != http.StatusServiceUnavailable
	if json.Unmarshal(body, &p) != nil || p.Detail == "" || p.Code == "" {
		return &failure{
			code:    exitFailure,
			message: fmt.Sprintf("%s answered %d, and not as rewardflow does", a.base, resp.StatusCode),
			next:    "check --url and $" + urlVariable + ": they name the root of the operator API",
			doubt:   doubt,
		}
	}
	f := &failure{code: exitFailure, message: plain(p.Detail), doubt: doubt}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		f.code = exitUsage
	case http.StatusUnauthorized:
		f.code, f.next = exitAuth, a.signIn(p.Code)
	case http.StatusForbidden:
		f.code, f.next = exitAuth, "use the token of an operator who holds the role"
	case http.StatusNotFound:
		f.code, f.next = exitNotFound, "rewardflow rewards list"
	case http.StatusConflict:
		f.code = exitConflict
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		f.next = "rewardflow doctor"
	default:
		f.next = "look into the log of the API, under the request ID " + plain(p.RequestID)
	}
	return f
}

func (a *operatorAPI) signIn(code string) string {
	switch {
	case code == "operators_not_configured":
		return "" // The detail says it already.
	case a.token == "":
		return "set $" + tokenVariable + " to your operator token"
	}
	return "check $" + tokenVariable + ": the configuration must list the SHA-256 of this token under operators"
}

// about makes a refusal that concerns one reward say how to look at it.
func about(id reward.ID, err error) error {
	if f, ok := errors.AsType[*failure](err); ok && f.code == exitConflict && f.next == "" {
		return &failure{code: f.code, message: f.message, next: "rewardflow why " + id.String()}
	}
	return err
}

// decode reads a document of the API.
func decode[T any](raw []byte) (T, error) {
	var document T
	if err := json.Unmarshal(raw, &document); err != nil {
		return document, &failure{
			code:    exitFailure,
			message: "the answer is not a document of rewardflow's operator API",
			next:    "check --url and $" + urlVariable + ", and that both sides have the same version (rewardflow version)",
		}
	}
	return document, nil
}
