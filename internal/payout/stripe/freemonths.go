package stripe

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/rewardflow/rewardflow/internal/payout"
)

// freeMonths moves the end of a subscription's trial, and with it the next
// payment, from the end of the current period by whole months. The date is
// absolute, so that saying it twice does no more than saying it once, and the
// marker is written in the same call.
type freeMonths struct {
	Customer     string `json:"customer"`
	Subscription string `json:"subscription"`
	Months       int64  `json:"months"`
	// Base is the end of the period that is counted from, and TrialEnd the new
	// date, both in Unix seconds.
	Base     int64 `json:"base"`
	TrialEnd int64 `json:"trial_end"`
	// Marker is the value of the metadata entry that the key names.
	Marker string `json:"marker"`
	// Forget lists markers of long settled rewards, which make room.
	Forget []string `json:"forget,omitempty"`
	Turn   string   `json:"turn"`
}

// maxMonths is how far Stripe lets a trial reach: two years
// (https://docs.stripe.com/api/subscriptions/update#update_subscription-trial_end).
const maxMonths = 24

func (p *Provider) freezeFreeMonths(ctx context.Context, order payout.Order) (frozen, string, error) {
	months := order.Reward.Quantity.Amount
	if months > maxMonths {
		return frozen{}, "", declined(fmt.Sprintf("Stripe moves a payment by at most %d months, not by %d", maxMonths, months))
	}
	if len(order.Key) > maxMetadataName {
		return frozen{}, "", invalid("the idempotency key is longer than the name of a metadata entry may be")
	}
	customer, err := p.payee(ctx, order.Reward.Promoter)
	if err != nil {
		return frozen{}, "", err
	}
	sub, err := p.client.onlySubscription(ctx, customer.ID)
	if err != nil {
		return frozen{}, "", err
	}
	base, ok := periodEnd(sub)
	if !ok {
		return frozen{}, "", declined("the items of the subscription " + sub.ID + " do not end their periods together")
	}
	until := addMonths(time.Unix(base, 0).UTC(), int(months))
	if !until.After(order.At) {
		return frozen{}, "", declined("the period of the subscription " + sub.ID + " ended long ago, and the new date would be in the past")
	}
	d := &freeMonths{
		Customer: customer.ID, Subscription: sub.ID, Months: months, Base: base, TrialEnd: until.Unix(),
		Marker: marker(order.At, months, until), Forget: outdated(sub.Metadata, order.At), Turn: turnOf(order),
	}
	if len(sub.Metadata)-len(d.Forget)+2 > maxMetadata {
		return frozen{}, "", declined("the metadata of the subscription " + sub.ID + " is full: remove entries that nobody needs")
	}
	return frozen{FreeMonths: d}, fmt.Sprintf("Stripe customer %s, subscription %s: next payment on %s, %d months later",
		d.Customer, d.Subscription, until.Format(time.DateOnly), months), nil
}

// periodEnd returns when the current period, or the trial, ends, in Unix
// seconds. False says that the items do not agree.
func periodEnd(sub *stripego.Subscription) (int64, bool) {
	if sub.Items == nil || sub.Items.HasMore || len(sub.Items.Data) == 0 {
		return 0, false
	}
	var end int64
	for _, item := range sub.Items.Data {
		if item == nil || item.CurrentPeriodEnd <= 0 || end != 0 && item.CurrentPeriodEnd != end {
			return 0, false
		}
		end = item.CurrentPeriodEnd
	}
	return max(end, sub.TrialEnd), true
}

