package relational

import (
	"context"

	"github.com/rewardflow/rewardflow/internal/ledger"
)

// SetBrake implements ledger.Brake. Every setting is kept.
func (l *Ledger) SetBrake(ctx context.Context, s ledger.BrakeState) error {
	const op = "ledger.set_brake"
	if s.Scope == "" {
		return invalid(op, "the brake needs a scope: a provider's name, or "+ledger.AllProviders)
	}
	return l.writer.do(ctx, op, func(ctx context.Context, t *tx) error {
		if s.At.IsZero() {
			s.At = t.now
		}
		return t.session.setBrake(ctx, s)
	})
}

// setBrake sets the switch of a scope, and remembers that.
func (s *session) setBrake(ctx context.Context, b ledger.BrakeState) error {
	_, err := s.exec(ctx, `INSERT INTO brakes (scope, paused, reason, person, at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (scope) DO UPDATE SET paused = excluded.paused, reason = excluded.reason,
			person = excluded.person, at = excluded.at`,
		b.Scope, b.Paused, b.Reason, b.By, millis(b.At))
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, `INSERT INTO brake_changes (scope, paused, reason, person, at) VALUES (?, ?, ?, ?, ?)`,
		b.Scope, b.Paused, b.Reason, b.By, millis(b.At))
	return err
}

// Brakes implements ledger.Brake.
func (l *Ledger) Brakes(ctx context.Context) ([]ledger.BrakeState, error) {
	return read(ctx, l, "ledger.brakes", func(ctx context.Context, q querier) ([]ledger.BrakeState, error) {
		rows, err := q.query(ctx, `SELECT scope, paused, reason, person, at FROM brakes ORDER BY scope <> ?, scope`,
			ledger.AllProviders)
		return collect(rows, err, func(row scanner) (ledger.BrakeState, error) {
			var s ledger.BrakeState
			var at int64
			err := row.Scan(&s.Scope, &s.Paused, &s.Reason, &s.By, &at)
			s.At = fromMillis(at)
			return s, err
		})
	})
}
