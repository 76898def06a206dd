package ledgertest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func notificationChecks() []check {
	return []check{
		{"TellingEndsOnce", tellingEndsOnce},
		{"ReplayedMessageIsOpenAgain", replayedMessageIsOpenAgain},
		{"EarlierMessageOfTheSubjectComesFirst", earlierMessageComesFirst},
		{"UndispatchedEventComesFirstIfItsTypeIsWanted", undispatchedEventComesFirst},
		{"ChannelThatWasNotToldDoesNotWait", channelThatWasNotToldDoesNotWait},
		{"EventsWithoutSubjectWaitForNothing", eventsWithoutSubjectWaitForNothing},
		{"WhatIsOpenForTooLongIsNotWaitedFor", openForTooLongIsNotWaitedFor},
		{"ChannelIsQuickerThanTheDispatcher", channelIsQuickerThanTheDispatcher},
		{"EventsAboutAReward", eventsAboutAReward},
		{"NotificationOfNothing", notificationOfNothing},
		{"DisabledChannelStaysDisabled", disabledChannelStaysDisabled},
		{"OpenNotificationsAreFound", openNotificationsAreFound},
		{"AnnouncedOnce", announcedOnce},
		{"PaidBetween", paidBetween},
	}
}

// lead accepts the nth event of a lead.
func (b *bundle) lead(t *testing.T, lead string, n int) int64 {
	t.Helper()
	return b.accept(t, ledger.Event{
		Type: "lead_signup", Dedupe: fmt.Sprintf("%s/%d", lead, n), EventID: fmt.Sprintf("%s%d", lead, n),
		Subject: lead, Body: []byte(`{}`), Dispatch: true,
	}).Inbox
}

func (b *bundle) dispatched(t *testing.T, inbox int64, channels ...string) {
	t.Helper()
	require.NoError(t, b.MarkDispatched(b.ctx, []ledger.Dispatched{{Inbox: inbox, WorkflowID: "w", Channels: channels}}))
}

// notification asks about a message to a channel that wants sign-ups.
func (b *bundle) notification(t *testing.T, inbox int64, channel string) ledger.Notification {
	t.Helper()
	n, err := b.Notification(b.ctx, ledger.NotificationQuery{
		Inbox: inbox, Channel: channel, Events: []string{"lead_cancelled", "lead_signup"}, Fingerprint: "f-" + channel,
		OpenSince: b.clock.Now().Add(-24 * time.Hour),
	})
	require.NoError(t, err)
	return n
}

func (b *bundle) end(t *testing.T, inbox int64, channel string, state ledger.NotificationState, reason string) {
	t.Helper()
	require.NoError(t, b.EndNotification(b.ctx, ledger.NotificationEnd{Inbox: inbox, Channel: channel, State: state, Reason: reason}))
}

func tellingEndsOnce(t *testing.T, b *bundle) {
	inbox := b.lead(t, "lead-1", 1)
	b.dispatched(t, inbox, "ops", "team")
	n := b.notification(t, inbox, "ops")
	require.Equal(t, ledger.NotificationOpen, n.State)
	want, err := b.Event(b.ctx, inbox)
	require.NoError(t, err)
	require.Equal(t, want, n.Event)

	b.end(t, inbox, "ops", ledger.NotificationTold, "")
	b.end(t, inbox, "ops", ledger.NotificationGivenUp, "too late")
	n = b.notification(t, inbox, "ops")
	require.Equal(t, ledger.NotificationTold, n.State)
	require.Empty(t, n.Reason, "what was recorded first stays")

	b.end(t, inbox, "team", ledger.NotificationGivenUp, "nobody listens")
	b.end(t, inbox, "team", ledger.NotificationTold, "")
	n = b.notification(t, inbox, "team")
	require.Equal(t, ledger.NotificationGivenUp, n.State)
	require.Equal(t, "nobody listens", n.Reason)

	err = b.EndNotification(b.ctx, ledger.NotificationEnd{Inbox: inbox, Channel: "ops"})
	require.Equal(t, fault.Invalid, fault.KindOf(err))
}

func earlierMessageComesFirst(t *testing.T, b *bundle) {
	first, other, second, third := b.lead(t, "lead-1", 1), b.lead(t, "lead-2", 1), b.lead(t, "lead-1", 2), b.lead(t, "lead-1", 3)
	for _, inbox := range []int64{first, other, second, third} {
		b.dispatched(t, inbox, "ops", "team")
	}
	before := func(inbox int64, channel string) int64 { return b.notification(t, inbox, channel).Before }
	require.Zero(t, before(first, "ops"))
	require.Zero(t, before(other, "ops"), "another subject does not wait")
	require.Equal(t, first, before(second, "ops"))
	require.Equal(t, first, before(third, "ops"))

	b.end(t, first, "ops", ledger.NotificationTold, "")
	require.Zero(t, before(second, "ops"))
	require.Equal(t, second, before(third, "ops"))
	require.Equal(t, first, before(second, "team"), "another channel has its own order")
	b.end(t, first, "team", ledger.NotificationGivenUp, "a day is over")
	require.Zero(t, before(second, "team"), "what was given up is not waited for")
}

