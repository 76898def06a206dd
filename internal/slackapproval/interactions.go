package slackapproval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	// answerWithin leaves Slack a second of its three.
	answerWithin = 2 * time.Second
	// afterwards bounds what goes on after the answer.
	afterwards = 15 * time.Second
	// maxReason is how many characters a reason may have, as over the API.
	maxReason = 2000
)

// desk takes decisions.
type desk interface {
	Record(ctx context.Context, d reward.Decision) (ledger.Tally, error)
	Tell(ctx context.Context, tally ledger.Tally)
}

// redrawer has messages drawn.
type redrawer interface {
	Redraw(ctx context.Context, id reward.ID, always bool) error
}

// Interactions takes what people do with the buttons.
type Interactions struct {
	client *Client
	ledger record
	desk   desk
	redraw redrawer
	log    *slog.Logger
	// within is answerWithin, but in tests.
	within time.Duration

	running sync.WaitGroup
}

// NewInteractions returns Interactions; a nil logger discards.
func NewInteractions(client *Client, rec record, d desk, r redrawer, logger *slog.Logger) *Interactions {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Interactions{client: client, ledger: rec, desk: d, redraw: r, log: logger, within: answerWithin}
}

// Wait returns when nothing goes on any more; after the last Take.
func (i *Interactions) Wait() { i.running.Wait() }

// Take answers one request of Slack within its three seconds, whatever Temporal
// and Slack are doing. A nil answer is an empty 200. It returns fault.Denied
// for what Slack did not send, or not to us, and fault.Invalid for what cannot
// be read; whatever else goes wrong is told to the person who clicked.
func (i *Interactions) Take(ctx context.Context, header http.Header, body []byte) ([]byte, error) {
	in, err := i.client.cfg.genuine(header, body)
	if err != nil {
		if fault.Is(err, fault.Denied) {
			i.log.WarnContext(ctx, "slack.denied", "reason", fault.Message(err))
		}
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, i.within)
	defer cancel()
	switch in.Type {
	case kindActions:
		return nil, i.click(limited, in)
	case kindSubmission:
		if in.View.CallbackID == viewReject {
			return i.submit(limited, in)
		}
	}
	return nil, nil
}

// click is a press of a button.
func (i *Interactions) click(ctx context.Context, in interaction) error {
	for _, a := range in.Actions {
		if a.ID != actionApprove && a.ID != actionReject {
			continue
		}
		s, ok := parseSubject(a.Value)
		if !ok {
			return fault.New(fault.Invalid, opTake, "the button names no reward")
		}
		who, known := i.client.cfg.People[in.User.ID]
		if !known {
			i.tell(ctx, in.Container.Channel, in.User.ID, i.stranger(ctx, in))
			return nil
		}
		i.retire(ctx, s.id, in.Container.Channel, in.Container.Timestamp)
		if a.ID == actionReject {
			i.ask(ctx, in, s)
			return nil
		}
		d := i.decision(s, who, reward.Approve, a.At)
		words := i.decide(ctx, d, in.Container.Channel, in.User.ID)
		if words != "" {
			i.tell(ctx, in.Container.Channel, in.User.ID, words)
		}
		return nil
	}
	return nil
}

// ask opens the modal for the reason.
func (i *Interactions) ask(ctx context.Context, in interaction, s subject) {
	if err := i.client.Ask(ctx, in.TriggerID, modal(s, in.Container.Channel)); err != nil {
		i.log.WarnContext(ctx, "slack.modal_not_opened", "reward_id", s.id, "error", err)
		i.tell(ctx, in.Container.Channel, in.User.ID, fmt.Sprintf("Nothing was decided: the window for the reason did not open. "+
			"Try again, or use the command line: rewardflow approvals reject %s --comment TEXT", s.id))
	}
}

// submit is a reason that was sent. What is wrong with it is shown beside the
// field, and the modal stays open.
func (i *Interactions) submit(ctx context.Context, in interaction) ([]byte, error) {
	var meta metadata
	if json.Unmarshal([]byte(in.View.Metadata), &meta) != nil {
		return nil, fault.New(fault.Invalid, opTake, "the modal names no reward")
	}
	s, ok := parseSubject(meta.Subject)
	if !ok {
		return nil, fault.New(fault.Invalid, opTake, "the modal names no reward")
	}
	who, known := i.client.cfg.People[in.User.ID]
	if !known {
		return beside(i.stranger(ctx, in)), nil
	}
	reason := strings.TrimSpace(in.View.State.Values[fieldReason][fieldReason].Value)
	if words := wrongReason(reason); words != "" {
		return beside(words), nil
	}
	d := i.decision(s, who, reward.Reject, in.View.ID)
	d.Comment = reason
	if words := i.decide(ctx, d, meta.Channel, in.User.ID); words != "" {
		return beside(words), nil
	}
	return nil, nil
}

func wrongReason(reason string) string {
	switch {
	case reason == "":
		return "Say why: a rejection needs a reason."
	case utf8.RuneCountInString(reason) > maxReason:
		return fmt.Sprintf("The reason is longer than %d characters.", maxReason)
	case strings.ContainsFunc(reason, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }):
		return "The reason holds control characters."
	}
	return ""
}

