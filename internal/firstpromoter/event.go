package firstpromoter

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

// The known event types, in their canonical spelling.
const (
	LeadSignup          = "lead_signup"
	LeadBecomesReferral = "lead_becomes_referral"
	LeadCancelled       = "lead_cancelled"
	// LeadSubscribed is the first step of a form with two steps.
	LeadSubscribed    = "lead_subscribed"
	PromoterAccepted  = "promoter_accepted"
	PromoterSignedUp  = "promoter_signed_up"
	RewardCreated     = "reward_created"
	FulfilmentPending = "fulfilment_pending"
)

// What a body is that Decode refuses, for errors.Is.
var (
	// ErrNotJSON is not one JSON object.
	ErrNotJSON = errors.New("not a JSON object")
	// ErrNoType has no usable event.type.
	ErrNoType = errors.New("no event.type")
	// ErrNoRewardID is a fulfilment_pending event without a usable data.id.
	ErrNoRewardID = errors.New("no data.id")
)

// opDecode names the operation in errors.
const opDecode = "firstpromoter.decode"

const (
	// maxType bounds the name of an event type.
	maxType = 64
	// maxEventID bounds an event ID, which becomes part of a workflow ID.
	maxEventID = 64
)

// Event is one webhook delivery, reduced to its allowed fields.
type Event struct {
	// ID is event.id: its digits, or its text as it was delivered. A text that
	// is too long or too odd for a workflow ID is replaced by its digest. It is
	// empty when the event has none.
	ID string
	// Type is the canonical type, RawType the one that was delivered.
	Type    string
	RawType string
	// CreatedAt is in UTC; zero when it is missing or unreadable.
	CreatedAt time.Time
	// Known reports whether Type is one of the known types.
	Known bool
	// Reward is what a fulfilment_pending event claims; nil for other types.
	Reward *ledger.Claimed
	Fields Fields

	body []byte
}

// Decode reads the body of a webhook. Fields that are missing, null, unknown
// or of an unexpected type do not matter. It returns fault.Invalid when the
// body is not one JSON object, when it has no event.type, and when a
// fulfilment_pending event has no usable data.id. An error never quotes the
// body. Of a key that stands twice the last one counts.
func Decode(body []byte) (Event, error) {
	top, err := readBody(body)
	if err != nil {
		return Event{}, err
	}
	envelope := top.object("event")
	raw := strings.TrimSpace(envelope.text("type"))
	if !isTypeName(raw) || envelope["type"][0] != '"' {
		return Event{}, fault.Wrap(fault.Invalid, opDecode,
			fmt.Sprintf("event.type is missing, or is not a name of at most %d letters, digits, dots, dashes and underscores", maxType), ErrNoType)
	}

	data := top.object("data")
	ev := Event{
		ID:        eventID(envelope),
		RawType:   raw,
		CreatedAt: envelope.time("created_at"),
	}
	ev.Type, ev.Known = canonicalType(raw)
	if ev.Type == FulfilmentPending {
		if ev.Reward, err = readClaim(data); err != nil {
			return Event{}, err
		}
	}
	ev.Fields = readFields(ev.Type, data)
	ev.Fields.Event = Envelope{ID: ev.ID, Type: ev.Type, CreatedAt: ev.CreatedAt}
	if ev.body, err = json.Marshal(ev.Fields); err != nil {
		return Event{}, fault.Wrap(fault.Internal, opDecode, "the allowed fields cannot be written as JSON", err)
	}
	return ev, nil
}

// Body returns the canonical JSON of the allowed fields, and of nothing else:
// the same fields give the same bytes. json.Unmarshal into a Fields reads it.
func (e Event) Body() []byte { return bytes.Clone(e.body) }

// Dedupe returns what is unique among events of the type, and the same when
// the event is delivered again. For most events it is the event ID. For
// fulfilment_pending it also binds the reward ID and the content, so that a
// forged or changed event never hides the real one.
func (e Event) Dedupe() string {
	sum := sha256.Sum256(e.body)
	digest := hex.EncodeToString(sum[:])
	switch {
	case e.Reward != nil:
		return e.ID + "/" + e.Reward.Reward.ID.String() + "/" + digest[:16]
	case e.ID != "":
		return e.ID
	}
	return "sha256:" + digest
}

// readBody reads the outermost object.
func readBody(body []byte) (object, error) {
	top := readObject(body)
	if top != nil {
		return top, nil
	}
	message := "the body is JSON, and not an object"
	var value json.RawMessage
	if bad, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(body, &value)); ok {
		message = fmt.Sprintf("the body is not JSON: it breaks at byte %d", bad.Offset)
	}
	return nil, fault.Wrap(fault.Invalid, opDecode, message, ErrNotJSON)
}

// readClaim reads what a fulfilment_pending event says is owed.
func readClaim(data object) (*ledger.Claimed, error) {
	p := readPayout(data)
	if p.ID == 0 {
		return nil, fault.Wrap(fault.Invalid, opDecode,
			"data.id of the fulfilment_pending event is missing, or is not a whole number above zero", ErrNoRewardID)
	}
	return &ledger.Claimed{Reward: p.Reward(), Defect: p.Defect}, nil
}

// KnownTypes returns the known event types in their canonical spelling.
func KnownTypes() []string {
	return []string{
		LeadSignup, LeadBecomesReferral, LeadCancelled, LeadSubscribed,
		PromoterAccepted, PromoterSignedUp, RewardCreated, FulfilmentPending,
	}
}

// canonicalType returns the canonical spelling and whether it is known.
// FirstPromoter's own texts spell two of the types in two ways.
func canonicalType(raw string) (string, bool) {
	switch raw {
	case "promoter_signs_up":
		return PromoterSignedUp, true
	case "new_customer":
		return LeadBecomesReferral, true
	}
	return raw, slices.Contains(KnownTypes(), raw)
}

// eventID returns event.id as text that fits into a workflow ID.
func eventID(envelope object) string {
	id, _ := envelope.scalar("id")
	id = strings.TrimSpace(id)
	if len(id) <= maxEventID && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256-" + hex.EncodeToString(sum[:16])
}

// isTypeName reports whether a type can be stored, shown and counted as it is.
func isTypeName(s string) bool {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
	}
	return s != "" && len(s) <= maxType && !strings.ContainsFunc(s, odd)
}
