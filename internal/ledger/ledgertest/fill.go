package ledgertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// KeptTables are the tables of which nothing may be deleted.
func KeptTables() []string {
	return []string{
		"inbox", "deliveries", "rewards", "changes", "decisions", "resolutions", "payout_generations",
		"payouts", "payout_references", "payout_moves", "attempts", "brake_changes", "replays", "notifications", "disabled_channels",
		"data_keys", "erasures",
	}
}

// ForbiddenUpdates are statements that a ledger which Fill filled refuses.
func ForbiddenUpdates() []string {
	return []string{
		`UPDATE inbox SET body = ''`,
		`UPDATE inbox SET body = '{}'`,
		`UPDATE inbox SET subject = 'another'`,
		`UPDATE notifications SET state = 'given_up'`,
		`UPDATE disabled_channels SET reason = ''`,
		`UPDATE deliveries SET answer = 200`,
		`UPDATE changes SET reason = ''`,
		`UPDATE decisions SET counted = 1`,
		`UPDATE decisions SET verdict = 'approve'`,
		`UPDATE resolutions SET person = 'mallory'`,
		`UPDATE payout_generations SET amount = 99`,
		`UPDATE payout_generations SET destination = 'elsewhere'`,
		`UPDATE payout_generations SET destination = '(erased)', body = ''`,
		`UPDATE erasures SET person = 'mallory'`,
		`UPDATE data_keys SET erased_at = 0`,
		`UPDATE payout_references SET reward_id = 2`,
		`UPDATE payout_moves SET to_state = 'paid'`,
		`UPDATE attempts SET outcome = 'refused'`,
		`UPDATE attempts SET key = 'another'`,
		`UPDATE brake_changes SET paused = 0`,
		`UPDATE replays SET person = 'mallory'`,
		`UPDATE replays SET outcome = 'another'`,
		`UPDATE payouts SET fence = 0`,
		`UPDATE payouts SET state = 'submitting'`,
		`UPDATE payouts SET generation = 0`,
		`UPDATE rewards SET close_fence = -1`,
	}
}

// Fill puts something into every table of KeptTables.
func Fill(t *testing.T, l ledger.Ledger) {
	t.Helper()
	ctx := t.Context()
	receipt, err := l.Accept(ctx, pending(1, 1), time.Minute)
	require.NoError(t, err)
	require.NoError(t, l.MarkDispatched(ctx, []ledger.Dispatched{{Inbox: receipt.Inbox}}))
	_, err = l.Replay(ctx, receipt.Inbox, ledger.Order{By: "alice"})
	require.NoError(t, err)
	replays, err := l.LeaseReplays(ctx, "here", 1, time.Minute)
	require.NoError(t, err)
	require.NoError(t, l.FinishReplay(ctx, replays[0].Replay, "", "nothing new"))
	require.NoError(t, l.EndNotification(ctx, ledger.NotificationEnd{Inbox: receipt.Inbox, Channel: "ops", State: ledger.NotificationTold}))
	require.NoError(t, l.DisableChannel(ctx, ledger.DisabledChannel{Fingerprint: "f", Channel: "ops"}))
	require.NoError(t, l.SetBrake(ctx, ledger.BrakeState{Scope: "billing", By: "alice"}))
	require.NoError(t, l.RecordResolution(ctx, reward.Resolution{ID: "r", RewardID: 1, Action: reward.ActionRetry}))
	_, err = l.Decide(ctx, reward.Decision{ID: "d", RewardID: 1, By: "alice", Verdict: reward.Approve}, false)
	require.NoError(t, err)
	_, err = l.Reserve(ctx, ledger.Reservation{
		RewardID: 1, Provider: "billing", Quantity: owed(1).Quantity,
		Request: payout.Request{Key: payout.Key(1, 1)}, At: time.Now(),
	})
	require.NoError(t, err)
	c, err := l.Claim(ctx, 1, ledger.Caps{}, time.Now(), time.Now().Add(time.Minute))
	require.NoError(t, err)
	_, err = l.Finish(ctx, c.Attempt, payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "ref"})
	require.NoError(t, err)
	_, err = l.AddDataKey(ctx, ledger.DataKey{ID: "k", Subject: ledger.PromoterSubject(99), RingKey: "r", Wrapped: []byte{1}})
	require.NoError(t, err)
	_, err = l.ErasePromoter(ctx, 99, "admin")
	require.NoError(t, err)
}
