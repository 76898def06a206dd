package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// keptIndexes are the indexes over the lists of workflows that are worth their
// upkeep: of the order of lists, of what people look for, rewardflow's search
// attributes among it, and of what the server itself looks for. Nearly fifty
// others are over what nothing sets or nobody lists by; each would be written
// when a workflow starts, and twice when it ends. A list by what has no index is as
// right, and reads the whole namespace: decision 0027.
var keptIndexes = []string{
	"default_idx", "by_workflow_id", "by_workflow_type", "by_status",
	"by_keyword_01", "by_keyword_02", "by_keyword_03", "by_keyword_04",
	"by_temporal_namespace_division", "by_temporal_scheduled_by_id", "by_temporal_worker_deployment_version",
}

// dropIndexes drops the other indexes, where they are.
func (d *directory) dropIndexes(ctx context.Context) (failed error) {
	db, err := d.look()
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // After a commit it does nothing.
	rows, err := tx.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'executions_visibility' AND sql IS NOT NULL`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		all = append(all, name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, name := range all {
		if slices.Contains(keptIndexes, name) {
			continue
		}
		if _, err := tx.ExecContext(ctx, `DROP INDEX `+name); err != nil {
			return fmt.Errorf("dropping the index %s: %w", name, err)
		}
	}
	return tx.Commit()
}
