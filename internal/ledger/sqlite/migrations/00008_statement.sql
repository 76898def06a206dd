-- A statement lists payouts in the order in which their value left: by when
-- they were paid, or else by when they were sent last.

-- +goose Up
CREATE INDEX payouts_statement ON payouts ((CASE WHEN paid_at <> 0 THEN paid_at ELSE spent_at END), reward_id)
WHERE spent_at <> 0;
