package notify

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// stored is an event's body as the inbox holds it: FirstPromoter's events
// reduced to their allowed fields, and rewardflow's own, which have the fields
// at the end. Whatever is missing is zero.
type stored struct {
	Event struct {
		CreatedAt time.Time `json:"created_at"`
	} `json:"event"`
	Promoter struct {
		ID     int64  `json:"id"`
		CustID string `json:"cust_id"`
		Email  string `json:"email"`
	} `json:"promoter"`
	Lead struct {
		ID    int64  `json:"id"`
		State string `json:"state"`
		Email string `json:"email"`
	} `json:"lead"`
	Campaign reward.Campaign `json:"campaign"`
	Reward   struct {
		ID         reward.ID   `json:"id"`
		Amount     *int64      `json:"amount"`
		AmountText string      `json:"amount_text"`
		Unit       reward.Unit `json:"unit"`
		HasIssues  bool        `json:"has_issues"`
	} `json:"reward"`

	RewardID reward.ID `json:"reward_id"`
	Status   string    `json:"status"`
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`

	Day      string          `json:"day"`
	Statuses []SummaryStatus `json:"statuses"`
	Paid     []SummaryPaid   `json:"paid"`
}

// at is when the event happened; zero when that is not known.
func (s stored) at() time.Time {
	if s.Event.CreatedAt.IsZero() {
		return s.At
	}
	return s.Event.CreatedAt
}

// Render writes the message about an event. The body is the JSON that the inbox
// holds; an empty one is an event without fields. Fields that are missing or of
// another type are left out, and a type without words of its own gets a general
// message. Only a body that is not JSON is an error, of kind fault.Invalid.
func Render(eventType, eventID string, body []byte) (Message, error) {
	s, err := read(body)
	if err != nil {
		return Message{}, err
	}
	m := compose(eventType, s)
	m.Key = key(eventType, eventID)
	m.Type = eventType
	m.At = s.at()
	if text := strings.TrimSpace(string(body)); strings.HasPrefix(text, "{") {
		m.Event = json.RawMessage(text)
	}
	return m, nil
}

// key is what a receiver knows a repeated message by. A full stop would make
// the signature of a webhook ambiguous
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
func key(eventType, eventID string) string {
	return strings.ReplaceAll(eventType+"-"+eventID, ".", "_")
}

func read(body []byte) (stored, error) {
	var s stored
	if len(body) == 0 {
		return s, nil
	}
	if !json.Valid(body) {
		return s, fault.New(fault.Invalid, "notify.render", "the stored event is not JSON")
	}
	// What is left to go wrong is a field of another type, which counts as
	// missing: to say less is better than to say nothing.
	_ = json.Unmarshal(body, &s)
	return s, nil
}

// maxValue is how many characters of one value are shown.
const maxValue = 500

// oneLine makes a value fit for one line of text: printable characters, single
// spaces, and not too many of them.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	runes := []rune(strings.Join(strings.Fields(s), " "))
	if len(runes) > maxValue {
		return string(runes[:maxValue-1]) + "…"
	}
	return string(runes)
}

// fields collects the particulars that are there.
type fields []Field

func (f *fields) add(label, value string) {
	if value = oneLine(value); value != "" {
		*f = append(*f, Field{Label: label, Value: value})
	}
}

func (f *fields) addPersonal(label, value string) {
	if value = oneLine(value); value != "" {
		*f = append(*f, Field{Label: label, Value: value, Personal: true})
	}
}
