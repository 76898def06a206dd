-- What the console needs: sessions, and counts that are kept as rewards move,
-- so that opening the inbox never counts rows.

-- +goose Up
CREATE TABLE sessions (
    id           TEXT    NOT NULL PRIMARY KEY, -- public: logs and the page of sessions show it
    token_sha256 TEXT    NOT NULL UNIQUE,      -- the token itself is in the cookie and nowhere else
    person       TEXT    NOT NULL,
    method       TEXT    NOT NULL,
    credential   TEXT    NOT NULL,
    roles        TEXT    NOT NULL,             -- a JSON array
    created_at   INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    ended_at     INTEGER NOT NULL DEFAULT 0,
    ended_by     TEXT    NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_live ON sessions (expires_at) WHERE ended_at = 0;

-- Codes that sign in once.
CREATE TABLE login_codes (
    code_sha256 TEXT    NOT NULL PRIMARY KEY,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    used_at     INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- 1 while people are asked about the reward and have not settled it.
ALTER TABLE rewards ADD COLUMN asking INTEGER NOT NULL DEFAULT 0;
CREATE INDEX rewards_asking ON rewards (role, received_at, id) WHERE asking = 1;
CREATE INDEX rewards_cust ON rewards (promoter_cust_id, received_at, id) WHERE promoter_cust_id <> '';

-- The rule of asking: ledger.Tally in SQL. A test compares the two.
CREATE VIEW rewards_asked AS
SELECT r.id AS id,
    (r.status = 'awaiting_approval' OR (r.status = 'held' AND r.approvals > 0))
    AND NOT EXISTS (SELECT 1 FROM decisions d
        WHERE d.reward_id = r.id AND d.counted = 1 AND d.digest = r.digest AND d.verdict = 'reject')
    AND (SELECT count(*) FROM decisions d
        WHERE d.reward_id = r.id AND d.counted = 1 AND d.digest = r.digest AND d.verdict = 'approve') < max(r.approvals, 1)
    AS asking
FROM rewards r;

CREATE TABLE reward_counts (
    status TEXT    NOT NULL,
    asking INTEGER NOT NULL,
    role   TEXT    NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (status, asking, role)
) STRICT, WITHOUT ROWID;

-- Rewards about which people are asked, by the hour (since 1970) in which they came in.
CREATE TABLE asking_hours (
    hour INTEGER NOT NULL PRIMARY KEY,
    n    INTEGER NOT NULL
) STRICT;

-- Who has decided about a reward that still asks others.
CREATE TABLE open_votes (
    person      TEXT    NOT NULL COLLATE NOCASE,
    reward_id   INTEGER NOT NULL,
    role        TEXT    NOT NULL, -- the reward's, as its time is
    received_at INTEGER NOT NULL,
    PRIMARY KEY (person, reward_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX open_votes_newest ON open_votes (person, role, received_at, reward_id);
CREATE INDEX open_votes_reward ON open_votes (reward_id);
CREATE TABLE open_vote_counts (
    person TEXT    NOT NULL COLLATE NOCASE,
    role   TEXT    NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (person, role)
) STRICT, WITHOUT ROWID;

-- What was paid, by UTC day (since 1970) and by unit, or the currency of cash. It is
-- looked at and not counted on: a sum beyond 64 bits stays at the largest number.
CREATE TABLE paid_days (
    day    INTEGER NOT NULL,
    unit   TEXT    NOT NULL,
    n      INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (day, unit)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER rewards_counted AFTER INSERT ON rewards
BEGIN
    INSERT INTO reward_counts (status, asking, role, n) VALUES (NEW.status, NEW.asking, NEW.role, 1)
    ON CONFLICT (status, asking, role) DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd

-- Counts change by differences, so that the order of triggers does not matter.
-- +goose StatementBegin
CREATE TRIGGER rewards_recounted AFTER UPDATE OF status, asking, role ON rewards
WHEN OLD.status <> NEW.status OR OLD.asking <> NEW.asking OR OLD.role <> NEW.role
BEGIN
    INSERT INTO reward_counts (status, asking, role, n) VALUES (OLD.status, OLD.asking, OLD.role, -1)
    ON CONFLICT (status, asking, role) DO UPDATE SET n = n - 1;
    INSERT INTO reward_counts (status, asking, role, n) VALUES (NEW.status, NEW.asking, NEW.role, 1)
    ON CONFLICT (status, asking, role) DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER rewards_aged AFTER UPDATE OF asking ON rewards
WHEN OLD.asking <> NEW.asking
BEGIN
    INSERT INTO asking_hours (hour, n) VALUES (NEW.received_at / 3600000, NEW.asking - OLD.asking)
    ON CONFLICT (hour) DO UPDATE SET n = n + excluded.n;
    DELETE FROM asking_hours WHERE hour = NEW.received_at / 3600000 AND n = 0;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER rewards_ask AFTER UPDATE OF status, digest, approvals, role ON rewards
WHEN OLD.status <> NEW.status OR OLD.digest <> NEW.digest OR OLD.approvals <> NEW.approvals OR OLD.role <> NEW.role
BEGIN
    UPDATE rewards SET asking = (SELECT asking FROM rewards_asked WHERE id = NEW.id) WHERE id = NEW.id;
    DELETE FROM open_votes WHERE reward_id = NEW.id;
    INSERT OR IGNORE INTO open_votes (person, reward_id, role, received_at)
    SELECT d.person, d.reward_id, r.role, r.received_at FROM decisions d JOIN rewards r ON r.id = d.reward_id
    WHERE d.reward_id = NEW.id AND d.counted = 1 AND d.digest = r.digest AND r.asking = 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER decisions_ask AFTER INSERT ON decisions
WHEN NEW.counted = 1
BEGIN
    UPDATE rewards SET asking = (SELECT asking FROM rewards_asked WHERE id = NEW.reward_id) WHERE id = NEW.reward_id;
    INSERT OR IGNORE INTO open_votes (person, reward_id, role, received_at)
    SELECT NEW.person, r.id, r.role, r.received_at FROM rewards r WHERE r.id = NEW.reward_id AND r.digest = NEW.digest;
    DELETE FROM open_votes
    WHERE reward_id = NEW.reward_id AND NOT EXISTS (SELECT 1 FROM rewards r WHERE r.id = NEW.reward_id AND r.asking = 1);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER open_votes_counted AFTER INSERT ON open_votes
BEGIN
    INSERT INTO open_vote_counts (person, role, n) VALUES (NEW.person, NEW.role, 1)
    ON CONFLICT (person, role) DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER open_votes_discounted AFTER DELETE ON open_votes
BEGIN
    UPDATE open_vote_counts SET n = n - 1 WHERE person = OLD.person AND role = OLD.role;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER payouts_paid AFTER UPDATE OF state ON payouts
WHEN NEW.state = 'paid' AND OLD.state <> 'paid'
BEGIN
    INSERT INTO paid_days (day, unit, n, amount) VALUES (NEW.paid_at / 86400000, NEW.cap_unit, 1, NEW.amount)
    ON CONFLICT (day, unit) DO UPDATE SET n = n + 1,
        amount = CASE WHEN amount > 9223372036854775807 - excluded.amount THEN 9223372036854775807 ELSE amount + excluded.amount END;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payouts_paid_at_once AFTER INSERT ON payouts
WHEN NEW.state = 'paid'
BEGIN
    INSERT INTO paid_days (day, unit, n, amount) VALUES (NEW.paid_at / 86400000, NEW.cap_unit, 1, NEW.amount)
    ON CONFLICT (day, unit) DO UPDATE SET n = n + 1,
        amount = CASE WHEN amount > 9223372036854775807 - excluded.amount THEN 9223372036854775807 ELSE amount + excluded.amount END;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payouts_unpaid AFTER UPDATE OF state ON payouts
WHEN OLD.state = 'paid' AND NEW.state <> 'paid'
BEGIN
    UPDATE paid_days SET n = n - 1, amount = amount - OLD.amount WHERE day = OLD.paid_at / 86400000 AND unit = OLD.cap_unit;
END;
-- +goose StatementEnd

-- What is there already. The order matters: the last statement makes the votes
-- of rewards that ask.
INSERT INTO reward_counts (status, asking, role, n) SELECT status, 0, role, count(*) FROM rewards GROUP BY status, role;
UPDATE rewards SET asking = 1
WHERE status IN ('awaiting_approval', 'held') AND (SELECT a.asking FROM rewards_asked a WHERE a.id = rewards.id);
INSERT OR IGNORE INTO open_votes (person, reward_id, role, received_at)
SELECT d.person, d.reward_id, r.role, r.received_at FROM decisions d JOIN rewards r ON r.id = d.reward_id
WHERE d.counted = 1 AND d.digest = r.digest AND r.asking = 1;
INSERT INTO paid_days (day, unit, n, amount)
SELECT paid_at / 86400000, cap_unit, count(*), CAST(min(total(amount), 9223372036854774784.0) AS INTEGER)
FROM payouts WHERE state = 'paid' GROUP BY 1, 2;
