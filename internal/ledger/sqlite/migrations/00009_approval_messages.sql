-- Which message in a chat shows people the approval of a reward.

-- +goose Up
CREATE TABLE approval_messages (
    reward_id     INTEGER PRIMARY KEY REFERENCES rewards (id),
    channel       TEXT    NOT NULL DEFAULT '',
    timestamp     TEXT    NOT NULL DEFAULT '', -- Slack's name of a message within its channel; empty before it was posted
    shown         TEXT    NOT NULL DEFAULT '', -- names what it shows
    open          INTEGER NOT NULL,            -- whether it takes decisions
    claimed_until INTEGER NOT NULL DEFAULT 0,  -- until when somebody is posting it
    updated_at    INTEGER NOT NULL
) STRICT;
