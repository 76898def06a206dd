package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// minSecret is the least length of a signing key in bytes that the Standard
// Webhooks specification allows
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
const minSecret = 24

// secretPrefix marks a secret that is written in base64.
const secretPrefix = "whsec_"

// parseURL checks what the POST goes to. Its errors do not repeat the URL,
// because some services put a secret into it.
func parseURL(text string, allowPrivate bool) (*url.URL, error) {
	target, err := url.Parse(text)
	switch {
	case text == "":
		return nil, errors.New("url: it is missing")
	case err != nil || target.Hostname() == "":
		return nil, errors.New("url: it is not an absolute URL such as https://billing.example.com/rewards")
	case target.Scheme != "https" && target.Scheme != "http":
		return nil, errors.New("url: its scheme is neither https nor http")
	case target.User != nil:
		return nil, errors.New("url: it holds a user name or password, and the signature is the only credential that is sent")
	case target.Fragment != "":
		return nil, errors.New("url: it has a fragment (#), which no server receives")
	case target.Scheme == "http" && !allowPrivate:
		return nil, errors.New("url: http is for private networks only: use https, or set allow_private_networks")
	}
	address, err := netip.ParseAddr(target.Hostname())
	if err != nil {
		return target, nil // A name. Where it leads is judged when it is dialled.
	}
	private := isPrivate(address)
	if private && !allowPrivate {
		return nil, errors.New("url: its address is in a private network: set allow_private_networks to permit it")
	}
	if !private && target.Scheme == "http" {
		return nil, errors.New("url: http to a public address would show promoters' data to everyone between: use https")
	}
	return target, nil
}

func isPrivate(a netip.Addr) bool {
	a = a.Unmap()
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10) // RFC 6598; overlay networks use it.
	return shared.Contains(a) || a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified()
}

// parseSecrets returns a signer for each secret, in their order.
func parseSecrets(secrets []string) ([]*standardwebhooks.Webhook, error) {
	signers := make([]*standardwebhooks.Webhook, 0, len(secrets))
	var errs []error
	for i, secret := range secrets {
		signer, err := parseSecret(secret)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", secretName(i), err))
			continue
		}
		signers = append(signers, signer)
	}
	return signers, errors.Join(errs...)
}

func secretName(i int) string {
	if i == 0 {
		return "secret"
	}
	return fmt.Sprintf("other secret %d", i)
}

func parseSecret(secret string) (*standardwebhooks.Webhook, error) {
	if secret == "" {
		return nil, errors.New("it is missing")
	}
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, secretPrefix); ok {
		decoded, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, errors.New("what follows whsec_ is not padded standard base64")
		}
		key = decoded
	}
	if len(key) < minSecret {
		return nil, fmt.Errorf("it has %d bytes, and at least %d are needed: make one with: openssl rand -base64 32", len(key), minSecret)
	}
	signer, err := standardwebhooks.NewWebhookRaw(key)
	if err != nil {
		return nil, errors.New("it cannot be used to sign")
	}
	return signer, nil
}

// lookupURL returns URL/<key>, with the query of the URL.
func lookupURL(base *url.URL, key string) *url.URL {
	target := *base
	raw := strings.TrimSuffix(base.EscapedPath(), "/")
	target.Path = strings.TrimSuffix(base.Path, "/") + "/" + key
	target.RawPath = raw + "/" + url.PathEscape(key)
	return &target
}
