package intake

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/notify"
)

// summed is the part of the ledger that a daily summary is made of.
type summed interface {
	Announce(ctx context.Context, ev ledger.Event) (bool, error)
	Summary(ctx context.Context) ([]ledger.Total, []ledger.PaidTotal, error)
	PaidBetween(ctx context.Context, from, to time.Time) ([]ledger.PaidTotal, error)
}

// SummaryConfig says when the daily summary is made. Zero fields have defaults.
type SummaryConfig struct {
	// Hour is the hour of the UTC day from which on it is made, 0 to 23.
	Hour int
	// Every is how often it is looked whether the hour has come; a minute by
	// default.
	Every time.Duration
	// Wake is called when it was made; it must not block, and may be nil.
	Wake func()
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// DailySummary puts one event a day into the inbox, which says how the rewards
// stand. The inbox knows each day once, so that one event is made however many
// processes run.
//
// It is a loop and no schedule of Temporal: it needs nothing but the ledger,
// which the event goes to anyway, nothing has to be created or kept in step
// with the configuration, and Temporal being down delays the message and does
// not lose it.
type DailySummary struct {
	cfg    SummaryConfig
	ledger summed
	log    *slog.Logger
	last   string // The last day that needs nothing more of this process.
}

// NewDailySummary returns a DailySummary, which does nothing before Run.
func NewDailySummary(cfg SummaryConfig, l summed, logger *slog.Logger) *DailySummary {
	if cfg.Every <= 0 {
		cfg.Every = time.Minute
	}
	if cfg.Wake == nil {
		cfg.Wake = func() {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &DailySummary{cfg: cfg, ledger: l, log: logger}
}

// Run makes summaries until the context ends. A process that starts after the
// hour makes that day's if nobody did; the days before are not made up.
func (d *DailySummary) Run(ctx context.Context) {
	ticker := time.NewTicker(d.cfg.Every)
	defer ticker.Stop()
	for {
		if err := d.look(ctx); err != nil && ctx.Err() == nil {
			d.log.WarnContext(ctx, "summary.not_made", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look makes the day's summary when its hour has come.
func (d *DailySummary) look(ctx context.Context) error {
	now := d.cfg.Now().UTC()
	day := now.Format(time.DateOnly)
	if now.Hour() < d.cfg.Hour || day == d.last {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	body, err := d.sum(ctx, now, day)
	if err != nil {
		return err
	}
	made, err := d.ledger.Announce(ctx, ledger.Event{
		Type: notify.DailySummary, Dedupe: day, EventID: day, Subject: notify.DailySummary, Body: body, Dispatch: true,
	})
	if err != nil {
		return fmt.Errorf("announcing the summary of %s: %w", day, err)
	}
	d.last = day
	if made {
		d.log.InfoContext(ctx, "summary.made", "day", day)
		d.cfg.Wake()
	}
	return nil
}

// sum counts the rewards as they stand, and what was paid on the day before.
func (d *DailySummary) sum(ctx context.Context, now time.Time, day string) ([]byte, error) {
	totals, _, err := d.ledger.Summary(ctx)
	if err != nil {
		return nil, fmt.Errorf("counting the rewards: %w", err)
	}
	today := now.Truncate(24 * time.Hour)
	paid, err := d.ledger.PaidBetween(ctx, today.Add(-24*time.Hour), today)
	if err != nil {
		return nil, fmt.Errorf("summing what was paid: %w", err)
	}
	summary := notify.Summary{Day: day, At: now}
	for _, t := range totals {
		summary.Statuses = append(summary.Statuses, notify.SummaryStatus{Status: t.Status, Count: t.Count, Oldest: t.Oldest})
	}
	for _, p := range paid {
		summary.Paid = append(summary.Paid, notify.SummaryPaid{Unit: p.Unit, Currency: p.Currency, Count: p.Count, Amount: p.Amount})
	}
	return summary.Body()
}
