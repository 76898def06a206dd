package slackapproval

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	slackapi "github.com/slack-go/slack"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The names of the buttons, the modal and its field. They stand in messages
// that are months old, so they never change.
const (
	actionApprove = "rewardflow_approve"
	actionReject  = "rewardflow_reject"
	viewReject    = "rewardflow_reject"
	fieldReason   = "reason"
)

// Message is one message as Slack draws it.
type Message struct {
	// Text is for notifications and screen readers.
	Text   string
	Blocks []slackapi.Block
}

func (m Message) options() []slackapi.MsgOption {
	return []slackapi.MsgOption{
		slackapi.MsgOptionText(m.Text, false), slackapi.MsgOptionBlocks(m.Blocks...),
		slackapi.MsgOptionDisableLinkUnfurl(), slackapi.MsgOptionDisableMediaUnfurl(),
	}
}

// fingerprint is the same for messages that look the same.
func (m Message) fingerprint() string {
	drawn, err := json.Marshal(m)
	if err != nil {
		return "" // Cannot happen; it would draw again, which harms nobody.
	}
	sum := sha256.Sum256(drawn)
	return hex.EncodeToString(sum[:16])
}

// approval is what the ledger holds about one reward's approval.
type approval struct {
	record    ledger.Record
	tally     ledger.Tally
	decisions []ledger.Recorded
}

// open reports whether a decision can still count.
func (a approval) open() bool { return waits(a.record) && !a.tally.Approved && !a.tally.Rejected }

// message draws an approval.
func (a approval) message(cfg Config) Message {
	id := a.record.Reward.ID
	title := "Reward " + id.String() + " " + a.stands()
	blocks := []slackapi.Block{
		section("*" + escape(title) + "*"),
		slackapi.NewSectionBlock(nil, a.particulars(cfg), nil),
	}
	if a.record.Reason != "" {
		blocks = append(blocks, section("*Why*: "+escape(short(a.record.Reason))))
	}
	if made := a.made(); made != "" {
		blocks = append(blocks, section(made))
	}
	if a.open() {
		blocks = append(blocks, a.buttons())
	}
	if cfg.Link != nil {
		blocks = append(blocks, slackapi.NewContextBlock("", markdown("<"+escape(cfg.Link(id))+"|Open reward "+id.String()+">")))
	}
	return Message{Text: escape(title + ": " + a.record.Reward.Quantity.String()), Blocks: blocks}
}

// stands says where the reward is, to follow its name. Everything between
// approval and end is one word: a message is no progress bar.
func (a approval) stands() string {
	switch {
	case a.tally.Rejected && waits(a.record):
		return "is rejected"
	case a.tally.Approved && waits(a.record):
		return "is approved"
	}
	switch s := a.record.Status; s {
	case reward.AwaitingApproval:
		return "waits for approval"
	case reward.Held:
		if a.open() {
			return "is held, and a decision still counts"
		}
		return "is held"
	case reward.Approved, reward.Paying, reward.Resolving, reward.Settling, reward.Paid, reward.Closing:
		return "is approved"
	case reward.Received, reward.Verifying:
		return "is looked at again"
	case reward.Attention:
		return "needs attention"
	case reward.FulfilledElsewhere:
		return "was fulfilled elsewhere, and nothing was paid from here"
	case reward.Rejected, reward.Abandoned, reward.Fulfilled, reward.Quarantined:
		return "is " + string(s)
	}
	return "is " + strings.ReplaceAll(string(a.record.Status), "_", " ")
}

func (a approval) particulars(cfg Config) []*slackapi.TextBlockObject {
	var fields []*slackapi.TextBlockObject
	add := func(label, value string) {
		if value != "" {
			fields = append(fields, markdown("*"+label+"*\n"+escape(short(value))))
		}
	}
	r := a.record.Reward
	add("Quantity", r.Quantity.String())
	add("Promoter", fmt.Sprint(r.Promoter.ID))
	add("Campaign", strings.TrimSpace(r.Campaign.Name+fmt.Sprintf(" (%d)", r.Campaign.ID)))
	add("Provider", a.record.Provider)
	if a.tally.Needed > 0 {
		asked := fmt.Sprintf("%d of %d", a.tally.Approvals, a.tally.Needed)
		if a.record.Role != "" {
			asked += ", with the role " + a.record.Role
		}
		add("Approvals", asked)
	}
	add("Digest", shortDigest(a.record.Digest))
	if cfg.ShowEmail {
		add("E-mail", r.Promoter.Email)
		// In some set-ups the promoter chose it, so it may be an address too.
		add("Customer ID", r.Promoter.CustID)
	}
	return fields
}

