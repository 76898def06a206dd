package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const opDecide = "ledger.decide"

// The roles that may decide where the policy names none.
const (
	roleApprover = "approver"
	roleFinance  = "finance"
)

// Decide implements ledger.Decisions. A decision ID that was used for another
// reward is fault.Conflict: its tally would be about the wrong reward.
func (l *Ledger) Decide(ctx context.Context, d reward.Decision, acceptUnverified bool) (ledger.Tally, error) {
	if d.ID == "" {
		return ledger.Tally{}, invalid(opDecide, "the decision has no ID")
	}
	if d.Verdict != reward.Approve && d.Verdict != reward.Reject {
		return ledger.Tally{}, invalid(opDecide, fmt.Sprintf("%.40q is not a verdict: approve or reject", d.Verdict))
	}
	return write(ctx, l, opDecide, func(ctx context.Context, t *tx) (ledger.Tally, error) {
		return t.decide(ctx, d, acceptUnverified)
	})
}

func (t *tx) decide(ctx context.Context, d reward.Decision, acceptUnverified bool) (ledger.Tally, error) {
	earlier, repeated, err := t.decisionWith(ctx, d.ID)
	if err != nil {
		return ledger.Tally{}, err
	}
	if repeated && earlier.RewardID != d.RewardID {
		return ledger.Tally{}, conflict(opDecide, "the decision's ID was used for another reward")
	}
	now, err := record(ctx, t, d.RewardID)
	if err != nil {
		return ledger.Tally{}, err
	}
	made, err := decisionsOf(ctx, t, d.RewardID)
	if err != nil {
		return ledger.Tally{}, err
	}
	if repeated {
		tally := tallyOf(now, made)
		tally.Decision, tally.Repeated = earlier, true
		return tally, nil
	}

	if d.At.IsZero() {
		d.At = t.now
	}
	recorded := ledger.Recorded{Decision: d, Refusal: refusal(now, made, d, acceptUnverified)}
	recorded.Counted = recorded.Refusal == ""
	if recorded.Counted {
		recorded.Digest = now.Digest // An unverified decision may have left it out.
	}
	if err := t.keepDecision(ctx, recorded); err != nil {
		return ledger.Tally{}, err
	}
	if recorded.Counted {
		if err := t.changed(ctx, step{id: d.RewardID, to: now.Status, reason: now.Reason}); err != nil {
			return ledger.Tally{}, err
		}
	}
	recorded, _, err = t.decisionWith(ctx, d.ID)
	if err != nil {
		return ledger.Tally{}, err
	}
	tally := tallyOf(now, append(made, recorded))
	tally.Decision = recorded
	return tally, nil
}

// refusal says why a decision does not count, in the order that
// ledger.Decisions documents; empty when it counts.
func refusal(now ledger.Record, made []ledger.Recorded, d reward.Decision, acceptUnverified bool) string {
	if why := closedTo(now, made); why != "" {
		return why
	}
	if !d.Verified && !acceptUnverified {
		return "an unverified decision does not count here: decide with a signed-in identity"
	}
	if d.Verified && !holdsRole(d.Roles, now.Role) {
		if now.Role != "" {
			return "the policy asks for the role " + now.Role
		}
		return "the role approver or finance is needed to decide"
	}
	if now.Excludes(d.By) {
		return d.By + " may not decide about this reward: the policy leaves it to others"
	}
	if mayOmitDigest := !d.Verified && d.Digest == ""; now.Digest == "" || (d.Digest != now.Digest && !mayOmitDigest) {
		return "the reward is not what was shown any more: look again and decide on the current digest"
	}
	if strings.TrimSpace(d.By) == "" {
		return "the decision names nobody"
	}
	for _, earlier := range made {
		if earlier.Counted && earlier.Digest == now.Digest && ledger.SamePerson(earlier.By, d.By) {
			return fmt.Sprintf("%s has decided already: %s on %s", d.By, pastTense(earlier.Verdict), onDay(earlier.At))
		}
	}
	return ""
}

// closedTo says why no decision can be taken now: the matter is settled, or
// the status does not wait for one. A reward that is held waits only while
// the policy's question is open.
func closedTo(now ledger.Record, made []ledger.Recorded) string {
	if last, settled := settledBy(now, made); settled {
		return fmt.Sprintf("the reward is %s: %s %s it on %s", now.Status, last.By, pastTense(last.Verdict), onDay(last.At))
	}
	if now.Status == reward.AwaitingApproval || (now.Status == reward.Held && now.Approvals > 0) {
		return ""
	}
	return fmt.Sprintf("the reward is %s and waits for no decision", now.Status)
}

// settledBy returns the decision that settled the matter.
func settledBy(now ledger.Record, made []ledger.Recorded) (ledger.Recorded, bool) {
	tally := tallyOf(now, made)
	if !tally.Approved && !tally.Rejected {
		return ledger.Recorded{}, false
	}
	for _, d := range slices.Backward(made) {
		if d.Counted && d.Digest == now.Digest {
			return d, true
		}
	}
	return ledger.Recorded{}, false
}