func undispatchedEventComesFirst(t *testing.T, b *bundle) {
	first, second := b.lead(t, "lead-1", 1), b.lead(t, "lead-1", 2)
	b.dispatched(t, second, "ops")
	require.Equal(t, first, b.notification(t, second, "ops").Before)
	for _, events := range [][]string{nil, {"lead_cancelled"}} {
		n, err := b.Notification(b.ctx, ledger.NotificationQuery{Inbox: second, Channel: "ops", Events: events})
		require.NoError(t, err)
		require.Zero(t, n.Before, "the channel does not want it: %v", events)
	}
	b.end(t, first, "ops", ledger.NotificationTold, "")
	require.Zero(t, b.notification(t, second, "ops").Before, "it was told before it was marked as dispatched")
}

func channelThatWasNotToldDoesNotWait(t *testing.T, b *bundle) {
	first := b.lead(t, "lead-1", 1)
	b.dispatched(t, first, "ops")
	second := b.lead(t, "lead-1", 2)
	b.dispatched(t, second, "ops", "new")
	require.Equal(t, first, b.notification(t, second, "ops").Before)
	require.Zero(t, b.notification(t, second, "new").Before, "a channel that was configured later was never told of the first")
}

func eventsWithoutSubjectWaitForNothing(t *testing.T, b *bundle) {
	first, second := b.lead(t, "", 1), b.lead(t, "", 2)
	b.dispatched(t, second, "ops")
	require.Zero(t, b.notification(t, second, "ops").Before)
	b.dispatched(t, first, "ops")
	require.Zero(t, b.notification(t, second, "ops").Before)
}

func openForTooLongIsNotWaitedFor(t *testing.T, b *bundle) {
	first, second := b.lead(t, "lead-1", 1), b.lead(t, "lead-1", 2)
	b.dispatched(t, first, "ops")
	b.clock.advance(24*time.Hour - time.Millisecond)
	b.dispatched(t, second, "ops")
	require.Equal(t, first, b.notification(t, second, "ops").Before)
	b.clock.advance(time.Millisecond)
	require.Zero(t, b.notification(t, second, "ops").Before)
}

func channelIsQuickerThanTheDispatcher(t *testing.T, b *bundle) {
	inbox := b.lead(t, "lead-1", 1)
	b.end(t, inbox, "ops", ledger.NotificationTold, "")
	b.dispatched(t, inbox, "ops", "team")
	require.Equal(t, ledger.NotificationTold, b.notification(t, inbox, "ops").State)
	require.Equal(t, ledger.NotificationOpen, b.notification(t, inbox, "team").State)
	b.dispatched(t, inbox, "late")
	second := b.lead(t, "lead-1", 2)
	require.Zero(t, b.notification(t, second, "late").Before, "what a row says first stays")
	require.Equal(t, inbox, b.notification(t, second, "team").Before)
}

func eventsAboutAReward(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	b.accept(t, pending(8, 1))
	for _, id := range []reward.ID{7, 8, 7} {
		require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: id, To: reward.Attention, Reason: b.clock.Now().String(), Notify: "reward_attention"}))
		b.clock.advance(time.Second)
	}
	rows := b.notices(t)
	require.Len(t, rows, 3)
	for _, row := range rows {
		b.dispatched(t, row.Inbox, "ops")
	}
	require.Zero(t, b.notification(t, rows[1].Inbox, "ops").Before)
	require.Equal(t, rows[0].Inbox, b.notification(t, rows[2].Inbox, "ops").Before, "messages about one reward keep their order")
}

func notificationOfNothing(t *testing.T, b *bundle) {
	_, err := b.Notification(b.ctx, ledger.NotificationQuery{Inbox: 12, Channel: "ops"})
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	err = b.EndNotification(b.ctx, ledger.NotificationEnd{Inbox: 12, Channel: "ops", State: ledger.NotificationTold})
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}

func openNotificationsAreFound(t *testing.T, b *bundle) {
	first, second, third := b.lead(t, "lead-1", 1), b.lead(t, "lead-1", 2), b.lead(t, "", 3)
	b.lead(t, "lead-1", 4) // It is not dispatched.
	b.dispatched(t, first, "ops", "team", "audit")
	b.clock.advance(time.Hour)
	b.dispatched(t, second, "ops")
	b.dispatched(t, third, "ops")
	open := func(from, to time.Time, after int64, n int) []ledger.OpenNotification {
		rows, err := b.OpenNotifications(b.ctx, from, to, after, n)
		require.NoError(t, err)
		return rows
	}
	day := start().Add(24 * time.Hour)
	b.end(t, first, "team", ledger.NotificationTold, "")
	b.end(t, third, "ops", ledger.NotificationGivenUp, "no")
	all := open(start(), day, 0, 10)
	require.Equal(t, []ledger.OpenNotification{
		{Inbox: first, Type: "lead_signup", EventID: "lead-11", Channels: []string{"audit", "ops"}},
		{Inbox: second, Type: "lead_signup", EventID: "lead-12", Channels: []string{"ops"}},
	}, all)
	require.Equal(t, all[:1], open(start(), day, 0, 1))
	require.Equal(t, all[1:], open(start(), day, first, 10))
	require.Equal(t, all[:1], open(start(), start().Add(time.Hour), 0, 10))
	require.Equal(t, all[1:], open(start().Add(time.Millisecond), day, 0, 10))
}

