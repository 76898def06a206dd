package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const selectDataKey = `SELECT id, subject, ring_key, wrapped, created_at, erased_at FROM data_keys`

func scanDataKey(row scanner) (ledger.DataKey, error) {
	var k ledger.DataKey
	var createdAt, erasedAt int64
	err := row.Scan(&k.ID, &k.Subject, &k.RingKey, &k.Wrapped, &createdAt, &erasedAt)
	k.CreatedAt, k.ErasedAt = fromMillis(createdAt), fromMillis(erasedAt)
	return k, err
}

// WritingKey implements ledger.PersonalData.
func (l *Ledger) WritingKey(ctx context.Context, subject string) (ledger.DataKey, error) {
	const op = "ledger.writing_key"
	return read(ctx, l, op, func(ctx context.Context, q querier) (ledger.DataKey, error) {
		return writingKey(ctx, q, op, subject)
	})
}

func writingKey(ctx context.Context, q querier, op, subject string) (ledger.DataKey, error) {
	k, err := scanDataKey(q.queryRow(ctx, selectDataKey+` WHERE subject = ? AND erased_at = 0`, subject))
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.DataKey{}, notFound(op, "there is no key for "+subject)
	}
	return k, err
}

// DataKey implements ledger.PersonalData.
func (l *Ledger) DataKey(ctx context.Context, id string) (ledger.DataKey, error) {
	const op = "ledger.data_key"
	return read(ctx, l, op, func(ctx context.Context, q querier) (ledger.DataKey, error) {
		k, err := scanDataKey(q.queryRow(ctx, selectDataKey+` WHERE id = ?`, id))
		if errors.Is(err, sql.ErrNoRows) {
			return ledger.DataKey{}, notFound(op, "the ledger has no such data key")
		}
		return k, err
	})
}

// AddDataKey implements ledger.PersonalData.
func (l *Ledger) AddDataKey(ctx context.Context, k ledger.DataKey) (ledger.DataKey, error) {
	const op = "ledger.add_data_key"
	if k.ID == "" || k.Subject == "" || k.RingKey == "" || len(k.Wrapped) == 0 {
		return ledger.DataKey{}, invalid(op, "the data key is not whole")
	}
	return write(ctx, l, op, func(ctx context.Context, t *tx) (ledger.DataKey, error) {
		_, err := t.exec(ctx, `INSERT INTO data_keys (id, subject, ring_key, wrapped, created_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (subject) WHERE erased_at = 0 DO NOTHING`, k.ID, k.Subject, k.RingKey, k.Wrapped, millis(t.now))
		if err != nil {
			return ledger.DataKey{}, err
		}
		return writingKey(ctx, t, op, k.Subject)
	})
}

// KeysNotUnder implements ledger.PersonalData.
func (l *Ledger) KeysNotUnder(ctx context.Context, ringKey string, n int) ([]ledger.DataKey, error) {
	return read(ctx, l, "ledger.keys_not_under", func(ctx context.Context, q querier) ([]ledger.DataKey, error) {
		rows, err := q.query(ctx, selectDataKey+` WHERE ring_key <> ? AND erased_at = 0 ORDER BY ring_key, id LIMIT ?`, ringKey, n)
		return collect(rows, err, scanDataKey)
	})
}

// RewrapDataKey implements ledger.PersonalData.
func (l *Ledger) RewrapDataKey(ctx context.Context, from ledger.DataKey, ringKey string, wrapped []byte) (bool, error) {
	const op = "ledger.rewrap_data_key"
	if ringKey == "" || len(wrapped) == 0 {
		return false, invalid(op, "the data key is not whole")
	}
	return write(ctx, l, op, func(ctx context.Context, t *tx) (bool, error) {
		n, err := t.exec(ctx, `UPDATE data_keys SET ring_key = ?, wrapped = ?
			WHERE id = ? AND ring_key = ? AND wrapped = ? AND erased_at = 0`, ringKey, wrapped, from.ID, from.RingKey, from.Wrapped)
		return n == 1, err
	})
}

// DataKeyCounts implements ledger.PersonalData.
func (l *Ledger) DataKeyCounts(ctx context.Context) (map[string]int, error) {
	type count struct {
		key string
		n   int
	}
	return read(ctx, l, "ledger.data_key_counts", func(ctx context.Context, q querier) (map[string]int, error) {
		rows, err := q.query(ctx, `SELECT ring_key, count(*) FROM data_keys WHERE erased_at = 0 GROUP BY ring_key`)
		counts, err := collect(rows, err, func(row scanner) (count, error) {
			var c count
			return c, row.Scan(&c.key, &c.n)
		})
		out := map[string]int{}
		for _, c := range counts {
			out[c.key] = c.n
		}
		return out, err
	})
}

// shownOpen is how many rewards that have not ended a refusal names.
const shownOpen = 10

