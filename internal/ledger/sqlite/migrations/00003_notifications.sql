-- What notification channels were told, and in which order they are told it.

-- +goose Up

-- What an event is about: messages about one subject are told in its order.
-- Events that are older than this column have none, and wait for nothing.
ALTER TABLE inbox ADD COLUMN subject TEXT NOT NULL DEFAULT '';
CREATE INDEX inbox_subject_waiting ON inbox (subject, id) WHERE subject <> '' AND dispatch = 1 AND dispatched_at = 0;
-- +goose StatementBegin
CREATE TRIGGER inbox_subject_frozen BEFORE UPDATE OF subject ON inbox
BEGIN SELECT RAISE(ABORT, 'an accepted event does not change'); END;
-- +goose StatementEnd

-- One row for each event and channel that is told of it, from when the event
-- was dispatched.
CREATE TABLE notifications (
    inbox_id      INTEGER NOT NULL REFERENCES inbox (id),
    channel       TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    dispatched_at INTEGER NOT NULL,
    state         TEXT    NOT NULL DEFAULT '', -- '' while it is open
    reason        TEXT    NOT NULL DEFAULT '',
    ended_at      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (inbox_id, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX notifications_open ON notifications (channel, subject, inbox_id) WHERE state = '' AND subject <> '';
CREATE INDEX notifications_unended ON notifications (inbox_id) WHERE state = '';
-- +goose StatementBegin
CREATE TRIGGER notifications_kept BEFORE DELETE ON notifications BEGIN SELECT RAISE(ABORT, 'notifications are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER notifications_end_once BEFORE UPDATE ON notifications WHEN OLD.state <> '' AND NEW.state <> ''
BEGIN SELECT RAISE(ABORT, 'a notification ends once, unless it is opened again'); END;
-- +goose StatementEnd

-- Channels whose other side wants nothing more, by the digest of their
-- configuration.
CREATE TABLE disabled_channels (
    fingerprint TEXT    NOT NULL PRIMARY KEY,
    channel     TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- +goose StatementBegin
CREATE TRIGGER disabled_channels_kept BEFORE DELETE ON disabled_channels
BEGIN SELECT RAISE(ABORT, 'disabled channels are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER disabled_channels_frozen BEFORE UPDATE ON disabled_channels
BEGIN SELECT RAISE(ABORT, 'a disabled channel stays so'); END;
-- +goose StatementEnd
