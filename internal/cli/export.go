package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/payout"
)

const (
	payoutsPath      = "/api/v1/payouts"
	payoutTotalsPath = "/api/v1/payouts/totals"
)

// exportPage is how many payouts are asked for at once: few enough for the
// longest comments to stay below what is read of an answer.
const exportPage = 200

// exportTries is how often a period is read when it changes meanwhile.
const exportTries = 3

// order is what the flags of export ask for.
type order struct {
	from, to string
	format   string
	states   []string
	unit     string
	provider string
	email    bool
	file     string
	totals   string

	period period
}

// period is half-open: its start is part of it, its end is not.
type period struct{ from, to time.Time }

// String returns the period for people.
func (pd period) String() string {
	return "from " + pd.from.Format(time.RFC3339Nano) + " until before " + pd.to.Format(time.RFC3339Nano)
}

func (p *Program) exportCommand() *cobra.Command {
	var o order
	c := &cobra.Command{
		Use:   "export --from DAY --to DAY",
		Short: "Write what was paid in a period as CSV or JSON lines, with sums",
		Long: `export writes every payout whose value left, or may have left, in a period: one
line each, to standard output or to a file, as CSV or as JSON lines. The sums go
to standard error, and with --totals to a file.

The period is half-open: --from is part of it, --to is not. Both are days in UTC
(2026-11-01), or times of RFC 3339. A payout stands where it was paid; one that
never was, where it was sent last.

Nothing is written unless everything was read and the sums agree with the
ledger's own.`,
		Example: `  rewardflow export --from 2026-11-01 --to 2026-12-01 --file november.csv --totals november-sums.csv
  rewardflow export --from 2026-11-01 --to 2026-12-01 --unit cash --provider payouts
  rewardflow export --from 2026-11-01 --to 2026-12-01 --format jsonl | jq 'select(.money != "left")'`,
		Args: noArguments,
	}
	flags := c.Flags()
	flags.StringVar(&o.from, "from", "", "start of the period, which is part of it: a day in UTC, or a time")
	flags.StringVar(&o.to, "to", "", "end of the period, which is not part of it: a day in UTC, or a time")
	flags.StringVar(&o.format, "format", formatCSV, "csv, or jsonl: one JSON document in each line")
	flags.StringSliceVar(&o.states, "state", nil, "only payouts in these states, repeated or with commas (default: all that left or may have left)")
	flags.StringVar(&o.unit, "unit", "", "only this unit, such as cash")
	flags.StringVar(&o.provider, "provider", "", "only this provider, by its configured name")
	flags.BoolVar(&o.email, "email", false, "with the promoters' email addresses")
	flags.StringVar(&o.file, "file", "", "write to this file, once everything was read; an earlier one is replaced")
	flags.StringVar(&o.totals, "totals", "", "write the sums to this file, in the same format")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := o.check(p.output); err != nil {
			return err
		}
		return p.export(c.Context(), o)
	}
	return c
}

// check reads what was typed, and refuses what cannot be meant.
func (o *order) check(output string) error {
	if output != outputText {
		return usage("export has formats of its own: use --format %s", formatJSONL)
	}
	if o.format != formatCSV && o.format != formatJSONL {
		return usage("--format %s is not known: there are %s and %s", plain(o.format), formatCSV, formatJSONL)
	}
	if o.file != "" && o.totals != "" && filepath.Clean(o.file) == filepath.Clean(o.totals) {
		return usage("--file and --totals name the same file")
	}
	for _, s := range o.states {
		if !slices.Contains(payout.States(), payout.State(s)) {
			return usage("%q is not a state of a payout: there are %s", plain(s), payoutStates())
		}
	}
	var err error
	if o.period.from, err = bound("--from", o.from); err != nil {
		return err
	}
	if o.period.to, err = bound("--to", o.to); err != nil {
		return err
	}
	if !o.period.from.Before(o.period.to) {
		return usage("the period is empty: --to is not after --from, and is not part of the period itself")
	}
	return nil
}

// bound reads one end of the period.
func bound(flag, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, usage("%s is missing: name the period, such as --from 2026-11-01 --to 2026-12-01", flag)
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if at, err := time.Parse(layout, value); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, usage("%s %s is neither a day such as 2026-11-01, in UTC, nor a time such as 2026-11-01T00:00:00Z", flag, plain(value))
}

func payoutStates() string {
	words := make([]string, 0, len(payout.States()))
	for _, s := range payout.States() {
		words = append(words, string(s))
	}
	return strings.Join(words, ", ")
}

