package relational

import (
	"context"
	"slices"
	"strings"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// ListRewards implements ledger.Rewards.
//
// A filter with alternatives (several statuses, say) becomes one query for
// each: the database reads each of them from an index in the list's order and stops
// at the limit, where it would sort all rewards of an IN or an OR.
func (l *Ledger) ListRewards(ctx context.Context, f ledger.Filter) ([]ledger.Record, error) {
	query, args := listQuery(f)
	return read(ctx, l, "ledger.list_rewards", func(ctx context.Context, q querier) ([]ledger.Record, error) {
		rows, err := q.query(ctx, query, args...)
		return collect(rows, err, scanRecord)
	})
}

func listQuery(f ledger.Filter) (string, []any) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	alternatives := cross(cross(askedArms(f.Asked), statusArms(f.Statuses)), searchArms(f.Search, f.SearchAlso))
	var parts []string
	var args []any
	for _, a := range alternatives {
		a = a.and(conditions(f)).before(f.Before)
		if len(alternatives) == 1 && !a.votes {
			return selectRecord + a.where() + newestFirst, append(a.args, limit)
		}
		parts = append(parts, `SELECT id FROM (`+a.ids()+`) AS arm`)
		args = append(append(args, a.args...), limit)
	}
	return selectRecord + ` WHERE r.id IN (` + strings.Join(parts, ` UNION `) + `)` + newestFirst, append(args, limit)
}

const newestFirst = ` ORDER BY r.received_at DESC, r.id DESC LIMIT ?`

// arm is one alternative of a filter. It is built of constant words only;
// every value is an argument.
type arm struct {
	terms []string
	args  []any
	// votes says that it is read from the votes, which are few, and not from
	// the rewards.
	votes bool
}

func term(words string, args ...any) arm { return arm{terms: []string{words}, args: args} }

func (a arm) and(b arm) arm {
	return arm{terms: slices.Concat(a.terms, b.terms), args: slices.Concat(a.args, b.args), votes: a.votes || b.votes}
}

// before begins behind a cursor.
func (a arm) before(c ledger.Cursor) arm {
	if c == (ledger.Cursor{}) {
		return a
	}
	if a.votes {
		return a.and(term(`(v.received_at, v.reward_id) < (?, ?)`, millis(c.ReceivedAt), c.ID))
	}
	return a.and(term(`(r.received_at, r.id) < (?, ?)`, millis(c.ReceivedAt), c.ID))
}

func (a arm) where() string {
	if len(a.terms) == 0 {
		return ""
	}
	return ` WHERE ` + strings.Join(a.terms, ` AND `)
}

// ids selects what the alternative holds.
func (a arm) ids() string {
	if a.votes {
		return `SELECT r.id FROM open_votes v JOIN rewards r ON r.id = v.reward_id` + a.where() +
			` ORDER BY v.received_at DESC, v.reward_id DESC LIMIT ?`
	}
	return `SELECT r.id FROM rewards r` + a.where() + newestFirst
}

// cross combines every alternative of the one with every alternative of the other.
func cross(these, those []arm) []arm {
	var all []arm
	for _, a := range these {
		for _, b := range those {
			all = append(all, a.and(b))
		}
	}
	return all
}

// conditions are what holds for every alternative.
func conditions(f ledger.Filter) arm {
	var all arm
	if f.Promoter != 0 {
		all = all.and(term(`r.promoter_id = ?`, f.Promoter))
	}
	if f.Unit != "" {
		all = all.and(term(`r.unit = ?`, f.Unit))
	}
	if !f.UpdatedBefore.IsZero() {
		all = all.and(term(`r.updated_at < ?`, millis(f.UpdatedBefore)))
	}
	if f.LeftTo != "" {
		all = all.and(term(`(r.status <> ? OR r.id NOT IN (
			SELECT i.reward_id FROM inbox i WHERE i.dispatch = 1 AND i.dispatched_at = 0 AND i.lease_owner IN ('', ?)))`,
			reward.Received, f.LeftTo))
	}
	return all
}

func statusArms(statuses []reward.Status) []arm {
	if len(statuses) == 0 {
		return []arm{{}}
	}
	var arms []arm
	for _, s := range slices.Compact(slices.Sorted(slices.Values(statuses))) {
		arms = append(arms, term(`r.status = ?`, s))
	}
	return arms
}

// rolesAsked are the roles that a policy can ask for; the empty one asks for
// any that decides.
func rolesAsked() []string { return []string{"", "viewer", "approver", "finance", "operator", "admin"} }

// voter is how a name stands in open_votes, whose keys do not tell upper case
// from lower in ASCII.
func voter(person string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, person)
}

func askedArms(asked *ledger.Asked) []arm {
	if asked == nil {
		return []arm{{}}
	}
	var arms []arm
	for _, role := range rolesAsked() {
		of := term(`r.asking = 1 AND r.role = ?`, role)
		switch mine := slices.Contains(asked.Caller.Roles, role); {
		case mine && asked.Others:
			of = term(`v.person = ? AND v.role = ?`, voter(asked.Caller.Person), role)
			of.votes = true
			arms = append(arms, of)
		case mine:
			arms = append(arms, of.and(term(
				`NOT EXISTS (SELECT 1 FROM open_votes v WHERE v.person = ? AND v.reward_id = r.id)`, voter(asked.Caller.Person))))
		case asked.Others:
			arms = append(arms, of)
		}
	}
	if len(arms) == 0 {
		return []arm{term(`1 = 0`)} // Nothing waits for somebody who may not decide.
	}
	return arms
}

func searchArms(search, also string) []arm {
	search = strings.TrimSpace(search)
	if search == "" {
		return []arm{{}}
	}
	arms := []arm{term(`r.promoter_cust_id = ? AND r.promoter_cust_id <> ''`, search)}
	if also != "" {
		arms = append(arms, term(`r.promoter_cust_id = ? AND r.promoter_cust_id <> ''`, also))
	}
	if id, err := reward.ParseID(search); err == nil {
		arms = append(arms, term(`r.id = ?`, id), term(`r.promoter_id = ?`, int64(id)))
	}
	return arms
}
