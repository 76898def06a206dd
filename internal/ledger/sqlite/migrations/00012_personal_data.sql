-- Keys of personal data, each encrypted with a key that is not in here, and what
-- erasing a promoter's needs.

-- +goose Up
CREATE TABLE data_keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    subject    TEXT    NOT NULL,
    ring_key   TEXT    NOT NULL,
    wrapped    BLOB    NOT NULL, -- empty once it was erased
    created_at INTEGER NOT NULL,
    erased_at  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX data_keys_writing ON data_keys (subject) WHERE erased_at = 0;
CREATE INDEX data_keys_ring ON data_keys (ring_key, id) WHERE erased_at = 0;
-- +goose StatementBegin
CREATE TRIGGER data_keys_kept BEFORE DELETE ON data_keys BEGIN SELECT RAISE(ABORT, 'data keys are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER data_keys_stay_erased BEFORE UPDATE ON data_keys WHEN OLD.erased_at <> 0
BEGIN SELECT RAISE(ABORT, 'an erased key stays erased'); END;
-- +goose StatementEnd

-- Whose data was erased, when, and by whom.
CREATE TABLE erasures (
    id          INTEGER PRIMARY KEY,
    promoter_id INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    person      TEXT    NOT NULL,
    rewards     INTEGER NOT NULL,
    events      INTEGER NOT NULL,
    payouts     INTEGER NOT NULL,
    keys        INTEGER NOT NULL
) STRICT;
CREATE INDEX erasures_promoter ON erasures (promoter_id, id);
-- +goose StatementBegin
CREATE TRIGGER erasures_kept BEFORE DELETE ON erasures BEGIN SELECT RAISE(ABORT, 'erasures are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER erasures_frozen BEFORE UPDATE ON erasures BEGIN SELECT RAISE(ABORT, 'an erasure does not change'); END;
-- +goose StatementEnd

-- Holds a row within a transaction that erases, and never after one: only such a
-- transaction may blank what was frozen.
CREATE TABLE erasing (promoter_id INTEGER NOT NULL PRIMARY KEY) STRICT;

DROP TRIGGER inbox_frozen;
-- +goose StatementBegin
CREATE TRIGGER inbox_frozen BEFORE UPDATE OF id, type, dedupe, event_id, reward_id, traceparent, dispatch, accepted_at ON inbox
BEGIN SELECT RAISE(ABORT, 'an accepted event does not change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER inbox_body_frozen BEFORE UPDATE OF body ON inbox
WHEN NOT EXISTS (SELECT 1 FROM erasing) OR NEW.body <> x'7B7D'
BEGIN SELECT RAISE(ABORT, 'an accepted event does not change'); END;
-- +goose StatementEnd
DROP TRIGGER payout_generations_frozen;
-- +goose StatementBegin
CREATE TRIGGER payout_generations_frozen
BEFORE UPDATE OF reward_id, generation, provider, amount, unit, currency, key, reserved_at, actor ON payout_generations
BEGIN SELECT RAISE(ABORT, 'what is frozen stays frozen'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_requests_frozen BEFORE UPDATE OF destination, body ON payout_generations
WHEN NOT EXISTS (SELECT 1 FROM erasing) OR NEW.destination <> '(erased)' OR length(NEW.body) <> 0
BEGIN SELECT RAISE(ABORT, 'what is frozen stays frozen'); END;
-- +goose StatementEnd
