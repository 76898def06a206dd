package notify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Summary is the body of a daily summary, as the inbox holds it: wire format.
// It holds no personal data.
type Summary struct {
	// Day is the UTC day on which it was made, as 2006-01-02.
	Day string    `json:"day"`
	At  time.Time `json:"at"`
	// Statuses count the rewards by status, in the order of reward.Statuses.
	Statuses []SummaryStatus `json:"statuses"`
	// Paid sums what was paid on the UTC day before.
	Paid []SummaryPaid `json:"paid"`
}

// SummaryStatus counts the rewards with one status.
type SummaryStatus struct {
	Status reward.Status `json:"status"`
	Count  int           `json:"count"`
	// Oldest is since when the oldest of them has it.
	Oldest time.Time `json:"oldest"`
}

// SummaryPaid sums what was paid in one unit and currency.
type SummaryPaid struct {
	Unit     reward.Unit `json:"unit"`
	Currency string      `json:"currency,omitempty"`
	Count    int         `json:"count"`
	Amount   int64       `json:"amount"` // Of cash, minor units.
}

// Body returns the JSON that Render and Facts read.
func (s Summary) Body() ([]byte, error) { return json.Marshal(s) }

// aboutTheDay words a daily summary.
func aboutTheDay(s stored) Message {
	facts := s.summaryEvent(About{})
	m := Message{Title: "Daily summary"}
	if facts.Day != "" {
		m.Title += " of " + facts.Day
	}
	var f fields
	waiting := 0
	var oldest StatusFacts
	for _, status := range facts.Statuses {
		text := strconv.Itoa(status.Count)
		if status.waits(facts.Waiting) {
			waiting += status.Count
			if oldest.Oldest.IsZero() || status.Oldest.Before(oldest.Oldest) {
				oldest = status
			}
			if status.Age != "" {
				text += ", the oldest for " + status.Age
			}
		}
		f.add(capital(status.Status), text)
	}
	paid := 0
	for _, p := range facts.Paid {
		paid += p.Count
		amount := strconv.FormatInt(p.Amount, 10)
		if p.money {
			amount += " in minor units"
		}
		f.add("Paid in "+p.Unit, fmt.Sprintf("%s, in %s", amount, counted(p.Count, "reward")))
	}
	m.Text = waitingWords(waiting, oldest.Age) + " " + paidWords(paid)
	m.Fields = f
	return m
}

func waitingWords(n int, oldest string) string {
	if n == 0 {
		return "No reward needs a person."
	}
	text := counted(n, "reward") + " need a person"
	if n == 1 {
		text = "1 reward needs a person"
	}
	if oldest != "" {
		text += "; the oldest has waited " + oldest
	}
	return text + "."
}

func paidWords(n int) string {
	switch n {
	case 0:
		return "Nothing was paid yesterday."
	case 1:
		return "1 reward was paid yesterday."
	}
	return counted(n, "reward") + " were paid yesterday."
}

// summaryEvent is what a template is given.
func (s stored) summaryEvent(about About) SummaryEvent {
	event := SummaryEvent{About: about, Day: oneLine(s.Day)}
	for _, status := range s.Statuses {
		facts := StatusFacts{Status: words(string(status.Status)), Count: status.Count, Oldest: status.Oldest}
		if age := s.At.Sub(status.Oldest); !s.At.IsZero() && !status.Oldest.IsZero() && age > 0 {
			facts.Age = ageWords(age)
		}
		event.Statuses = append(event.Statuses, facts)
		if status.Status.NeedsPerson() {
			event.Waiting = append(event.Waiting, facts)
		}
	}
	for _, p := range s.Paid {
		event.Paid = append(event.Paid, PaidFacts{
			Unit: oneLine(cmp.Or(p.Currency, words(string(p.Unit)))), Amount: p.Amount, Count: p.Count, money: p.Unit == reward.Cash,
		})
	}
	return event
}

func (f StatusFacts) waits(waiting []StatusFacts) bool {
	for _, w := range waiting {
		if w.Status == f.Status {
			return true
		}
	}
	return false
}

// ageWords says how long something has lasted, in its largest whole unit.
func ageWords(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return counted(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return counted(int(d/time.Hour), "hour")
	}
	return counted(int(d/time.Minute), "minute")
}

func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
