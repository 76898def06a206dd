-- The ledger's first schema. Times are Unix milliseconds in UTC; 0 is "never".
-- Truth values are 0 and 1. Nothing is ever deleted.

-- +goose Up
CREATE TABLE inbox (
    id            INTEGER PRIMARY KEY,
    type          TEXT    NOT NULL,
    dedupe        TEXT    NOT NULL,
    event_id      TEXT    NOT NULL,
    reward_id     INTEGER NOT NULL, -- 0 for everything but fulfilment_pending
    body          BLOB    NOT NULL,
    traceparent   TEXT    NOT NULL,
    dispatch      INTEGER NOT NULL,
    accepted_at   INTEGER NOT NULL,
    tries         INTEGER NOT NULL DEFAULT 0,
    due_at        INTEGER NOT NULL DEFAULT 0,
    lease_owner   TEXT    NOT NULL DEFAULT '',
    lease_until   INTEGER NOT NULL DEFAULT 0,
    trouble       TEXT    NOT NULL DEFAULT '',
    dispatched_at INTEGER NOT NULL DEFAULT 0,
    workflow_id   TEXT    NOT NULL DEFAULT '',
    UNIQUE (type, dedupe)
) STRICT;
CREATE INDEX inbox_waiting ON inbox (id) WHERE dispatch = 1 AND dispatched_at = 0;

CREATE TABLE deliveries (
    id        INTEGER PRIMARY KEY,
    inbox_id  INTEGER NOT NULL REFERENCES inbox (id),
    reward_id INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    answer    INTEGER NOT NULL,
    duplicate INTEGER NOT NULL
) STRICT;
CREATE INDEX deliveries_reward ON deliveries (reward_id, id) WHERE reward_id <> 0;

