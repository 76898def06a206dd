package slackapproval

import (
	"context"
	"log/slog"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// posting is how long somebody may be at it: longer than a call takes.
const posting = 45 * time.Second

// keeping bounds the writing down of what was done.
const keeping = 5 * time.Second

// record is the part of the ledger that a message is drawn from.
type record interface {
	Reward(ctx context.Context, id reward.ID) (ledger.Record, error)
	TallyOf(ctx context.Context, id reward.ID) (ledger.Tally, error)
	DecisionsOf(ctx context.Context, id reward.ID) ([]ledger.Recorded, error)
	ledger.ApprovalMessages
}

// Board shows approvals in the channel.
type Board struct {
	client *Client
	ledger record
	log    *slog.Logger
}

// NewBoard returns a Board; a nil logger discards.
func NewBoard(client *Client, rec record, logger *slog.Logger) *Board {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Board{client: client, ledger: rec, log: logger}
}

// What Show did.
const (
	Nothing  = "there is nothing to show"
	UpToDate = "the message shows it already"
	Posted   = "posted"
	Updated  = "updated"
	Gone     = "the message is gone, and nobody needs it any more"
)

// Show makes the reward's message show what the ledger holds: it posts one
// when a decision is waited for, and draws it anew when it shows something
// else. redraw draws it even when it should show the same already. It is safe
// to repeat; its errors are those of Client, and of the ledger.
func (b *Board) Show(ctx context.Context, id reward.ID, redraw bool) (string, error) {
	m, err := b.ledger.ApprovalMessage(ctx, id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return "", err
	}
	m.RewardID = id
	a, err := b.read(ctx, id)
	if err != nil {
		return "", err
	}
	drawn := a.message(b.client.cfg)
	switch {
	case m.Timestamp == "" && !a.open():
		return Nothing, b.settle(ctx, m)
	case m.Timestamp == "", a.open() && (!m.Open || !m.ClaimedUntil.IsZero()):
		// It is asked again, below what was settled: a new message is seen.
		return b.post(ctx, m)
	case m.Shown == drawn.fingerprint() && m.Open == a.open() && !redraw:
		return UpToDate, nil
	}
	return b.update(ctx, m, a.open(), drawn)
}

func (b *Board) read(ctx context.Context, id reward.ID) (approval, error) {
	var a approval
	var err error
	if a.record, err = b.ledger.Reward(ctx, id); err != nil {
		return a, err
	}
	if a.tally, err = b.ledger.TallyOf(ctx, id); err != nil {
		return a, err
	}
	a.decisions, err = b.ledger.DecisionsOf(ctx, id)
	return a, err
}

// post claims the message and posts it. When the answer is lost, another try
// posts a second one, and that one is used from then on.
func (b *Board) post(ctx context.Context, m ledger.ApprovalMessage) (string, error) {
	id, now := m.RewardID, b.client.cfg.Now()
	taken, err := b.ledger.ClaimApprovalMessage(ctx, id, m.Timestamp, now, now.Add(posting))
	if err != nil {
		return "", err
	}
	if !taken {
		return "", &fault.Error{
			Kind: fault.Unavailable, Op: "slackapproval.post", RetryAfter: posting / 4,
			Message: "another process is posting this message, or has just done so",
		}
	}
	// What was read before the claim may be outdated; from the claim on every
	// change is told.
	a, err := b.read(ctx, id)
	if err != nil || !a.open() {
		b.release(ctx, id)
		return Nothing, err
	}
	drawn := a.message(b.client.cfg)
	channel, timestamp, err := b.client.Post(ctx, drawn)
	if err != nil {
		b.release(ctx, id)
		return "", err
	}
	// Where it stands is recorded even while the process stops.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keeping)
	defer cancel()
	b.log.InfoContext(ctx, "approval.posted", "reward_id", id, "channel", channel, "timestamp", timestamp)
	return Posted, b.ledger.KeepApprovalMessage(ctx, ledger.ApprovalMessage{
		RewardID: id, Channel: channel, Timestamp: timestamp, Shown: drawn.fingerprint(), Open: true,
	})
}

// release lets another try post at once. The older message, if there is one,
// stays the one that counts.
func (b *Board) release(ctx context.Context, id reward.ID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keeping)
	defer cancel()
	m, err := b.ledger.ApprovalMessage(ctx, id)
	if err == nil {
		m.Open = m.Timestamp == "" // It is still to be posted.
		err = b.ledger.KeepApprovalMessage(ctx, m)
	}
	if err != nil {
		b.log.WarnContext(ctx, "approval.claim_not_released", "reward_id", id, "error", err)
	}
}

func (b *Board) update(ctx context.Context, m ledger.ApprovalMessage, open bool, drawn Message) (string, error) {
	err := b.client.Update(ctx, m.Channel, m.Timestamp, drawn)
	switch {
	case fault.Is(err, fault.NotFound) && open:
		// Somebody deleted it, and people are still waited for.
		return b.post(ctx, m)
	case fault.Is(err, fault.NotFound):
		m.Open = false
		return Gone, b.ledger.KeepApprovalMessage(ctx, m)
	case err != nil:
		return "", err
	}
	m.Shown, m.Open = drawn.fingerprint(), open
	return Updated, b.ledger.KeepApprovalMessage(ctx, m)
}

// settle ends the wait for a message that was claimed and never posted.
func (b *Board) settle(ctx context.Context, m ledger.ApprovalMessage) error {
	if !m.Open {
		return nil
	}
	m.Open = false
	return b.ledger.KeepApprovalMessage(ctx, m)
}
