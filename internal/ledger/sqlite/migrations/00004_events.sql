-- The delivery log, replays, and what was answered without being stored.

-- +goose Up
CREATE INDEX inbox_accepted ON inbox (accepted_at, id);
CREATE INDEX inbox_type ON inbox (type, accepted_at, id);
CREATE INDEX deliveries_inbox ON deliveries (inbox_id, id);
CREATE INDEX deliveries_unusual ON deliveries (answer, inbox_id) WHERE answer <> 202;

-- What people want to be dispatched again. An event waits here at most once.
CREATE TABLE replays (
    id          INTEGER PRIMARY KEY,
    inbox_id    INTEGER NOT NULL REFERENCES inbox (id),
    at          INTEGER NOT NULL,
    person      TEXT    NOT NULL,
    verified    INTEGER NOT NULL,
    again       INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    due_at      INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT    NOT NULL DEFAULT '',
    lease_until INTEGER NOT NULL DEFAULT 0,
    done_at     INTEGER NOT NULL DEFAULT 0,
    workflow_id TEXT    NOT NULL DEFAULT '',
    outcome     TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX replays_inbox ON replays (inbox_id, id);
CREATE UNIQUE INDEX replays_waiting ON replays (inbox_id) WHERE done_at = 0;
CREATE INDEX replays_queue ON replays (id) WHERE done_at = 0;

-- Counts by the hour of deliveries that were not stored. These are no record of
-- an event, and the one thing that is dropped when it is old.
CREATE TABLE unstored (
    hour      INTEGER NOT NULL,
    answer    INTEGER NOT NULL,
    reason    TEXT    NOT NULL,
    type      TEXT    NOT NULL,
    reward_id INTEGER NOT NULL, -- 0 where none was named
    count     INTEGER NOT NULL,
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    PRIMARY KEY (hour, answer, reason, type, reward_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX unstored_reward ON unstored (reward_id, last_at) WHERE reward_id <> 0;

-- +goose StatementBegin
CREATE TRIGGER replays_kept BEFORE DELETE ON replays BEGIN SELECT RAISE(ABORT, 'replays are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER replays_frozen BEFORE UPDATE OF id, inbox_id, at, person, verified, again ON replays
BEGIN SELECT RAISE(ABORT, 'a replay does not change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER replays_finish_once BEFORE UPDATE ON replays WHEN OLD.done_at <> 0
BEGIN SELECT RAISE(ABORT, 'a replay finishes once'); END;
-- +goose StatementEnd