// beside shows words at the field of the modal
// (https://docs.slack.dev/surfaces/modals#displaying_errors).
func beside(words string) []byte {
	answer, err := json.Marshal(map[string]any{
		"response_action": "errors", "errors": map[string]string{fieldReason: words},
	})
	if err != nil {
		return nil // Cannot happen: texts.
	}
	return answer
}

// stranger says why somebody's click does not count. There is no decision to
// record: it would be one by nobody.
func (i *Interactions) stranger(ctx context.Context, in interaction) string {
	i.log.WarnContext(ctx, "slack.person_not_known", "slack_user", in.User.ID)
	return "Nothing was decided: rewardflow does not know who you are. Ask whoever keeps the list of operators to add slack_user: " +
		in.User.ID + " to yours."
}

// decision is what a click says. Its ID is made from the click, so that the
// same request sent again is the same decision, and another click is another
// one, which the ledger judges anew.
func (i *Interactions) decision(s subject, who Person, v reward.Verdict, click string) reward.Decision {
	h := sha256.New()
	for _, part := range []string{who.Name, s.String(), string(v), click} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return reward.Decision{
		ID: "slack-" + hex.EncodeToString(h.Sum(nil)[:16]), RewardID: s.id, By: who.Name, Verified: true, Roles: who.Roles,
		Lane: reward.LaneSlack, Verdict: v, Digest: s.digest, At: i.client.cfg.Now(),
	}
}

// decide records a decision and returns what is to be said to the person; empty
// when the message will say it. The ledger is waited for as long as Slack
// waits, and what comes later is told; Temporal is told afterwards.
func (i *Interactions) decide(waiting context.Context, d reward.Decision, channel, user string) string {
	answered := make(chan string)
	i.later(waiting, func(ctx context.Context) {
		tally, err := i.desk.Record(ctx, d)
		words := i.judge(ctx, d, tally, err)
		select {
		case answered <- words:
		case <-waiting.Done():
			if words == "" {
				words = fmt.Sprintf("Reward %s: recorded, %s by %s.", d.RewardID, past(d.Verdict), d.By)
			}
			i.say(ctx, channel, user, words)
		}
		if err == nil {
			i.desk.Tell(ctx, tally)
		}
	})
	select {
	case words := <-answered:
		return words
	case <-waiting.Done():
		return ""
	}
}

// judge says what became of a decision, and has the message drawn where it
// showed what is no longer so.
func (i *Interactions) judge(ctx context.Context, d reward.Decision, tally ledger.Tally, err error) string {
	if err != nil {
		i.log.ErrorContext(ctx, "slack.decision_not_recorded", "reward_id", d.RewardID, "error", err)
		return fmt.Sprintf("Reward %s: nothing was decided, because it could not be written down. Try again in a minute.", d.RewardID)
	}
	i.log.InfoContext(ctx, "slack.decision", "reward_id", d.RewardID, "by", d.By, "decision", d.Verdict,
		"counted", tally.Decision.Counted, "repeated", tally.Repeated, "refusal", tally.Decision.Refusal)
	if tally.Decision.Counted {
		return ""
	}
	if rec, err := i.ledger.Reward(ctx, d.RewardID); err == nil && (rec.Digest != d.Digest || !waits(rec)) {
		i.later(ctx, func(ctx context.Context) {
			if err := i.redraw.Redraw(ctx, d.RewardID, true); err != nil {
				i.log.WarnContext(ctx, "slack.not_redrawn", "reward_id", d.RewardID, "error", err)
			}
		})
	}
	return fmt.Sprintf("Reward %s: your decision was recorded and does not count: %s.", d.RewardID, tally.Decision.Refusal)
}

func past(v reward.Verdict) string {
	if v == reward.Reject {
		return "rejected"
	}
	return "approved"
}

// retire takes the buttons from a message that is not the one that is drawn:
// a second one, whose first answer was lost.
func (i *Interactions) retire(ctx context.Context, id reward.ID, channel, timestamp string) {
	m, err := i.ledger.ApprovalMessage(ctx, id)
	if err != nil || m.Timestamp == "" || timestamp == "" || channel != m.Channel || timestamp == m.Timestamp {
		return
	}
	i.later(ctx, func(ctx context.Context) {
		if err := i.client.Update(ctx, channel, timestamp, superseded(id)); err != nil {
			i.log.WarnContext(ctx, "slack.not_retired", "reward_id", id, "error", err)
		}
	})
}

// tell says something to one person, without keeping the answer waiting.
func (i *Interactions) tell(ctx context.Context, channel, user, words string) {
	i.later(ctx, func(ctx context.Context) { i.say(ctx, channel, user, words) })
}

func (i *Interactions) say(ctx context.Context, channel, user, words string) {
	if channel == "" {
		return
	}
	if err := i.client.Tell(ctx, channel, user, words); err != nil {
		i.log.WarnContext(ctx, "slack.person_not_told", "slack_user", user, "error", err)
	}
}

// later goes on after the answer.
func (i *Interactions) later(ctx context.Context, do func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	i.running.Go(func() {
		defer cancel()
		do(ctx)
	})
}
