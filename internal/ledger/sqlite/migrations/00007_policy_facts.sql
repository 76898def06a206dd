-- What the policy looked at when it decided, and what finding that needs.

-- +goose Up
ALTER TABLE rewards ADD COLUMN facts TEXT NOT NULL DEFAULT ''; -- JSON; empty before the policy decided
ALTER TABLE rewards ADD COLUMN excluded TEXT NOT NULL DEFAULT 'null'; -- a JSON array of names, or null
ALTER TABLE rewards ADD COLUMN waits TEXT NOT NULL DEFAULT '{}'; -- JSON; the rule's own times
CREATE INDEX payouts_promoter ON payouts (promoter_id, spent_at);
