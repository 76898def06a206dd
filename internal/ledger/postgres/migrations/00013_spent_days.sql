-- What the caps per day are held against: how much value left, or may have, by
-- UTC day (since 1970), by unit, or the currency of cash, and there by everybody
-- (scope 'all', subject 0), by promoter and by campaign. A claim then costs the
-- same however much was paid that day. A sum is high * 2^32 + low, which no
-- number of 64-bit amounts exceeds.

-- +goose Up
CREATE TABLE spent_days (
    unit    TEXT COLLATE "C" NOT NULL,
    day     BIGINT NOT NULL,
    scope   TEXT COLLATE "C" NOT NULL,
    subject BIGINT NOT NULL,
    high    BIGINT NOT NULL,
    low     BIGINT NOT NULL,
    PRIMARY KEY (unit, day, scope, subject)
);

-- +goose StatementBegin
CREATE FUNCTION payouts_discounted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE spent_days SET high = high - (OLD.amount >> 32), low = low - (OLD.amount & 4294967295)
    WHERE unit = OLD.cap_unit AND day = OLD.spent_at / 86400000
        AND (scope, subject) IN (VALUES ('all', 0::bigint), ('promoter', OLD.promoter_id), ('campaign', OLD.campaign_id));
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION payouts_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO spent_days (unit, day, scope, subject, high, low) VALUES
        (NEW.cap_unit, NEW.spent_at / 86400000, 'all', 0, NEW.amount >> 32, NEW.amount & 4294967295),
        (NEW.cap_unit, NEW.spent_at / 86400000, 'promoter', NEW.promoter_id, NEW.amount >> 32, NEW.amount & 4294967295),
        (NEW.cap_unit, NEW.spent_at / 86400000, 'campaign', NEW.campaign_id, NEW.amount >> 32, NEW.amount & 4294967295)
    ON CONFLICT (unit, day, scope, subject)
    DO UPDATE SET high = spent_days.high + excluded.high, low = spent_days.low + excluded.low;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER payouts_discounted
AFTER UPDATE OF spent_at, state, cap_unit, amount, promoter_id, campaign_id ON payouts FOR EACH ROW
WHEN (OLD.spent_at <> 0 AND OLD.state <> 'refused' AND NOT (
    NEW.spent_at / 86400000 = OLD.spent_at / 86400000 AND NEW.state <> 'refused' AND NEW.cap_unit = OLD.cap_unit
    AND NEW.amount = OLD.amount AND NEW.promoter_id = OLD.promoter_id AND NEW.campaign_id = OLD.campaign_id))
EXECUTE FUNCTION payouts_discounted();
CREATE TRIGGER payouts_recounted
AFTER UPDATE OF spent_at, state, cap_unit, amount, promoter_id, campaign_id ON payouts FOR EACH ROW
WHEN (NEW.spent_at <> 0 AND NEW.state <> 'refused' AND NOT (
    OLD.spent_at / 86400000 = NEW.spent_at / 86400000 AND OLD.state <> 'refused' AND OLD.cap_unit = NEW.cap_unit
    AND OLD.amount = NEW.amount AND OLD.promoter_id = NEW.promoter_id AND OLD.campaign_id = NEW.campaign_id))
EXECUTE FUNCTION payouts_counted();
CREATE TRIGGER payouts_counted AFTER INSERT ON payouts FOR EACH ROW
WHEN (NEW.spent_at <> 0 AND NEW.state <> 'refused') EXECUTE FUNCTION payouts_counted();

-- What is there already.
INSERT INTO spent_days (unit, day, scope, subject, high, low)
SELECT cap_unit, spent_at / 86400000, 'all', 0, sum(amount >> 32), sum(amount & 4294967295)
FROM payouts WHERE spent_at <> 0 AND state <> 'refused' GROUP BY 1, 2;
INSERT INTO spent_days (unit, day, scope, subject, high, low)
SELECT cap_unit, spent_at / 86400000, 'promoter', promoter_id, sum(amount >> 32), sum(amount & 4294967295)
FROM payouts WHERE spent_at <> 0 AND state <> 'refused' GROUP BY 1, 2, 4;
INSERT INTO spent_days (unit, day, scope, subject, high, low)
SELECT cap_unit, spent_at / 86400000, 'campaign', campaign_id, sum(amount >> 32), sum(amount & 4294967295)
FROM payouts WHERE spent_at <> 0 AND state <> 'refused' GROUP BY 1, 2, 4;
DROP INDEX payouts_spent;
