package relational

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Who appears in the history for what the ledger does by itself.
const (
	actorIntake = "intake"
	actorLedger = "ledger"
	actorClose  = "close"
	actorAnswer = "answer"
)

// The internal events that the ledger makes by itself, beside those of an
// assessment.
const (
	noticeAttention = "reward_attention"
	noticeFulfilled = "reward_fulfilled"
	// noticeChanged is for the reward's open message, and for nobody else.
	noticeChanged = "reward_changed"
)

// step is one change of a reward's status.
type step struct {
	id        reward.ID
	to        reward.Status
	reason    string
	actor     string
	nextTimer time.Time
	// notify is the type of the internal event to make; empty for none.
	notify string
}

// enter writes a new status, its line of the history, and its internal event.
// It is the one place where a status changes.
func (t *tx) enter(ctx context.Context, from reward.Status, s step) error {
	_, err := t.exec(ctx, `UPDATE rewards SET status = ?, reason = ?, next_timer = ?, updated_at = ?,
		status_since = CASE WHEN status = ? THEN status_since ELSE ? END
		WHERE id = ?`,
		s.to, s.reason, millis(s.nextTimer), millis(t.now), s.to, millis(t.now), s.id)
	if err != nil {
		return err
	}
	if err := t.remember(ctx, from, s); err != nil {
		return err
	}
	if s.notify == "" {
		return t.changed(ctx, s)
	}
	return t.notice(ctx, s)
}

// remember appends to the reward's history.
func (t *tx) remember(ctx context.Context, from reward.Status, s step) error {
	_, err := t.exec(ctx, `INSERT INTO changes (reward_id, at, from_status, to_status, reason, actor)
		VALUES (?, ?, ?, ?, ?, ?)`, s.id, millis(t.now), from, s.to, s.reason, s.actor)
	return err
}

// noticeBody is the body of an internal event. It holds no personal data.
type noticeBody struct {
	RewardID reward.ID     `json:"reward_id"`
	Status   reward.Status `json:"status"`
	Reason   string        `json:"reason"`
}

// notice puts an internal event into the inbox. The reward counts its events,
// so that each of them is its own.
func (t *tx) notice(ctx context.Context, s step) error {
	var n int64
	err := t.queryRow(ctx, `UPDATE rewards SET notices = notices + 1 WHERE id = ? RETURNING notices`, s.id).Scan(&n)
	if err != nil {
		return err
	}
	body, err := json.Marshal(noticeBody{RewardID: s.id, Status: s.to, Reason: s.reason})
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, insertInbox,
		s.notify, fmt.Sprintf("%d:%d", s.id, n), fmt.Sprintf("%d-%d", s.id, n), 0, body, "", true, millis(t.now), ledger.RewardSubject(s.id))
	return err
}

// endNotice returns the type of the internal event that an assessment's
// status makes; empty for a status that tells nobody anything.
func endNotice(s reward.Status) string {
	switch s {
	case reward.Quarantined, reward.AwaitingApproval, reward.Held, reward.Attention, reward.Rejected, reward.FulfilledElsewhere:
		return "reward_" + string(s)
	}
	return ""
}

// follow moves the reward's status after its payout. A final status stays, a
// status that says the same stays, and a close that is under way is not set
// back by a payout that is paid.
func (t *tx) follow(ctx context.Context, p ledger.Payout, reason, actor string) error {
	to, ok := statusOf(p.State)
	if !ok {
		return nil
	}
	now, err := record(ctx, t, p.RewardID)
	if err != nil {
		return err
	}
	from := now.Status
	if from.Final() || from == to || (from == reward.Closing && to == reward.Paid) {
		return nil
	}
	s := step{id: p.RewardID, to: to, reason: reason, actor: actor}
	if to == reward.Paid && now.Closing.Call == ledger.CallDone {
		// It came back after it was closed, and is paid again by a person's word:
		// there is nothing left to close.
		s.to, s.notify = reward.Fulfilled, noticeFulfilled
	}
	return t.enter(ctx, from, s)
}

// statusOf returns the status that a payout's state brings about; false when
// the workflow or a person decides what it means.
func statusOf(s payout.State) (reward.Status, bool) {
	switch s {
	case payout.Submitting:
		return reward.Paying, true
	case payout.Unknown:
		return reward.Resolving, true
	case payout.Settling:
		return reward.Settling, true
	case payout.Paid:
		return reward.Paid, true
	case payout.Reserved, payout.Refused, payout.Conflicted, payout.Returned:
	}
	return "", false
}

// statusOfReward returns fault.NotFound when there is no such reward.
func statusOfReward(ctx context.Context, q querier, id reward.ID) (reward.Status, error) {
	var status reward.Status
	err := q.queryRow(ctx, `SELECT status FROM rewards WHERE id = ?`, id).Scan(&status)
	return status, orUnknownReward(err, id)
}
