package firstpromoter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// DefaultBaseURL is where FirstPromoter serves its v1 API.
const DefaultBaseURL = "https://firstpromoter.com/api/v1"

const (
	defaultPerMinute = 60
	// callTimeout bounds one call of the default HTTP client.
	callTimeout = 10 * time.Second

	opPayout   = "firstpromoter.payout"
	opComplete = "firstpromoter.complete"
	opCheck    = "firstpromoter.check"
)

// Config describes a Client. Printing it in any way does not print the key.
type Config struct {
	// BaseURL is the API's address without a query; empty means DefaultBaseURL.
	BaseURL string
	// APIKey is the (legacy) API key of the account.
	APIKey string `json:"-"`
	// RequestsPerMinute bounds all calls together; zero means 60. FirstPromoter
	// documents no limit for v1, and users met one near 100.
	RequestsPerMinute int
	// HTTP makes the calls; nil means a client with a timeout of 10 seconds.
	// It is copied, and the copy follows no redirect.
	HTTP *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Format prints everything but the key, for every verb.
func (c Config) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "{BaseURL:%s APIKey:(hidden) RequestsPerMinute:%d}", c.BaseURL, c.RequestsPerMinute)
}

// LogValue logs everything but the key.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(slog.String("base_url", c.BaseURL), slog.Int("requests_per_minute", c.RequestsPerMinute))
}

// Client speaks the v1 API. All its calls share one rate limit. It is safe for
// concurrent use.
//
// Its errors are of package fault. A read that got no answer is Unavailable,
// because a read changes nothing; a write that got none is Ambiguous.
type Client struct {
	base *url.URL
	// key is a function because printing a function prints an address, however
	// deep in another struct it sits.
	key     func() string
	http    *http.Client
	limiter *rate.Limiter
	now     func() time.Time
	// wrong is why no call can be made with this configuration; nil if it can.
	wrong error
}

// NewClient returns a client. What is wrong with the configuration is the
// error of every call, so that Check can tell it.
func NewClient(cfg Config) *Client {
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if cfg.RequestsPerMinute <= 0 {
		cfg.RequestsPerMinute = defaultPerMinute
	}
	if cfg.HTTP == nil {
		cfg.HTTP = egress.NewClient(egress.Options{Timeout: callTimeout})
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	client := *cfg.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	base, wrong := readBase(cfg.BaseURL)
	key, wrongKey := readKey(cfg.APIKey)
	return &Client{
		base: base,
		key:  func() string { return key },
		http: &client,
		// A tenth of the minute's calls may come at once.
		limiter: rate.NewLimiter(rate.Limit(float64(cfg.RequestsPerMinute)/60), max(1, cfg.RequestsPerMinute/10)),
		now:     cfg.Now,
		wrong:   cmp.Or(wrong, wrongKey),
	}
}

// Left returns how many requests may be sent at once; below zero, so many wait
// for their turn.
func (c *Client) Left() float64 { return c.limiter.Tokens() }

func readKey(s string) (string, error) {
	key := strings.TrimSpace(s)
	if key == "" {
		return "", errors.New("firstpromoter.api_key is empty")
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("firstpromoter.api_key holds a space or a character that is not ASCII")
	}
	return key, nil
}

func readBase(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("firstpromoter.base_url is not a URL")
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return nil, errors.New("firstpromoter.base_url needs https:// and a host")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("firstpromoter.base_url may have no user, query or fragment")
	}
	return u, nil
}

// Payout reads the record of a reward back from FirstPromoter: it reads the
// promoter's payouts until it finds the one, those that are pending first. They
// are few, however long the promoter has been there, and what is to be paid is
// one of them. fault.NotFound is authoritative: the list of all was read to its
// end, and the record is not in it. A list that cannot be told to be complete
// is fault.Unavailable.
//
// There is no call that reads one payout by its ID
// (https://docs.firstpromoter.com, API v1, payouts).
func (c *Client) Payout(ctx context.Context, promoterID int64, id reward.ID) (Payout, error) {
	if promoterID <= 0 || id <= 0 {
		return Payout{}, fault.New(fault.Invalid, opPayout, "a look-up needs a promoter ID and a reward ID above zero")
	}
	query := url.Values{"promoter_id": {strconv.FormatInt(promoterID, 10)}, "status": {string(StatusPending)}}
	p, found, _, err := c.find(ctx, query, id)
	if found || err != nil {
		return p, err
	}
	query.Del("status")
	p, found, all, err := c.find(ctx, query, id)
	switch {
	case found || err != nil:
		return p, err
	case all.ended:
		return Payout{}, all.verdict(promoterID, id)
	}
	return Payout{}, fault.New(fault.Unavailable, opPayout,
		fmt.Sprintf("the list of payouts of promoter %d did not end within %d pages", promoterID, maxPages))
}

// find reads a list until the wanted payout is on a page, or the list ends.
func (c *Client) find(ctx context.Context, query url.Values, id reward.ID) (Payout, bool, *listing, error) {
	seen := newListing()
	for page := 1; page <= maxPages && !seen.ended; page++ {
		query.Set("page", strconv.Itoa(page))
		a, err := c.list(ctx, opPayout, query)
		if err != nil {
			return Payout{}, false, nil, err
		}
		p, found, err := seen.add(a, id)
		if found || err != nil {
			return p, found, seen, err
		}
	}
	return Payout{}, false, seen, nil
}

// Complete marks a reward as completed, which closes it, by one request that
// is never repeated. It returns the record as FirstPromoter answered it. The
// effect is unknown after fault.Ambiguous: read the record back first. After
// every other kind nothing was done; fault.NotFound says that FirstPromoter
// does not know the ID.
//
// The caller has read the record as not completed, and holds the fence: the
// call must be taken as one that is not safe to repeat.
func (c *Client) Complete(ctx context.Context, id reward.ID) (Payout, error) {
	if id <= 0 {
		return Payout{}, fault.New(fault.Invalid, opComplete, "a reward ID is above zero")
	}
	form := url.Values{"id": {id.String()}, "status": {string(StatusCompleted)}}
	a, err := c.call(ctx, opComplete, http.MethodPut, "update", form)
	if err != nil {
		return Payout{}, err
	}
	if err := c.judgeUpdate(a, id); err != nil {
		return Payout{}, err
	}
	return readPayout(readObject(a.body)), nil
}

// Check makes one cheap call and returns nil when FirstPromoter answers it and
// accepts the key. It is not repeated.
func (c *Client) Check(ctx context.Context) error {
	a, err := c.call(ctx, opCheck, http.MethodGet, "list", url.Values{"per_page": {"1"}})
	if err != nil {
		return asRead(err)
	}
	return c.judgeList(opCheck, a)
}