// addMonths adds calendar months in UTC. A day that the month does not have
// becomes the month's last: January 31 and one month is February 28 or 29.
func addMonths(t time.Time, months int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(months), 1, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// The limits of metadata (https://docs.stripe.com/metadata), and how many
// markers are kept: the newest ones, and all those of the last days, because
// the look-up of an unknown outcome reads them.
const (
	maxMetadata     = 50
	maxMetadataName = 40
	keptMarkers     = 20
	keptFor         = 7 * 24 * time.Hour
)

// marker begins with the time of reserve, so that markers sort by age.
func marker(at time.Time, months int64, until time.Time) string {
	return at.UTC().Format(time.RFC3339) + " months=" + strconv.FormatInt(months, 10) + " until=" + until.Format(time.RFC3339)
}

var markerName = regexp.MustCompile(`^rf_[0-9]+_[0-9]+$`)

// outdated names the markers that a new one at a given time replaces.
func outdated(metadata map[string]string, at time.Time) []string {
	type aged struct {
		name string
		at   time.Time
	}
	var ours []aged
	for name, value := range metadata {
		written, _, _ := strings.Cut(value, " ")
		if t, err := time.Parse(time.RFC3339, written); err == nil && markerName.MatchString(name) {
			ours = append(ours, aged{name, t})
		}
	}
	slices.SortFunc(ours, func(a, b aged) int {
		if order := b.at.Compare(a.at); order != 0 {
			return order
		}
		return strings.Compare(a.name, b.name)
	})
	var names []string
	for i, m := range ours {
		if i >= keptMarkers-1 && at.Sub(m.at) > keptFor {
			names = append(names, m.name)
		}
	}
	slices.Sort(names)
	return names
}

func (d *freeMonths) whole() bool {
	return plainID(d.Customer) && plainID(d.Subscription) && d.Months > 0 && d.Base > 0 && d.TrialEnd > d.Base &&
		d.Marker != "" && d.Turn != ""
}

func (d *freeMonths) send(ctx context.Context, c *client, key string) payout.Outcome {
	sub, err := c.subscription(ctx, d.Subscription)
	if err != nil {
		return unprepared(err)
	}
	if out := d.stands(sub, key); out != nil {
		return *out
	}
	if out := c.takeTurn(ctx, d.Subscription, joined("period", strconv.FormatInt(d.Base, 10)), d.Turn); out != nil {
		return *out
	}
	sub, err = c.updateSubscription(ctx, d.Subscription, d.params(key))
	switch {
	case err != nil:
		return c.judge(err)
	case !answered(sub.APIResource), sub.ID != d.Subscription, sub.Metadata[key] != d.Marker, sub.TrialEnd != d.TrialEnd:
		return unknown("Stripe's answer does not show the date that was sent")
	}
	return accepted(d.reference(key), d.done())
}

// stands judges the subscription as it is before the effect, or returns nil:
// then it is as it was at reserve, and the frozen date is right. On a period
// that has moved on, the date would swallow what moved it.
func (d *freeMonths) stands(sub *stripego.Subscription, key string) *payout.Outcome {
	var out payout.Outcome
	have, marked := sub.Metadata[key]
	base, ok := periodEnd(sub)
	switch {
	case marked && have == d.Marker:
		out = accepted(d.reference(key), d.done())
	case marked:
		out = payout.Outcome{Class: payout.ClassConflict, Detail: "the subscription " + sub.ID + " has the key with another date"}
	case unfit(sub) != "":
		out = refused(unfit(sub))
	case !belongs(sub, d.Customer):
		out = refused("the subscription " + sub.ID + " is no longer the customer's")
	case !ok, base != d.Base:
		out = refused("the subscription " + sub.ID + " has moved on since its new date was set: retry makes a new payout with a new date")
	default:
		return nil
	}
	return &out
}

// params are the effect: the same for every try.
func (d *freeMonths) params(key string) *stripego.SubscriptionUpdateParams {
	metadata := map[string]string{key: d.Marker}
	for _, name := range d.Forget {
		metadata[name] = "" // Stripe removes an entry that is set to nothing.
	}
	return &stripego.SubscriptionUpdateParams{
		Params:            keyed(key),
		TrialEnd:          stripego.Int64(d.TrialEnd),
		ProrationBehavior: stripego.String("none"),
		Metadata:          metadata,
	}
}

// find reads the marker, which Stripe wrote together with the date.
func (d *freeMonths) find(ctx context.Context, c *client, key string) payout.Finding {
	sub, err := c.subscription(ctx, d.Subscription)
	if err != nil {
		return cannotTell(err)
	}
	have, marked := sub.Metadata[key]
	switch {
	case !belongs(sub, d.Customer):
		return differs("the subscription " + sub.ID + " is no longer the customer's")
	case !marked:
		return absent("the subscription does not carry the key")
	case have != d.Marker:
		return differs("the subscription " + sub.ID + " carries the key and another date")
	}
	return found(d.reference(key), d.done())
}

// reference is unique for each payout: a subscription may have had several.
func (d *freeMonths) reference(key string) string { return d.Subscription + "/" + key }

func (d *freeMonths) done() string {
	return "the next payment of " + d.Subscription + " was moved to " + time.Unix(d.TrialEnd, 0).UTC().Format(time.DateOnly)
}
