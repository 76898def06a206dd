-- What a monitor asks many times a minute: how old the oldest reward of each
-- status is, and the oldest payout whose outcome nobody knows.

-- +goose Up
CREATE INDEX rewards_since ON rewards (status, status_since)
WHERE status NOT IN ('fulfilled', 'fulfilled_elsewhere', 'rejected', 'abandoned');
CREATE INDEX payouts_unknown ON payouts (first_sent_at) WHERE state = 'unknown';
