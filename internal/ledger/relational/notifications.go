package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
)

// Notification implements ledger.Notifications.
func (l *Ledger) Notification(ctx context.Context, q ledger.NotificationQuery) (ledger.Notification, error) {
	const op = "ledger.notification"
	return snapshot(ctx, l, op, func(ctx context.Context, from querier) (ledger.Notification, error) {
		var n ledger.Notification
		var subject string
		err := from.queryRow(ctx, `SELECT e.id, e.type, e.event_id, e.reward_id, e.body, e.traceparent, e.tries, e.subject,
				coalesce(n.state, ''), coalesce(n.reason, '')
			FROM inbox e LEFT JOIN notifications n ON n.inbox_id = e.id AND n.channel = ?
			WHERE e.id = ?`, q.Channel, q.Inbox).Scan(
			&n.Event.Inbox, &n.Event.Type, &n.Event.EventID, &n.Event.RewardID, &n.Event.Body, &n.Event.Traceparent, &n.Event.Tries,
			&subject, &n.State, &n.Reason)
		if errors.Is(err, sql.ErrNoRows) {
			return n, notFound(op, fmt.Sprintf("the inbox has no row %d", q.Inbox))
		}
		if err != nil || n.State != ledger.NotificationOpen {
			return n, err
		}
		if n.Disabled, err = disabled(ctx, from, q.Fingerprint); err != nil || subject == "" {
			return n, err
		}
		n.Before, err = toldBefore(ctx, from, subject, q)
		return n, err
	})
}

// disabled returns the zero value for a channel that takes messages.
func disabled(ctx context.Context, from querier, fingerprint string) (ledger.DisabledChannel, error) {
	d, err := scanDisabled(from.queryRow(ctx, selectDisabled+` WHERE fingerprint = ?`, fingerprint))
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.DisabledChannel{}, nil
	}
	return d, err
}

// toldBefore returns the first message that has not ended and must be told
// before. One that was not dispatched yet counts if the channel wants its type.
func toldBefore(ctx context.Context, from querier, subject string, q ledger.NotificationQuery) (int64, error) {
	args := []any{q.Channel, subject, q.Inbox, millis(q.OpenSince)}
	query := `SELECT min(inbox_id) AS id FROM notifications
		WHERE channel = ? AND subject = ? AND subject <> '' AND state = '' AND inbox_id < ? AND dispatched_at > ?`
	if len(q.Events) > 0 {
		query += ` UNION ALL SELECT min(e.id) FROM inbox e
			WHERE e.subject = ? AND e.subject <> '' AND e.dispatch = 1 AND e.dispatched_at = 0 AND e.id < ?
				AND e.type IN (?` + strings.Repeat(`, ?`, len(q.Events)-1) + `)
				AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.inbox_id = e.id AND n.channel = ? AND n.state <> '')`
		args = append(args, subject, q.Inbox)
		for _, event := range q.Events {
			args = append(args, event)
		}
		args = append(args, q.Channel)
	}
	var before sql.NullInt64
	err := from.queryRow(ctx, `SELECT min(id) FROM (`+query+`) AS told`, args...).Scan(&before)
	return before.Int64, err
}

// openNotifications writes down who is told of a dispatched event. A channel
// that was quicker than this has its row already.
func (t *tx) openNotifications(ctx context.Context, row ledger.Dispatched) error {
	for _, channel := range row.Channels {
		_, err := t.exec(ctx, `INSERT INTO notifications (inbox_id, channel, subject, dispatched_at)
			SELECT id, ?, subject, ? FROM inbox WHERE id = ? ON CONFLICT DO NOTHING`, channel, millis(t.now), row.Inbox)
		if err != nil {
			return err
		}
	}
	return nil
}

