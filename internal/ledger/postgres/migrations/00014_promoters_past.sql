-- What was paid to a promoter before is read from the sums of the caps, so that a
-- reward costs the same however often its promoter was paid. They are kept by
-- promoter and day, and count payouts.

-- +goose Up
DROP TABLE spent_days;
CREATE TABLE spent_days (
    scope   TEXT COLLATE "C" NOT NULL,
    subject BIGINT NOT NULL,
    day     BIGINT NOT NULL,
    unit    TEXT COLLATE "C" NOT NULL,
    payouts BIGINT NOT NULL,
    high    BIGINT NOT NULL,
    low     BIGINT NOT NULL,
    PRIMARY KEY (scope, subject, day, unit)
);

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION payouts_discounted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE spent_days SET payouts = payouts - 1, high = high - (OLD.amount >> 32), low = low - (OLD.amount & 4294967295)
    WHERE day = OLD.spent_at / 86400000 AND unit = OLD.cap_unit
        AND (scope, subject) IN (VALUES ('all', 0::bigint), ('promoter', OLD.promoter_id), ('campaign', OLD.campaign_id));
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION payouts_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO spent_days (scope, subject, day, unit, payouts, high, low) VALUES
        ('all', 0, NEW.spent_at / 86400000, NEW.cap_unit, 1, NEW.amount >> 32, NEW.amount & 4294967295),
        ('promoter', NEW.promoter_id, NEW.spent_at / 86400000, NEW.cap_unit, 1, NEW.amount >> 32, NEW.amount & 4294967295),
        ('campaign', NEW.campaign_id, NEW.spent_at / 86400000, NEW.cap_unit, 1, NEW.amount >> 32, NEW.amount & 4294967295)
    ON CONFLICT (scope, subject, day, unit)
    DO UPDATE SET payouts = spent_days.payouts + excluded.payouts, high = spent_days.high + excluded.high, low = spent_days.low + excluded.low;
    RETURN NULL;
END $$;
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
