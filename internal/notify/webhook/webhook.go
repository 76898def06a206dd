// Package webhook is the notification channel to the team's own service: one
// POST per message, signed by the Standard Webhooks scheme
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md),
// as the webhook provider signs payouts.
package webhook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/notify/post"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const op = "webhook.notify"

// Config describes one receiving service.
type Config struct {
	// Name is the configured name of the channel.
	Name string
	// URL takes the POST.
	URL string
	// Secret signs: "whsec_" and base64 of 24 bytes or more, or a plain text
	// of 24 characters or more.
	Secret string
	// AllowPrivateNetworks permits loopback and private addresses, and http.
	AllowPrivateNetworks bool
	// Timeout bounds one call; zero means egress.DefaultTimeout.
	Timeout time.Duration
	// Now dates signatures; nil means time.Now.
	Now func() time.Time
}

// Notifier sends messages to one service. It is safe for concurrent use.
type Notifier struct {
	name     string
	endpoint *post.Endpoint
	signer   *standardwebhooks.Webhook
	now      func() time.Time
}

// New returns a channel, or all that is wrong with the configuration, as a
// fault of kind Invalid that holds no secret and no URL.
func New(c Config) (*Notifier, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	endpoint, urlErr := post.New(post.Config{
		URL: c.URL, AllowPrivateNetworks: c.AllowPrivateNetworks, Timeout: c.Timeout, Now: c.Now,
	})
	signer, secretErr := newSigner(c.Secret)
	if err := errors.Join(urlErr, secretErr); err != nil {
		return nil, fault.Wrap(fault.Invalid, "webhook.new",
			fmt.Sprintf("channel %q: %s", c.Name, strings.ReplaceAll(err.Error(), "\n", "; ")), err)
	}
	return &Notifier{name: c.Name, endpoint: endpoint, signer: signer, now: c.Now}, nil
}

// minSecret is the least length of a signing key in bytes that the
// specification allows.
const minSecret = 24

func newSigner(secret string) (*standardwebhooks.Webhook, error) {
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, errors.New("secret: what follows whsec_ is not padded standard base64")
		}
	}
	if len(key) < minSecret {
		return nil, fmt.Errorf("secret: it has %d bytes, and at least %d are needed: make one with: openssl rand -base64 32", len(key), minSecret)
	}
	signer, err := standardwebhooks.NewWebhookRaw(key)
	if err != nil {
		return nil, errors.New("secret: it cannot be used to sign")
	}
	return signer, nil
}

// Name implements notify.Notifier.
func (n *Notifier) Name() string { return n.name }

// document is the body of the POST. Its format is part of the contract in
// docs/providers/webhook.md: fields may be added at the end, and nothing else.
type document struct {
	Type string `json:"type"`
	// Timestamp is when the event happened; when that is not known, the time of
	// sending.
	Timestamp string `json:"timestamp"`
	Data      data   `json:"data"`
}

type data struct {
	Key         string    `json:"key"`
	Title       string    `json:"title"`
	Text        string    `json:"text"`
	NeedsPerson bool      `json:"needs_person"`
	RewardID    reward.ID `json:"reward_id,omitzero"`
	Link        string    `json:"link,omitzero"`
	// Event is the event as it is stored.
	Event json.RawMessage `json:"event,omitempty"`
}

// Notify implements notify.Notifier. A receiver takes the message by any status
// from 200 to 299, and unsubscribes by 410.
func (n *Notifier) Notify(ctx context.Context, m notify.Message) error {
	sent := n.now()
	at := m.At
	if at.IsZero() {
		at = sent
	}
	body, err := json.Marshal(document{
		Type:      m.Type,
		Timestamp: at.UTC().Format(time.RFC3339Nano),
		Data: data{
			Key: m.Key, Title: m.Title, Text: m.Text, NeedsPerson: m.NeedsPerson,
			RewardID: m.RewardID, Link: m.Link, Event: m.Event,
		},
	})
	if err != nil {
		return fault.Wrap(fault.Invalid, op, "the message cannot be written as JSON", err)
	}
	header, err := n.sign(m.Key, sent, body)
	if err != nil {
		return err
	}
	answer, err := n.endpoint.Post(ctx, op, header, body)
	if err != nil {
		return err
	}
	err = answer.Err(op, "")
	if answer.Status == http.StatusGone {
		return fault.Wrap(fault.NotFound, op, fault.Message(err), notify.ErrGone)
	}
	return err
}

// sign returns the three headers. The ID is the message's key, the same on
// every try; the time is this try's, because a receiver refuses old signatures.
func (n *Notifier) sign(key string, at time.Time, body []byte) (http.Header, error) {
	if !usable(key) {
		return nil, fault.New(fault.Invalid, op, "the message's key is empty, or holds something else than printable ASCII without full stops")
	}
	signature, err := n.signer.Sign(key, at, body)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, op, "the message cannot be signed", err)
	}
	header := http.Header{}
	header.Set(standardwebhooks.HeaderWebhookID, key)
	header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return header, nil
}

// usable accepts what fits a header and leaves the signed text unambiguous.
func usable(key string) bool {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '.' }
	return key != "" && !strings.ContainsFunc(key, odd)
}
