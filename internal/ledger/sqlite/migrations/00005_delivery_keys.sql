-- A delivery that went through the spool may be committed twice, because a crash
-- can come between the commit and the end of the spool file. Its name keeps it
-- from being recorded twice.

-- +goose Up
ALTER TABLE deliveries ADD COLUMN name TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX deliveries_name ON deliveries (name) WHERE name <> '';
