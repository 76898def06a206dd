-- A status that asks nobody, after one that asked nobody, changes nothing about
-- who is asked. Most do, and looked it up all the same.

-- +goose Up
DROP TRIGGER rewards_ask ON rewards;
CREATE TRIGGER rewards_ask AFTER UPDATE OF status, digest, approvals, role, excluded ON rewards FOR EACH ROW
WHEN ((OLD.asking = 1 OR NEW.status IN ('awaiting_approval', 'held'))
    AND (OLD.status <> NEW.status OR OLD.digest <> NEW.digest OR OLD.approvals <> NEW.approvals OR OLD.role <> NEW.role
    OR OLD.excluded <> NEW.excluded))
EXECUTE FUNCTION rewards_ask();