// made lists the decisions that count on what is shown now.
func (a approval) made() string {
	var lines []string
	for _, d := range a.decisions {
		if d.Counted && d.Digest == a.record.Digest {
			lines = append(lines, fmt.Sprintf("%s by *%s* at %s (%s)", done(d.Verdict), escape(short(d.By)), clock(d.At), escape(via(d))))
		}
	}
	return strings.Join(lines, "\n")
}

func done(v reward.Verdict) string {
	if v == reward.Reject {
		return ":no_entry: rejected"
	}
	return ":white_check_mark: approved"
}

func via(d ledger.Recorded) string {
	lane := "via " + string(d.Lane)
	switch d.Lane {
	case reward.LaneAPI:
		lane = "via API or command line"
	case reward.LaneSlack:
		lane = "via Slack"
	case reward.LaneTemporal:
		lane = "via Temporal"
	}
	if !d.Verified {
		lane += ", identity not proven"
	}
	return lane
}

// clock shows a time in the reader's own time zone
// (https://docs.slack.dev/messaging/formatting-message-text#date-formatting).
func clock(at time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_num} {time}|%s>", at.Unix(), at.UTC().Format("2006-01-02 15:04 UTC"))
}

func (a approval) buttons() *slackapi.ActionBlock {
	r, value := a.record.Reward, subject{a.record.Reward.ID, a.record.Digest}.String()
	approve := slackapi.NewButtonBlockElement(actionApprove, value, plainText("Approve")).WithStyle(slackapi.StylePrimary)
	what := fmt.Sprintf("Reward %s: %s for promoter %d, by %s.", r.ID, r.Quantity, r.Promoter.ID, a.record.Provider)
	if a.tally.Needed-a.tally.Approvals > 1 {
		what += " More people must approve before it is paid."
	} else {
		what += " It is paid as soon as you approve."
	}
	approve.WithConfirm(slackapi.NewConfirmationBlockObject(plainText("Approve this reward?"), plainText(clip(what, 300)), plainText("Approve"), plainText("Back")))
	reject := slackapi.NewButtonBlockElement(actionReject, value, plainText("Reject")).WithStyle(slackapi.StyleDanger)
	return slackapi.NewActionBlock("rewardflow", approve, reject)
}

// superseded replaces a message that does not count any more: one that was
// posted twice because Slack's first answer was lost.
func superseded(id reward.ID) Message {
	words := "There is a newer message about reward " + id.String() + "."
	return Message{Text: words, Blocks: []slackapi.Block{section(words)}}
}

// modal asks for the reason of a rejection.
func modal(s subject, channel string) slackapi.ModalViewRequest {
	reason := slackapi.NewPlainTextInputBlockElement(plainText("Why it is not to be paid"), fieldReason).
		WithMultiline(true).WithMinLength(1).WithMaxLength(maxReason)
	return slackapi.ModalViewRequest{
		Type: slackapi.VTModal, CallbackID: viewReject, PrivateMetadata: metadata{Subject: s.String(), Channel: channel}.String(),
		Title: plainText("Reject reward"), Submit: plainText("Reject"), Close: plainText("Back"),
		Blocks: slackapi.Blocks{BlockSet: []slackapi.Block{
			section("Reward " + s.id.String() + " will not be paid. One rejection is enough."),
			slackapi.NewInputBlock(fieldReason, plainText("Reason"), plainText("It is kept with the decision."), reason),
		}},
	}
}

// metadata is what a modal brings back.
type metadata struct {
	Subject string `json:"subject"`
	Channel string `json:"channel"`
}

func (m metadata) String() string {
	text, err := json.Marshal(m)
	if err != nil {
		return "" // Cannot happen: two texts.
	}
	return string(text)
}

func section(text string) *slackapi.SectionBlock {
	return slackapi.NewSectionBlock(markdown(text), nil, nil)
}

func markdown(text string) *slackapi.TextBlockObject {
	return slackapi.NewTextBlockObject(slackapi.MarkdownType, text, false, false)
}

func plainText(text string) *slackapi.TextBlockObject {
	return slackapi.NewTextBlockObject(slackapi.PlainTextType, text, false, false)
}

// escape keeps a value from being read as a link or a mention
// (https://docs.slack.dev/messaging/formatting-message-text#escaping).
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// short makes a value fit for one field: Slack takes at most 2000 characters.
func short(s string) string { return clip(strings.Join(strings.Fields(s), " "), 500) }

func clip(s string, limit int) string {
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return s
}

// shortDigest is enough for people to see that two differ.
func shortDigest(d reward.Digest) string { return string(d[:min(len(d), 8)]) }