// EndNotification implements ledger.Notifications.
func (l *Ledger) EndNotification(ctx context.Context, end ledger.NotificationEnd) error {
	const op = "ledger.end_notification"
	if end.State != ledger.NotificationTold && end.State != ledger.NotificationGivenUp {
		return invalid(op, fmt.Sprintf("a notification does not end as %q", end.State))
	}
	return l.writer.do(ctx, op, func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, `INSERT INTO notifications (inbox_id, channel, subject, dispatched_at, state, reason, ended_at)
			SELECT id, ?, subject, ?, ?, ?, ? FROM inbox WHERE id = ?
			ON CONFLICT (inbox_id, channel) DO UPDATE
			SET state = excluded.state, reason = excluded.reason, ended_at = excluded.ended_at WHERE notifications.state = ''`,
			end.Channel, millis(t.now), end.State, end.Reason, millis(t.now), end.Inbox)
		if err != nil || n == 1 {
			return err
		}
		return t.requireInbox(ctx, op, end.Inbox)
	})
}

// ReopenNotifications implements ledger.Notifications.
func (l *Ledger) ReopenNotifications(ctx context.Context, inbox int64, channels []string) error {
	return l.writer.do(ctx, "ledger.reopen_notifications", func(ctx context.Context, t *tx) error {
		for _, channel := range channels {
			_, err := t.exec(ctx, `UPDATE notifications SET state = '', reason = '', ended_at = 0, dispatched_at = ?
				WHERE inbox_id = ? AND channel = ? AND state <> ''`, millis(t.now), inbox, channel)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// OpenNotifications implements ledger.Notifications.
func (l *Ledger) OpenNotifications(ctx context.Context, from, to time.Time, after int64, n int) ([]ledger.OpenNotification, error) {
	const unended = `n.state = '' AND n.inbox_id > ? AND n.dispatched_at >= ? AND n.dispatched_at < ?`
	bounds := []any{after, millis(from), millis(to)}
	return read(ctx, l, "ledger.open_notifications", func(ctx context.Context, q querier) ([]ledger.OpenNotification, error) {
		rows, err := q.query(ctx, `SELECT e.id, e.type, e.event_id, e.traceparent, n.channel
			FROM (SELECT DISTINCT n.inbox_id FROM notifications n WHERE `+unended+` ORDER BY n.inbox_id LIMIT ?) AS page
			JOIN inbox e ON e.id = page.inbox_id
			JOIN notifications n ON n.inbox_id = page.inbox_id AND `+unended+`
			ORDER BY e.id, n.channel`, append(append(slices.Clone(bounds), n), bounds...)...)
		rowsOf, err := collect(rows, err, func(row scanner) (ledger.OpenNotification, error) {
			o := ledger.OpenNotification{Channels: []string{""}}
			return o, row.Scan(&o.Inbox, &o.Type, &o.EventID, &o.Traceparent, &o.Channels[0])
		})
		var open []ledger.OpenNotification
		for _, o := range rowsOf {
			if last := len(open) - 1; last >= 0 && open[last].Inbox == o.Inbox {
				open[last].Channels = append(open[last].Channels, o.Channels...)
				continue
			}
			open = append(open, o)
		}
		return open, err
	})
}

const selectDisabled = `SELECT fingerprint, channel, reason, at FROM disabled_channels`

func scanDisabled(row scanner) (ledger.DisabledChannel, error) {
	var d ledger.DisabledChannel
	var at int64
	err := row.Scan(&d.Fingerprint, &d.Channel, &d.Reason, &at)
	d.At = fromMillis(at)
	return d, err
}

// DisableChannel implements ledger.Notifications.
func (l *Ledger) DisableChannel(ctx context.Context, d ledger.DisabledChannel) error {
	const op = "ledger.disable_channel"
	if d.Fingerprint == "" {
		return invalid(op, "the channel's configuration has no fingerprint")
	}
	return l.writer.do(ctx, op, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO disabled_channels (fingerprint, channel, reason, at) VALUES (?, ?, ?, ?)
			ON CONFLICT DO NOTHING`, d.Fingerprint, d.Channel, d.Reason, millis(t.now))
		return err
	})
}

// DisabledChannels implements ledger.Notifications.
func (l *Ledger) DisabledChannels(ctx context.Context) ([]ledger.DisabledChannel, error) {
	return read(ctx, l, "ledger.disabled_channels", func(ctx context.Context, q querier) ([]ledger.DisabledChannel, error) {
		rows, err := q.query(ctx, selectDisabled+` ORDER BY at, fingerprint`)
		return collect(rows, err, scanDisabled)
	})
}