// ErasePromoter implements ledger.PersonalData.
func (l *Ledger) ErasePromoter(ctx context.Context, promoter int64, actor string) (ledger.Erasure, error) {
	const op = "ledger.erase_promoter"
	if promoter <= 0 || actor == "" {
		return ledger.Erasure{}, invalid(op, "an erasure names a promoter, and who wants it")
	}
	// Events that ask for no reward name the promoter in their bodies only. They
	// are looked for outside the writer, which others wait for.
	about, err := l.eventsAbout(ctx, op, promoter)
	if err != nil {
		return ledger.Erasure{}, err
	}
	return write(ctx, l, op, func(ctx context.Context, t *tx) (ledger.Erasure, error) {
		out, err := t.ended(ctx, op, promoter)
		if err != nil {
			return ledger.Erasure{}, err
		}
		if _, err := t.exec(ctx, `INSERT INTO erasing (promoter_id) VALUES (?)`, promoter); err != nil {
			return ledger.Erasure{}, err
		}
		if err := t.blank(ctx, promoter, about, &out); err != nil {
			return ledger.Erasure{}, err
		}
		if out.Rewards == 0 && out.Events == 0 && out.Keys == 0 {
			return ledger.Erasure{}, notFound(op, fmt.Sprintf("the ledger knows no promoter %d", promoter))
		}
		_, err = t.exec(ctx, `INSERT INTO erasures (promoter_id, at, person, rewards, events, payouts, keys) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			promoter, millis(t.now), actor, out.Rewards, out.Events, out.Payouts, out.Keys)
		if err != nil {
			return ledger.Erasure{}, err
		}
		_, err = t.exec(ctx, `DELETE FROM erasing`)
		return out, err
	})
}

// ended counts the promoter's rewards, and refuses where one has not ended.
func (t *tx) ended(ctx context.Context, op string, promoter int64) (ledger.Erasure, error) {
	type row struct {
		id     reward.ID
		status reward.Status
	}
	rows, err := t.query(ctx, `SELECT id, status FROM rewards WHERE promoter_id = ? ORDER BY id`, promoter)
	all, err := collect(rows, err, func(s scanner) (row, error) {
		var r row
		return r, s.Scan(&r.id, &r.status)
	})
	if err != nil {
		return ledger.Erasure{}, err
	}
	var open []string
	for _, r := range all {
		if !r.status.Final() {
			open = append(open, fmt.Sprintf("%d (%s)", r.id, r.status))
		}
	}
	if len(open) > 0 {
		named := strings.Join(open[:min(len(open), shownOpen)], ", ")
		if len(open) > shownOpen {
			named += fmt.Sprintf(" and %d more", len(open)-shownOpen)
		}
		return ledger.Erasure{}, conflict(op, fmt.Sprintf("promoter %d has rewards that have not ended: %s", promoter, named))
	}
	return ledger.Erasure{Rewards: len(all)}, nil
}

// blank takes the person out of everything that the promoter is in.
func (t *tx) blank(ctx context.Context, promoter int64, about []int64, out *ledger.Erasure) error {
	// The claim stays readable: what it says of the person is left out.
	rows, err := t.query(ctx, `SELECT id, claim FROM rewards WHERE promoter_id = ?`, promoter)
	claims, err := collect(rows, err, func(s scanner) (c struct {
		id   int64
		body []byte
	}, err error,
	) {
		return c, s.Scan(&c.id, &c.body)
	})
	if err != nil {
		return err
	}
	for _, c := range claims {
		var claim reward.Reward
		if err := json.Unmarshal(c.body, &claim); err != nil {
			return err
		}
		claim.Promoter.CustID, claim.Promoter.Email = "", ""
		body, err := json.Marshal(claim)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE rewards SET promoter_cust_id = '', promoter_email = '', facts = '', claim = ? WHERE id = ?`, body, c.id); err != nil {
			return err
		}
	}
	for _, id := range about {
		if _, err := t.exec(ctx, `UPDATE inbox SET body = ? WHERE id = ?`, []byte(ledger.ErasedBody), id); err != nil {
			return err
		}
	}
	out.Events = len(about)
	// An event may have named another promoter than FirstPromoter does.
	n, err := t.exec(ctx, `UPDATE inbox SET body = ? WHERE body <> ? AND type = 'fulfilment_pending'
		AND reward_id IN (SELECT id FROM rewards WHERE promoter_id = ?)`,
		[]byte(ledger.ErasedBody), []byte(ledger.ErasedBody), promoter)
	if err != nil {
		return err
	}
	out.Events += int(n)
	n, err = t.exec(ctx, `UPDATE payout_generations SET destination = ?, body = ?
		WHERE reward_id IN (SELECT id FROM rewards WHERE promoter_id = ?) AND destination <> ?`,
		ledger.ErasedDestination, []byte{}, promoter, ledger.ErasedDestination)
	if err != nil {
		return err
	}
	out.Payouts = int(n)
	n, err = t.exec(ctx, `UPDATE data_keys SET wrapped = ?, erased_at = ? WHERE subject = ? AND erased_at = 0`,
		[]byte{}, millis(t.now), ledger.PromoterSubject(promoter))
	out.Keys = int(n)
	return err
}

// eventsAbout returns the inbox rows whose clear bodies are about a promoter. A
// body that is encrypted goes with its key.
func (l *Ledger) eventsAbout(ctx context.Context, op string, promoter int64) ([]int64, error) {
	const page = 1000
	type row struct {
		id   int64
		body []byte
	}
	var found []int64
	for after := int64(0); ; {
		rows, err := read(ctx, l, op, func(ctx context.Context, q querier) ([]row, error) {
			rows, err := q.query(ctx, `SELECT id, body FROM inbox WHERE id > ? ORDER BY id LIMIT ?`, after, page)
			return collect(rows, err, func(s scanner) (row, error) {
				var r row
				return r, s.Scan(&r.id, &r.body)
			})
		})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			var body struct {
				Promoter struct {
					ID int64 `json:"id"`
				} `json:"promoter"`
			}
			if json.Unmarshal(r.body, &body) == nil && body.Promoter.ID == promoter {
				found = append(found, r.id)
			}
			after = r.id
		}
		if len(rows) < page {
			return found, nil
		}
	}
}
