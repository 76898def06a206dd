-- What was paid to a promoter before is read from the sums of the caps, so that a
-- reward costs the same however often its promoter was paid. They are kept by
-- promoter and day, and count payouts.

-- +goose Up
DROP TRIGGER payouts_discounted;
DROP TRIGGER payouts_counted;
DROP TRIGGER payouts_counted_at_once;
DROP TABLE spent_days;
CREATE TABLE spent_days (
    scope   TEXT    NOT NULL,
    subject INTEGER NOT NULL,
    day     INTEGER NOT NULL,
    unit    TEXT    NOT NULL,
    payouts INTEGER NOT NULL,
    high    INTEGER NOT NULL,
    low     INTEGER NOT NULL,
    PRIMARY KEY (scope, subject, day, unit)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER payouts_discounted
AFTER UPDATE OF spent_at, state, cap_unit, amount, promoter_id, campaign_id ON payouts
WHEN OLD.spent_at <> 0 AND OLD.state <> 'refused' AND NOT (
    NEW.spent_at / 86400000 = OLD.spent_at / 86400000 AND NEW.state <> 'refused' AND NEW.cap_unit = OLD.cap_unit
    AND NEW.amount = OLD.amount AND NEW.promoter_id = OLD.promoter_id AND NEW.campaign_id = OLD.campaign_id)
BEGIN
    UPDATE spent_days SET payouts = payouts - 1, high = high - (OLD.amount >> 32), low = low - (OLD.amount & 4294967295)
    WHERE day = OLD.spent_at / 86400000 AND unit = OLD.cap_unit
        AND (scope, subject) IN (VALUES ('all', 0), ('promoter', OLD.promoter_id), ('campaign', OLD.campaign_id));
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payouts_counted
AFTER UPDATE OF spent_at, state, cap_unit, amount, promoter_id, campaign_id ON payouts
WHEN NEW.spent_at <> 0 AND NEW.state <> 'refused' AND NOT (
    OLD.spent_at / 86400000 = NEW.spent_at / 86400000 AND OLD.state <> 'refused' AND OLD.cap_unit = NEW.cap_unit
    AND OLD.amount = NEW.amount AND OLD.promoter_id = NEW.promoter_id AND OLD.campaign_id = NEW.campaign_id)
BEGIN
    INSERT INTO spent_days (scope, subject, day, unit, payouts, high, low) VALUES
        ('all', 0, NEW.spent_at / 86400000, NEW.cap_unit, 1, NEW.amount >> 32, NEW.amount & 4294967295),
        ('promoter', NEW.promoter_id, NEW.spent_at / 86400000, NEW.cap_unit, 1, NEW.amount >> 32, NEW.amount & 4294967295),
        ('campaign', NEW.campaign_id, NEW.spent_at / 86400000, NEW.cap_unit, 1, NEW.amount >> 32, NEW.amount & 4294967295)
    ON CONFLICT (scope, subject, day, unit) DO UPDATE
        SET payouts = payouts + excluded.payouts, high = high + excluded.high, low = low + excluded.low;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payouts_counted_at_once AFTER INSERT ON payouts
WHEN NEW.spent_at <> 0 AND NEW.state <> 'refused'
BEGIN
    INSERT INTO spent_days (scope, subject, day, unit, payouts, high, low) VALUES
        ('all', 0, NEW.spent_at / 86400000, NEW.cap_unit, 1, NEW.amount >> 32, NEW.amount & 4294967295),
        ('promoter', NEW.promoter_id, NEW.spent_at / 86400000, NEW.cap_unit, 1, NEW.amount >> 32, NEW.amount & 4294967295),
        ('campaign', NEW.campaign_id, NEW.spent_at / 86400000, NEW.cap_unit, 1, NEW.amount >> 32, NEW.amount & 4294967295)
    ON CONFLICT (scope, subject, day, unit) DO UPDATE
        SET payouts = payouts + excluded.payouts, high = high + excluded.high, low = low + excluded.low;
END;
-- +goose StatementEnd

-- What is there already.
INSERT INTO spent_days (scope, subject, day, unit, payouts, high, low)
SELECT 'all', 0, spent_at / 86400000, cap_unit, count(*), sum(amount >> 32), sum(amount & 4294967295)
FROM payouts WHERE spent_at <> 0 AND state <> 'refused' GROUP BY 3, 4;
INSERT INTO spent_days (scope, subject, day, unit, payouts, high, low)
SELECT 'promoter', promoter_id, spent_at / 86400000, cap_unit, count(*), sum(amount >> 32), sum(amount & 4294967295)
FROM payouts WHERE spent_at <> 0 AND state <> 'refused' GROUP BY 2, 3, 4;
INSERT INTO spent_days (scope, subject, day, unit, payouts, high, low)
SELECT 'campaign', campaign_id, spent_at / 86400000, cap_unit, count(*), sum(amount >> 32), sum(amount & 4294967295)
FROM payouts WHERE spent_at <> 0 AND state <> 'refused' GROUP BY 2, 3, 4;
DROP INDEX payouts_promoter;
CREATE INDEX payouts_recipient ON payouts (promoter_id, provider, spent_at);
