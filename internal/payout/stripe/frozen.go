package stripe

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

// frozen is the stored form of a request, in JSON. Exactly one of its kinds is
// set. Ledgers hold it: fields may be added, and none may change its meaning.
type frozen struct {
	Credit     *credit     `json:"credit,omitempty"`
	FreeMonths *freeMonths `json:"free_months,omitempty"`
	Discount   *discount   `json:"discount,omitempty"`
	Transfer   *transfer   `json:"transfer,omitempty"`
}

// delivery is one kind of frozen request.
type delivery interface {
	// send makes the calls that the request needs. The one that has the effect
	// carries the key.
	send(ctx context.Context, c *client, key string) payout.Outcome
	// find reads what became of the key.
	find(ctx context.Context, c *client, key string) payout.Finding
	// whole reports whether nothing is missing.
	whole() bool
}

func (f frozen) encode() ([]byte, error) {
	body, err := json.Marshal(f)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, opPrepare, "the request could not be written as JSON", err)
	}
	return body, nil
}

// decode reads a stored request. A field that this version does not know
// would be left out of what is sent, so it is refused.
func decode(req payout.Request) (delivery, error) {
	var f frozen
	reader := json.NewDecoder(bytes.NewReader(req.Body))
	reader.DisallowUnknownFields()
	err := reader.Decode(&f)
	if err == nil && usableKey(req.Key) {
		if d := f.delivery(); d != nil && d.whole() {
			return d, nil
		}
	}
	return nil, fault.Wrap(fault.Invalid, "stripe.decode",
		"the stored request cannot be read by this version of rewardflow, and nothing was sent", err)
}

// delivery returns the one kind that is set, or nil.
func (f frozen) delivery() delivery {
	var set []delivery
	if f.Credit != nil {
		set = append(set, f.Credit)
	}
	if f.FreeMonths != nil {
		set = append(set, f.FreeMonths)
	}
	if f.Discount != nil {
		set = append(set, f.Discount)
	}
	if f.Transfer != nil {
		set = append(set, f.Transfer)
	}
	if len(set) != 1 {
		return nil
	}
	return set[0]
}