CREATE TABLE rewards (
    id               INTEGER PRIMARY KEY,
    amount           INTEGER NOT NULL,
    unit             TEXT    NOT NULL,
    currency         TEXT    NOT NULL,
    promoter_id      INTEGER NOT NULL,
    promoter_cust_id TEXT    NOT NULL,
    promoter_email   TEXT    NOT NULL,
    campaign_id      INTEGER NOT NULL,
    campaign_name    TEXT    NOT NULL,
    claim            BLOB    NOT NULL, -- the newest event's claim, as JSON
    defect           TEXT    NOT NULL,
    verified         INTEGER NOT NULL DEFAULT 0,
    status           TEXT    NOT NULL,
    status_since     INTEGER NOT NULL,
    reason           TEXT    NOT NULL,
    provider         TEXT    NOT NULL DEFAULT '',
    digest           TEXT    NOT NULL DEFAULT '',
    policy_version   TEXT    NOT NULL DEFAULT '',
    rule             TEXT    NOT NULL DEFAULT '',
    approvals        INTEGER NOT NULL DEFAULT 0,
    role             TEXT    NOT NULL DEFAULT '',
    hold_until       INTEGER NOT NULL DEFAULT 0,
    next_timer       INTEGER NOT NULL DEFAULT 0,
    received_at      INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    notices          INTEGER NOT NULL DEFAULT 0, -- counts the internal events made
    closing_by       TEXT    NOT NULL DEFAULT '',
    close_call       TEXT    NOT NULL DEFAULT '',
    close_fence      INTEGER NOT NULL DEFAULT 0,
    close_deadline   INTEGER NOT NULL DEFAULT 0,
    close_detail     TEXT    NOT NULL DEFAULT '',
    closed_at        INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX rewards_newest ON rewards (received_at, id);
CREATE INDEX rewards_status ON rewards (status, received_at, id);
CREATE INDEX rewards_promoter ON rewards (promoter_id, received_at, id);

CREATE TABLE changes (
    id          INTEGER PRIMARY KEY,
    reward_id   INTEGER NOT NULL REFERENCES rewards (id),
    at          INTEGER NOT NULL,
    from_status TEXT    NOT NULL,
    to_status   TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    actor       TEXT    NOT NULL
) STRICT;
CREATE INDEX changes_reward ON changes (reward_id, id);

CREATE TABLE decisions (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    reward_id    INTEGER NOT NULL REFERENCES rewards (id),
    person       TEXT    NOT NULL,
    verified     INTEGER NOT NULL,
    roles        TEXT    NOT NULL, -- a JSON array
    lane         TEXT    NOT NULL,
    verdict      TEXT    NOT NULL,
    comment      TEXT    NOT NULL,
    digest       TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    counted      INTEGER NOT NULL,
    refusal      TEXT    NOT NULL,
    delivered_at INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX decisions_reward ON decisions (reward_id, seq);
CREATE INDEX decisions_undelivered ON decisions (seq) WHERE counted = 1 AND delivered_at = 0;

-- What people instructed for rewards that wait for them.
CREATE TABLE resolutions (
    seq       INTEGER PRIMARY KEY,
    id        TEXT    NOT NULL UNIQUE,
    reward_id INTEGER NOT NULL REFERENCES rewards (id),
    action    TEXT    NOT NULL,
    provider  TEXT    NOT NULL,
    reference TEXT    NOT NULL,
    comment   TEXT    NOT NULL,
    person    TEXT    NOT NULL,
    verified  INTEGER NOT NULL,
    at        INTEGER NOT NULL
) STRICT;
CREATE INDEX resolutions_reward ON resolutions (reward_id, seq);

-- What reserve froze, one row for each generation, the current one included.
CREATE TABLE payout_generations (
    reward_id   INTEGER NOT NULL REFERENCES rewards (id),
    generation  INTEGER NOT NULL,
    provider    TEXT    NOT NULL,
    amount      INTEGER NOT NULL,
    unit        TEXT    NOT NULL,
    currency    TEXT    NOT NULL,
    key         TEXT    NOT NULL UNIQUE,
    destination TEXT    NOT NULL,
    body        BLOB    NOT NULL,
    reserved_at INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    PRIMARY KEY (reward_id, generation)
) STRICT;

-- Where the current generation of each payout stands.
CREATE TABLE payouts (
    reward_id     INTEGER PRIMARY KEY REFERENCES rewards (id),
    generation    INTEGER NOT NULL,
    provider      TEXT    NOT NULL,
    promoter_id   INTEGER NOT NULL,
    campaign_id   INTEGER NOT NULL,
    cap_unit      TEXT    NOT NULL, -- the unit, or the currency of cash
    amount        INTEGER NOT NULL,
    state         TEXT    NOT NULL,
    fence         INTEGER NOT NULL DEFAULT 0,
    reference     TEXT    NOT NULL DEFAULT '',
    detail        TEXT    NOT NULL DEFAULT '',
    first_sent_at INTEGER NOT NULL DEFAULT 0,
    spent_at      INTEGER NOT NULL DEFAULT 0, -- when value left last, or may have
    updated_at    INTEGER NOT NULL,
    paid_at       INTEGER NOT NULL DEFAULT 0,
    doubt         TEXT    NOT NULL DEFAULT '', -- what is known of earlier sends of this generation
    FOREIGN KEY (reward_id, generation) REFERENCES payout_generations (reward_id, generation)
) STRICT;
CREATE UNIQUE INDEX payouts_reference ON payouts (provider, reference) WHERE reference <> '';
CREATE INDEX payouts_spent ON payouts (cap_unit, spent_at);

-- Which reward a provider's object belongs to, for ever and over all generations.
CREATE TABLE payout_references (
    provider  TEXT    NOT NULL,
    reference TEXT    NOT NULL,
    reward_id INTEGER NOT NULL REFERENCES rewards (id),
    PRIMARY KEY (provider, reference)
) STRICT, WITHOUT ROWID;

-- Every move of every payout.
CREATE TABLE payout_moves (
    id         INTEGER PRIMARY KEY,
    reward_id  INTEGER NOT NULL REFERENCES rewards (id),
    generation INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    move       TEXT    NOT NULL,
    from_state TEXT    NOT NULL,
    to_state   TEXT    NOT NULL,
    fence      INTEGER NOT NULL,
    detail     TEXT    NOT NULL
) STRICT;
CREATE INDEX payout_moves_reward ON payout_moves (reward_id, id);

CREATE TABLE attempts (
    reward_id   INTEGER NOT NULL REFERENCES rewards (id),
    number      INTEGER NOT NULL,
    fence       INTEGER NOT NULL, -- the payout's fence that it was made under; 0 for a look-up during a send
    generation  INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    provider    TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    deadline    INTEGER NOT NULL,
    finished_at INTEGER NOT NULL DEFAULT 0,
    outcome     TEXT    NOT NULL DEFAULT '',
    reference   TEXT    NOT NULL DEFAULT '',
    detail      TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (reward_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE brakes (
    scope  TEXT    NOT NULL PRIMARY KEY,
    paused INTEGER NOT NULL,
    reason TEXT    NOT NULL,
    person TEXT    NOT NULL,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE brake_changes (
    id     INTEGER PRIMARY KEY,
    scope  TEXT    NOT NULL,
    paused INTEGER NOT NULL,
    reason TEXT    NOT NULL,
    person TEXT    NOT NULL,
    at     INTEGER NOT NULL
) STRICT;

-- Ping writes here and takes it back in the same transaction.
CREATE TABLE ping (
    at INTEGER NOT NULL
) STRICT;

-- Nothing is deleted.
-- +goose StatementBegin
CREATE TRIGGER inbox_kept BEFORE DELETE ON inbox BEGIN SELECT RAISE(ABORT, 'the inbox is kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER deliveries_kept BEFORE DELETE ON deliveries BEGIN SELECT RAISE(ABORT, 'deliveries are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER rewards_kept BEFORE DELETE ON rewards BEGIN SELECT RAISE(ABORT, 'rewards are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_kept BEFORE DELETE ON changes BEGIN SELECT RAISE(ABORT, 'history is kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER decisions_kept BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER resolutions_kept BEFORE DELETE ON resolutions BEGIN SELECT RAISE(ABORT, 'resolutions are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_generations_kept BEFORE DELETE ON payout_generations BEGIN SELECT RAISE(ABORT, 'generations are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payouts_kept BEFORE DELETE ON payouts BEGIN SELECT RAISE(ABORT, 'payouts are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_references_kept BEFORE DELETE ON payout_references BEGIN SELECT RAISE(ABORT, 'references are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_moves_kept BEFORE DELETE ON payout_moves BEGIN SELECT RAISE(ABORT, 'moves are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attempts_kept BEFORE DELETE ON attempts BEGIN SELECT RAISE(ABORT, 'attempts are kept'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER brake_changes_kept BEFORE DELETE ON brake_changes BEGIN SELECT RAISE(ABORT, 'brake changes are kept'); END;
-- +goose StatementEnd

-- What was written stays as it was written.
-- +goose StatementBegin
CREATE TRIGGER inbox_frozen BEFORE UPDATE OF id, type, dedupe, event_id, reward_id, body, traceparent, dispatch, accepted_at ON inbox
BEGIN SELECT RAISE(ABORT, 'an accepted event does not change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER deliveries_frozen BEFORE UPDATE ON deliveries BEGIN SELECT RAISE(ABORT, 'a delivery does not change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_frozen BEFORE UPDATE ON changes BEGIN SELECT RAISE(ABORT, 'history does not change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER decisions_frozen
BEFORE UPDATE OF seq, id, reward_id, person, verified, roles, lane, verdict, comment, digest, at, counted, refusal ON decisions
BEGIN SELECT RAISE(ABORT, 'a decision does not change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER resolutions_frozen BEFORE UPDATE ON resolutions BEGIN SELECT RAISE(ABORT, 'a resolution does not change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_generations_frozen BEFORE UPDATE ON payout_generations
BEGIN SELECT RAISE(ABORT, 'what is frozen stays frozen'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_references_frozen BEFORE UPDATE ON payout_references
BEGIN SELECT RAISE(ABORT, 'a reference does not change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_moves_frozen BEFORE UPDATE ON payout_moves BEGIN SELECT RAISE(ABORT, 'a move does not change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER brake_changes_frozen BEFORE UPDATE ON brake_changes BEGIN SELECT RAISE(ABORT, 'a brake change does not change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attempts_frozen
BEFORE UPDATE OF reward_id, number, fence, generation, kind, provider, key, started_at, deadline ON attempts
BEGIN SELECT RAISE(ABORT, 'an attempt does not change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attempts_finish_once BEFORE UPDATE ON attempts WHEN OLD.finished_at <> 0
BEGIN SELECT RAISE(ABORT, 'an attempt finishes once'); END;
-- +goose StatementEnd

-- A fence never falls, and a claim always raises it.
-- +goose StatementBegin
CREATE TRIGGER payouts_fence BEFORE UPDATE ON payouts
WHEN NEW.fence < OLD.fence
  OR NEW.generation < OLD.generation
  OR (NEW.state = 'submitting' AND OLD.state <> 'submitting' AND NEW.fence <= OLD.fence)
BEGIN SELECT RAISE(ABORT, 'a fence only rises'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER rewards_close_fence BEFORE UPDATE ON rewards
WHEN NEW.close_fence < OLD.close_fence
  OR (OLD.closing_by = 'answer' AND NEW.closing_by <> 'answer')
BEGIN SELECT RAISE(ABORT, 'a close is claimed once for the answer'); END;
-- +goose StatementEnd