// tallyOf counts what was decided on what is shown now.
func tallyOf(now ledger.Record, made []ledger.Recorded) ledger.Tally {
	tally := ledger.Tally{Needed: now.Approvals}
	if tally.Needed < 1 && now.Status == reward.AwaitingApproval {
		tally.Needed = 1 // Whoever waits for approval is never approved by nobody.
	}
	for _, d := range made {
		if !d.Counted || d.Digest != now.Digest {
			continue
		}
		switch d.Verdict {
		case reward.Approve:
			tally.Approvals++
		case reward.Reject:
			tally.Rejected = true
		}
	}
	tally.Approved = !tally.Rejected && tally.Needed >= 1 && tally.Approvals >= tally.Needed
	return tally
}

func holdsRole(held []string, asked string) bool {
	if asked != "" {
		return slices.Contains(held, asked)
	}
	return slices.Contains(held, roleApprover) || slices.Contains(held, roleFinance)
}

func pastTense(v reward.Verdict) string {
	if v == reward.Reject {
		return "rejected"
	}
	return "approved"
}

func onDay(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

// TallyOf implements ledger.Decisions.
func (l *Ledger) TallyOf(ctx context.Context, id reward.ID) (ledger.Tally, error) {
	// Decisions and status belong together, so both come from one snapshot.
	return snapshot(ctx, l, "ledger.tally", func(ctx context.Context, q querier) (ledger.Tally, error) {
		now, err := record(ctx, q, id)
		if err != nil {
			return ledger.Tally{}, err
		}
		made, err := decisionsOf(ctx, q, id)
		return tallyOf(now, made), err
	})
}

const selectDecision = `SELECT id, reward_id, person, verified, roles, lane, verdict, comment, digest, at, counted, refusal
	FROM decisions`

func scanDecision(row scanner) (ledger.Recorded, error) {
	var d ledger.Recorded
	var roles []byte
	var at int64
	err := row.Scan(&d.ID, &d.RewardID, &d.By, &d.Verified, &roles, &d.Lane, &d.Verdict, &d.Comment, &d.Digest, &at,
		&d.Counted, &d.Refusal)
	if err != nil {
		return ledger.Recorded{}, err
	}
	d.At = fromMillis(at)
	return d, json.Unmarshal(roles, &d.Roles)
}

func (t *tx) decisionWith(ctx context.Context, id string) (ledger.Recorded, bool, error) {
	d, err := scanDecision(t.queryRow(ctx, selectDecision+` WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Recorded{}, false, nil
	}
	return d, err == nil, err
}

func (t *tx) keepDecision(ctx context.Context, d ledger.Recorded) error {
	roles, err := json.Marshal(d.Roles)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `INSERT INTO decisions
		(id, reward_id, person, verified, roles, lane, verdict, comment, digest, at, counted, refusal)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		d.ID, d.RewardID, d.By, d.Verified, string(roles), d.Lane, d.Verdict, d.Comment, d.Digest, millis(d.At), d.Counted, d.Refusal)
	return err
}

func decisionsOf(ctx context.Context, q querier, id reward.ID) ([]ledger.Recorded, error) {
	rows, err := q.query(ctx, selectDecision+` WHERE reward_id = ? ORDER BY seq`, id)
	return collect(rows, err, scanDecision)
}

// DecisionsOf implements ledger.Decisions.
func (l *Ledger) DecisionsOf(ctx context.Context, id reward.ID) ([]ledger.Recorded, error) {
	return listOf(ctx, l, "ledger.decisions", id, selectDecision+` WHERE reward_id = ? ORDER BY seq`, scanDecision)
}

// Undelivered implements ledger.Decisions.
func (l *Ledger) Undelivered(ctx context.Context, before time.Time, n int) ([]ledger.Recorded, error) {
	return read(ctx, l, "ledger.undelivered", func(ctx context.Context, q querier) ([]ledger.Recorded, error) {
		rows, err := q.query(ctx, selectDecision+` WHERE counted = 1 AND delivered_at = 0 AND at < ?
			AND EXISTS (SELECT 1 FROM rewards r WHERE r.id = decisions.reward_id AND r.status NOT IN (?, ?, ?, ?)) ORDER BY seq LIMIT ?`,
			millis(before), reward.Fulfilled, reward.FulfilledElsewhere, reward.Rejected, reward.Abandoned, max(n, 0))
		return collect(rows, err, scanDecision)
	})
}

// MarkDelivered implements ledger.Decisions. A decision that is not there is
// fault.NotFound.
func (l *Ledger) MarkDelivered(ctx context.Context, decisionID string) error {
	const op = "ledger.mark_delivered"
	return l.writer.do(ctx, op, func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, `UPDATE decisions SET delivered_at = ? WHERE id = ? AND delivered_at = 0`, millis(t.now), decisionID)
		if err != nil || n == 1 {
			return err
		}
		_, there, err := t.decisionWith(ctx, decisionID)
		if err == nil && !there {
			err = notFound(op, "the ledger has no such decision")
		}
		return err
	})
}
