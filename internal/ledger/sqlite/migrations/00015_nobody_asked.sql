-- A status that asks nobody, after one that asked nobody, changes nothing about
-- who is asked. Most do, and looked it up all the same.

-- +goose Up
DROP TRIGGER rewards_ask;

-- +goose StatementBegin
CREATE TRIGGER rewards_ask AFTER UPDATE OF status, digest, approvals, role, excluded ON rewards
WHEN (OLD.asking = 1 OR NEW.status IN ('awaiting_approval', 'held'))
    AND (OLD.status <> NEW.status OR OLD.digest <> NEW.digest OR OLD.approvals <> NEW.approvals OR OLD.role <> NEW.role
    OR OLD.excluded <> NEW.excluded)
BEGIN
    UPDATE rewards SET asking = (SELECT asking FROM rewards_asked WHERE id = NEW.id) WHERE id = NEW.id;
    DELETE FROM open_votes WHERE reward_id = NEW.id;
    INSERT OR IGNORE INTO open_votes (person, reward_id, role, received_at)
    SELECT d.person, d.reward_id, r.role, r.received_at FROM decisions d JOIN rewards r ON r.id = d.reward_id
    WHERE d.reward_id = NEW.id AND d.counted = 1 AND d.digest = r.digest AND r.asking = 1;
    INSERT OR IGNORE INTO open_votes (person, reward_id, role, received_at)
    SELECT trim(e.value), r.id, r.role, r.received_at FROM rewards r JOIN json_each(r.excluded) e ON e.type = 'text'
    WHERE r.id = NEW.id AND r.asking = 1;
END;
-- +goose StatementEnd