func disabledChannelStaysDisabled(t *testing.T, b *bundle) {
	inbox := b.lead(t, "lead-1", 1)
	require.Zero(t, b.notification(t, inbox, "team").Disabled)
	gone := ledger.DisabledChannel{Fingerprint: "f-team", Channel: "team", Reason: "the endpoint is gone (HTTP 410)"}
	require.NoError(t, b.DisableChannel(b.ctx, gone))
	gone.At = start()
	b.clock.advance(time.Hour)
	require.NoError(t, b.DisableChannel(b.ctx, ledger.DisabledChannel{Fingerprint: "f-team", Channel: "other", Reason: "again"}))

	require.Equal(t, gone, b.notification(t, inbox, "team").Disabled, "what was recorded first stays")
	require.Zero(t, b.notification(t, inbox, "ops").Disabled, "another configuration is another channel")
	all, err := b.DisabledChannels(b.ctx)
	require.NoError(t, err)
	require.Equal(t, []ledger.DisabledChannel{gone}, all)
	require.Equal(t, fault.Invalid, fault.KindOf(b.DisableChannel(b.ctx, ledger.DisabledChannel{Channel: "team"})))
}

func announcedOnce(t *testing.T, b *bundle) {
	day := ledger.Event{Type: "daily_summary", Dedupe: "2026-03-10", EventID: "2026-03-10", Subject: "daily_summary", Body: []byte(`{}`), Dispatch: true}
	var made atomic.Int64
	var racers sync.WaitGroup
	for range 8 {
		racers.Go(func() {
			isNew, err := b.Announce(b.ctx, day)
			if err == nil && isNew {
				made.Add(1)
			}
		})
	}
	racers.Wait()
	require.EqualValues(t, 1, made.Load())
	rows := b.notices(t)
	require.Len(t, rows, 1)
	require.Equal(t, "daily_summary", rows[0].Type)
	require.Equal(t, "2026-03-10", rows[0].EventID)

	for _, wrong := range []ledger.Event{{Dedupe: "1"}, {Type: "daily_summary"}, pending(7, 1)} {
		_, err := b.Announce(b.ctx, wrong)
		require.Equal(t, fault.Invalid, fault.KindOf(err))
	}
}

func paidBetween(t *testing.T, b *bundle) {
	b.paid(t, 7)
	b.clock.advance(time.Hour)
	b.paid(t, 8)
	b.paid(t, 9)
	b.reserved(t, 10)
	sum := func(from, to time.Time) []ledger.PaidTotal {
		totals, err := b.PaidBetween(b.ctx, from, to)
		require.NoError(t, err)
		return totals
	}
	hour := start().Add(time.Hour)
	require.Equal(t, []ledger.PaidTotal{{Unit: reward.FreeMonths, Count: 1, Amount: 3}}, sum(start(), hour))
	require.Equal(t, []ledger.PaidTotal{{Unit: reward.FreeMonths, Count: 2, Amount: 6}}, sum(hour, hour.Add(time.Hour)))
	require.Empty(t, sum(hour.Add(time.Millisecond), hour.Add(time.Hour)))
}

func replayedMessageIsOpenAgain(t *testing.T, b *bundle) {
	inbox := b.lead(t, "lead-1", 1)
	b.dispatched(t, inbox, "ops", "team", "other")
	b.end(t, inbox, "ops", ledger.NotificationTold, "")
	b.end(t, inbox, "team", ledger.NotificationGivenUp, "nobody listens")
	b.end(t, inbox, "other", ledger.NotificationTold, "")

	b.clock.advance(48 * time.Hour)
	require.NoError(t, b.ReopenNotifications(b.ctx, inbox, []string{"ops", "team", "new"}))
	for _, channel := range []string{"ops", "team"} {
		n := b.notification(t, inbox, channel)
		require.Equal(t, ledger.NotificationOpen, n.State)
		require.Empty(t, n.Reason)
	}
	require.Equal(t, ledger.NotificationTold, b.notification(t, inbox, "other").State, "nobody asked for it")
	later := b.lead(t, "lead-1", 2)
	b.dispatched(t, later, "ops")
	require.Equal(t, inbox, b.notification(t, later, "ops").Before, "it is waited for again")
	b.end(t, inbox, "ops", ledger.NotificationTold, "")
	require.Zero(t, b.notification(t, later, "ops").Before)
}
