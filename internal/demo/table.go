package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// greet prints the addresses.
func (d *Demo) greet() {
	fmt.Fprintf(d.opts.Out, `rewardflow demo: FirstPromoter and the provider are doubles with books of their own.

  console        %s
  operator API   %s/api/v1/rewards
  Temporal UI    %s
  FirstPromoter  %s (double)
  provider       %s/rewards (double)
  files          %s

`, d.process.ConsoleURL(), d.process.URL(), d.opts.TemporalUIURL, d.fpURL+"/api/v1", d.providing, d.opts.DataDir)
}

// show sends rewards and shows them moving until the context ends.
func (d *Demo) show(ctx context.Context) error {
	resumed, err := d.resumed(ctx)
	if err != nil {
		return err
	}
	first := d.opts.Rewards
	if resumed && !d.opts.Chosen {
		fmt.Fprintln(d.opts.Out, "Going on where the last start was.")
		first = 0
	}
	fmt.Fprintln(d.opts.Out, "Ctrl-C stops; the next start goes on from here.")
	ctx, cancel := context.WithCancelCause(ctx)
	var sending sync.WaitGroup
	sending.Go(func() { cancel(d.keepSending(ctx, first)) })
	defer sending.Wait()
	defer cancel(nil)

	screen := d.newScreen()
	for ctx.Err() == nil {
		records, err := d.records(ctx, 100)
		if err != nil && ctx.Err() == nil {
			return err
		}
		screen.draw(records)
		select {
		case err := <-d.process.Failed():
			return err
		default:
			wait(ctx, time.Second)
		}
	}
	fmt.Fprintln(d.opts.Out, "\nStopping.")
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// keepSending sends the first rewards, and then one now and then, until the
// context ends.
func (d *Demo) keepSending(ctx context.Context, first int) error {
	err := d.send(ctx, first, time.Second)
	for err == nil && ctx.Err() == nil {
		if wait(ctx, sendEvery); ctx.Err() == nil {
			err = d.sendOne(ctx)
		}
	}
	if ctx.Err() != nil {
		// An event that was cut off by the end of the demo is sent by the next.
		return context.Canceled
	}
	return err
}

// screen shows rewards: as a table that is drawn again on a terminal, line by
// line elsewhere.
type screen struct {
	demo     *Demo
	terminal bool
	drawn    int
	seen     map[reward.ID]reward.Status
}

func (d *Demo) newScreen() *screen {
	file, ok := d.opts.Out.(*os.File)
	s := &screen{demo: d, seen: map[reward.ID]reward.Status{}}
	if ok {
		info, err := file.Stat()
		s.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	}
	return s
}

// rows is how many rewards the table shows.
const rows = 16

func (s *screen) draw(records []ledger.Record) {
	if !s.terminal {
		s.log(records)
		return
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REWARD\tQUANTITY\tPROMOTER\tSTATUS\tWHY")
	for _, rec := range records[:min(len(records), rows)] {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", rec.Reward.ID, rec.Reward.Quantity, rec.Reward.Promoter.ID, rec.Status, cut(rec.Reason, 60))
	}
	w.Flush()
	b.WriteString("\n" + s.advice(records) + "\n")
	if s.drawn > 0 {
		fmt.Fprintf(s.demo.opts.Out, "\x1b[%dA\x1b[J", s.drawn)
	}
	fmt.Fprint(s.demo.opts.Out, b.String())
	s.drawn = strings.Count(b.String(), "\n")
}

// log prints what changed.
func (s *screen) log(records []ledger.Record) {
	for i := len(records) - 1; i >= 0; i-- {
		rec := records[i]
		if s.seen[rec.Reward.ID] == rec.Status {
			continue
		}
		s.seen[rec.Reward.ID] = rec.Status
		fmt.Fprintf(s.demo.opts.Out, "%s  %-9s %-28s %-18s %s\n", time.Now().Format(time.TimeOnly),
			rec.Reward.ID, rec.Reward.Quantity, rec.Status, cut(rec.Reason, 90))
	}
}

// advice says what to try on the newest reward that waits for approval.
func (s *screen) advice(records []ledger.Record) string {
	for _, rec := range records {
		if rec.Status == reward.AwaitingApproval {
			return fmt.Sprintf("Try: go run ./cmd/rewardflow approvals approve %s --yes   or the signal approve in the Temporal UI", rec.Reward.ID)
		}
	}
	return "Nothing waits for approval at the moment."
}

func cut(s string, n int) string {
	letters := []rune(strings.Join(strings.Fields(s), " "))
	if len(letters) <= n {
		return string(letters)
	}
	return string(letters[:n-1]) + "…"
}
