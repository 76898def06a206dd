package paypal

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// check returns the base URL, or all that is wrong with the configuration.
func (c Config) check() (*url.URL, error) {
	var errs []error
	if c.Name == "" {
		errs = append(errs, errors.New("name: it is missing"))
	}
	if err := checkCredential(c.ClientID); err != nil {
		errs = append(errs, fmt.Errorf("client_id: %w", err))
	}
	if err := checkCredential(c.ClientSecret); err != nil {
		errs = append(errs, fmt.Errorf("client_secret: %w", err))
	}
	base, err := parseBaseURL(c.BaseURL)
	if err != nil {
		errs = append(errs, fmt.Errorf("base_url: %w", err))
	}
	if c.Timeout < 0 {
		errs = append(errs, errors.New("timeout: it is below zero"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fault.Wrap(fault.Invalid, "paypal.new",
			fmt.Sprintf("provider %q: %s", c.Name, strings.ReplaceAll(err.Error(), "\n", "; ")), err)
	}
	return base, nil
}

// checkCredential accepts what HTTP Basic authentication can carry unchanged.
func checkCredential(text string) error {
	if text == "" {
		return errors.New("it is missing")
	}
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f || c == ':' {
			return errors.New("it holds a space, a colon or a character beyond ASCII, and PayPal's have none")
		}
	}
	return nil
}

// parseBaseURL checks where the secret and the payouts go. Its errors do not
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
		return nil, errors.New("http would show the secret and the payouts to everyone between: use https")
	case base.User != nil:
		return nil, errors.New("it holds a user name or password: use client_id and client_secret")
	case strings.Trim(base.Path, "/") != "" || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("it has a path, a query or a fragment: give scheme and host only")
	}
	return &url.URL{Scheme: base.Scheme, Host: base.Host}, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
