-- What was delivered can come back: a paid payout is looked at again.

-- +goose Up
ALTER TABLE payouts ADD COLUMN look_at INTEGER NOT NULL DEFAULT 0; -- when; 0 while it is not paid, and when nobody looks any more
CREATE INDEX payouts_look ON payouts (look_at) WHERE look_at <> 0;
-- What was paid by a provider before this version is looked at from now on.
UPDATE payouts SET look_at = paid_at + 86400000
WHERE state = 'paid' AND NOT EXISTS (
    SELECT 1 FROM payout_moves m WHERE m.reward_id = payouts.reward_id AND m.move = 'by_hand');

-- Where the proof of a payment by hand is kept.
ALTER TABLE resolutions ADD COLUMN evidence TEXT NOT NULL DEFAULT '';
