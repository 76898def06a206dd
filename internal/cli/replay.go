package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"
)

// replay is what the flags of events replay say.
type replay struct {
	when  timeRange
	kind  string
	again bool
}

func (p *Program) eventsReplayCommand() *cobra.Command {
	var r replay
	c := &cobra.Command{
		Use:   "replay ID, or replay --from TIME --to TIME",
		Short: "Have an event, or all of a time range, dispatched again",
		Long: `Have an event, or all of a time range, dispatched again.

A fulfilment is started only where none is open and the reward has not ended.
Of another event, those channels are told that are routed to it now and were
not told before; with --again all of them. While a replay is under way, the
same one adds nothing.

ID is the first column of rewardflow events list. A range is counted first, and
then asked about.`,
		Example: `  rewardflow events replay 4711
  rewardflow events replay --from 2026-11-23 --to 2026-11-24 --type lead_signup`,
		Args: func(c *cobra.Command, args []string) error {
			if ranged := c.Flags().Changed("from") || c.Flags().Changed("to") || c.Flags().Changed("type"); !ranged {
				return oneArgument("the ID of an event, or --from and --to,")(c, args)
			}
			return noArguments(c, args)
		},
	}
	r.when.flags(c)
	c.Flags().StringVar(&r.kind, "type", "", "of a range, only this event type")
	c.Flags().BoolVar(&r.again, "again", false, "tell every channel, also those that were told before")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			return p.replayOne(c.Context(), args[0], r.again)
		}
		return p.replayRange(c.Context(), r)
	}
	return c
}

func (p *Program) replayOne(ctx context.Context, arg string, again bool) error {
	id, err := eventID(arg)
	if err != nil {
		return err
	}
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	if again {
		if err := p.confirm(ctx, fmt.Sprintf("Tell every channel of event %d again?", id)); err != nil {
			return err
		}
	}
	raw, err := api.send(ctx, http.MethodPost, eventPath(id)+"/replay", map[string]any{"again": again})
	if err != nil {
		return aboutEvent(err)
	}
	done, err := decode[replayedDocument](raw)
	if err != nil {
		return err
	}
	return p.emit(raw, func(out io.Writer) error {
		_, err := fmt.Fprintf(out, "event %d: %s\n", done.ID, plain(replayWords(done.Result)))
		return err
	})
}

func (p *Program) replayRange(ctx context.Context, r replay) error {
	from, to, err := r.when.times(p.env.Now())
	if err != nil {
		return err
	}
	if from.IsZero() || to.IsZero() || !from.Before(to) {
		return usage("a range needs --from and --to, the earlier one first")
	}
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	send := func(dryRun bool) ([]byte, replayedRangeDocument, error) {
		raw, err := api.send(ctx, http.MethodPost, eventsPath+"/replay", map[string]any{
			"from": instant(from), "to": instant(to), "type": r.kind, "again": r.again, "dry_run": dryRun,
		})
		if err != nil {
			return nil, replayedRangeDocument{}, err
		}
		counts, err := decode[replayedRangeDocument](raw)
		return raw, counts, err
	}
	raw, counts, err := send(true)
	if err != nil {
		return err
	}
	if counts.Queued > 0 {
		p.note("%d events from %s to %s; %d of them can be replayed", counts.Events, stamp(from), stamp(to), counts.Queued)
		if err := p.confirm(ctx, r.question(counts.Queued)); err != nil {
			return err
		}
		if raw, counts, err = send(false); err != nil {
			return err
		}
	}
	return p.emit(raw, func(out io.Writer) error { return counts.write(out) })
}

func (r replay) question(n int) string {
	if r.again {
		return fmt.Sprintf("Replay %d events, and tell every channel again?", n)
	}
	return fmt.Sprintf("Replay %d events?", n)
}

func (d replayedRangeDocument) write(out io.Writer) error {
	t := newTable(out)
	t.row("dispatched again", fmt.Sprint(d.Queued))
	t.row("waiting already", fmt.Sprint(d.Waiting))
	t.row("reward has ended", fmt.Sprint(d.Ended))
	t.row("stored only", fmt.Sprint(d.StoredOnly))
	return t.end()
}
