package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// keptIndexes are the indexes over the lists of workflows that are worth their
// upkeep: of the order of lists, of what people look for, of keywords, which
// rewardflow's search attributes are (the server gives each any of the ten), and
// of what the server itself looks for. Forty-one others are over what nothing sets
// or nobody lists by; each would be written when a workflow starts, and twice when
// it ends. A list by what has no index is as right, and reads the whole namespace:
// decision 0027.
var keptIndexes = []string{
	"default_idx", "by_workflow_id", "by_workflow_type", "by_status",
	"by_keyword_01", "by_keyword_02", "by_keyword_03", "by_keyword_04", "by_keyword_05",
	"by_keyword_06", "by_keyword_07", "by_keyword_08", "by_keyword_09", "by_keyword_10",
	"by_temporal_namespace_division", "by_temporal_scheduled_by_id", "by_temporal_worker_deployment_version",
}

// dropIndexes drops the other indexes, where they are, each by itself: in a large
// database a start that is cut off has dropped some, and the next goes on.
func (d *directory) dropIndexes(ctx context.Context) (failed error) {
	db, err := d.look()
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, db.Close()) }()
	all, err := indexes(ctx, db)
	if err != nil {
		return err
	}
	for _, name := range all {
		if slices.Contains(keptIndexes, name) {
			continue
		}
		if _, err := db.ExecContext(ctx, `DROP INDEX "`+strings.ReplaceAll(name, `"`, `""`)+`"`); err != nil {
			return fmt.Errorf("dropping the index %s: %w", name, err)
		}
	}
	return nil
}

// indexes returns the names of those that somebody created.
func indexes(ctx context.Context, db *sql.DB) (names []string, err error) {
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'executions_visibility' AND sql IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