// query selects the same payouts for the list and for the sums.
func (o *order) query(pd period) url.Values {
	q := url.Values{"to": {pd.to.Format(time.RFC3339Nano)}}
	if !pd.from.IsZero() {
		q.Set("from", pd.from.Format(time.RFC3339Nano))
	}
	if len(o.states) > 0 {
		q.Set("state", strings.Join(o.states, ","))
	}
	if o.unit != "" {
		q.Set("unit", o.unit)
	}
	if o.provider != "" {
		q.Set("provider", o.provider)
	}
	return q
}

// export reads everything, checks it, and only then writes it.
func (p *Program) export(ctx context.Context, o order) error {
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	rows, err := newSpool(o.file)
	if err != nil {
		return err
	}
	defer rows.discard()
	sums, err := api.readStatement(ctx, o, rows)
	if err != nil {
		return err
	}
	earlier, err := api.openEarlier(ctx, o)
	if err != nil {
		return notExported(sums.count(), err)
	}
	if o.totals != "" {
		if err := keepSums(o, sums); err != nil {
			return err
		}
	}
	if err := rows.keep(p.env.Stdout); err != nil {
		return err
	}
	return p.tellSums(o, sums, earlier)
}

func keepSums(o order, s *sums) error {
	totals, err := newSpool(o.totals)
	if err != nil {
		return err
	}
	defer totals.discard()
	if err := writeSums(totals, o, s); err != nil {
		return err
	}
	return totals.keep(io.Discard)
}

// readStatement reads the period until what was read agrees with the ledger's
// own sums: payouts may move while they are read, page by page.
func (a *operatorAPI) readStatement(ctx context.Context, o order, to *spool) (*sums, error) {
	for range exportTries {
		if err := to.restart(); err != nil {
			return nil, err
		}
		read := newSums()
		if err := a.readPages(ctx, o, to, read); err != nil {
			return nil, notExported(read.count(), err)
		}
		ledger, err := a.totals(ctx, o.query(o.period))
		if err != nil {
			return nil, notExported(read.count(), err)
		}
		if read.equal(ledger) {
			return read, nil
		}
	}
	return nil, &failure{
		code:    exitFailure,
		message: fmt.Sprintf("nothing was exported: payouts of the period moved while they were read, %d times", exportTries),
		next:    "run it again, or choose a period that has ended",
	}
}

// readPages writes every payout of the period, and adds it up.
func (a *operatorAPI) readPages(ctx context.Context, o order, to io.Writer, read *sums) error {
	write, err := newStatementWriter(to, o)
	if err != nil {
		return err
	}
	query := o.query(o.period)
	query.Set("limit", strconv.Itoa(exportPage))
	if o.email {
		query.Set("email", "true")
	}
	var last entryDocument
	for {
		raw, err := a.get(ctx, payoutsPath, query)
		if err != nil {
			return err
		}
		page, err := decode[statementDocument](raw)
		if err != nil {
			return err
		}
		for _, e := range page.Payouts {
			if !e.follows(last) {
				return &failure{
					code:    exitFailure,
					message: fmt.Sprintf("the operator API lists payouts out of order: %s after %s", e.RewardID, last.RewardID),
					next:    "check that both sides have the same version (rewardflow version), and that no proxy keeps answers",
				}
			}
			last = e
			read.add(e)
			if err := write.entry(e); err != nil {
				return err
			}
		}
		if page.NextCursor == "" || len(page.Payouts) == 0 {
			return write.end()
		}
		query.Set("cursor", page.NextCursor)
	}
}

// totals asks for the ledger's own sums.
func (a *operatorAPI) totals(ctx context.Context, query url.Values) (*sums, error) {
	raw, err := a.get(ctx, payoutTotalsPath, query)
	if err != nil {
		return nil, err
	}
	document, err := decode[totalsDocument](raw)
	if err != nil {
		return nil, err
	}
	out := newSums()
	for _, t := range document.Totals {
		if err := out.take(t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// openEarlier sums what was sent before the period and may have left since:
// the period's own payouts do not show it.
func (a *operatorAPI) openEarlier(ctx context.Context, o order) (*sums, error) {
	if len(o.states) > 0 {
		return newSums(), nil
	}
	all, err := a.totals(ctx, o.query(period{to: o.period.from}))
	if err != nil {
		return nil, err
	}
	return all.open(), nil
}

// notExported says how far an export came that failed.
func notExported(read int, err error) error {
	how := fmt.Sprintf("nothing was exported: it broke off after %s", payouts(read))
	if f, ok := errors.AsType[*failure](err); ok {
		return &failure{code: f.code, message: how + ": " + f.message, next: f.next}
	}
	return fmt.Errorf("%s: %w", how, err)
}
