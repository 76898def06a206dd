package tremendous

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// check returns the base URL, or all that is wrong with the configuration.
func (c Config) check() (*url.URL, error) {
	var errs []error
	if c.Name == "" {
		errs = append(errs, errors.New("name: it is missing"))
	}
	if err := checkAPIKey(c.APIKey); err != nil {
		errs = append(errs, fmt.Errorf("api_key: %w", err))
	}
	base, err := parseBaseURL(c.BaseURL)
	if err != nil {
		errs = append(errs, fmt.Errorf("base_url: %w", err))
	}
	if c.CampaignID == "" && len(c.Products) == 0 {
		errs = append(errs, errors.New("campaign_id: it is missing, and so is products: Tremendous must know what the receiver can choose from"))
	}
	if c.CampaignID != "" && !isID(c.CampaignID) {
		errs = append(errs, errors.New("campaign_id: it is not an ID of Tremendous, which has letters and digits"))
	}
	if slices.ContainsFunc(c.Products, isNoID) {
		errs = append(errs, errors.New("products: one of them is not an ID of Tremendous, which has letters and digits"))
	}
	if !isID(c.FundingSourceID) {
		errs = append(errs, errors.New("funding_source_id: it is neither "+Balance+" nor an ID of Tremendous, which has letters and digits"))
	}
	if c.Timeout < 0 {
		errs = append(errs, errors.New("timeout: it is below zero"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fault.Wrap(fault.Invalid, "tremendous.new",
			fmt.Sprintf("provider %q: %s", c.Name, strings.ReplaceAll(err.Error(), "\n", "; ")), err)
	}
	return base, nil
}

// checkAPIKey accepts what a header can carry.
func checkAPIKey(text string) error {
	if text == "" {
		return errors.New("it is missing")
	}
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("it holds a space or a character beyond ASCII, and Tremendous's have none")
		}
	}
	return nil
}

// isID accepts Tremendous's IDs and the word balance. Documented are 4 to 20
// capital letters and digits; what a JSON text and a path carry unchanged is
// enough for us.
func isID(text string) bool {
	for _, c := range []byte(text) {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return text != "" && len(text) <= 64
}

func isNoID(text string) bool { return !isID(text) }

// parseBaseURL checks where the API key and the orders go. Its errors do not
// repeat the URL.
func parseBaseURL(text string) (*url.URL, error) {
	if text == "" {
		text = DefaultBaseURL
	}
	base, err := url.Parse(text)
	switch {
	case err != nil || base.Hostname() == "":
		return nil, errors.New("it is not an absolute URL such as " + DefaultBaseURL)
	case base.Scheme != "https" && base.Scheme != "http":
		return nil, errors.New("its scheme is neither https nor http")
	case base.Scheme == "http" && !isLoopback(base.Hostname()):
		return nil, errors.New("http would show the API key and the orders to everyone between: use https")
	case base.User != nil:
		return nil, errors.New("it holds a user name or password: use api_key")
	case base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("it has a query or a fragment: give scheme, host and path only")
	case strings.Trim(base.Path, "/") == "":
		return nil, errors.New("it has no path: Tremendous's API is at " + DefaultBaseURL)
	}
	return &url.URL{Scheme: base.Scheme, Host: base.Host, Path: base.Path}, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
