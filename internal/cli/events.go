package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/ledger"
)

const eventsPath = "/api/v1/events"

func (p *Program) eventsCommand() *cobra.Command {
	c := p.group(&cobra.Command{
		Use:     "events",
		Short:   "What FirstPromoter sent, what it was answered, and where it went",
		Aliases: []string{"event"},
	})
	c.AddCommand(p.eventsListCommand(), p.eventsShowCommand(), p.eventsReplayCommand())
	return c
}

// eventID reads the argument that names an event.
func eventID(arg string) (int64, error) {
	id, err := strconv.ParseUint(arg, 10, 63)
	if err != nil || id == 0 {
		return 0, usage("%q is not the ID of an event: it is a whole number above zero, the first column of rewardflow events list", plain(arg))
	}
	return int64(id), nil
}

func eventPath(id int64) string { return eventsPath + "/" + strconv.FormatInt(id, 10) }

// aboutEvent makes a refusal that concerns an event say how to find it.
func aboutEvent(err error) error {
	if f, ok := errors.AsType[*failure](err); ok && f.code == exitNotFound {
		return &failure{code: f.code, message: f.message, next: "rewardflow events list"}
	}
	return err
}

// timeRange is a range of time that flags name.
type timeRange struct{ from, to string }

func (r *timeRange) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.from, "from", "", "received at this time or later: 2026-11-23T09:00:00Z, 2026-11-23 (in UTC), or 24h for that long ago")
	c.Flags().StringVar(&r.to, "to", "", "received before this time")
}

// times returns the range; a zero time where the flag is not given.
func (r *timeRange) times(now time.Time) (from, to time.Time, err error) {
	if from, err = moment("--from", r.from, now); err != nil {
		return from, to, err
	}
	to, err = moment("--to", r.to, now)
	return from, to, err
}

// moment reads a time, a day, or how long ago.
func moment(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		return now.Add(-ago).UTC(), nil
	}
	return time.Time{}, usage("%s %q is not a time such as 2026-11-23T09:00:00Z, a day such as 2026-11-23, or a length such as 24h", flag, plain(s))
}

func (p *Program) eventsListCommand() *cobra.Command {
	var (
		kind   string
		answer int
		when   timeRange
		pg     page
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "List events, newest first, and what was not stored",
		Example: `  rewardflow events list --type lead_signup --from 24h
  rewardflow events list --answer 503
  rewardflow events list --from 2026-11-23 --to 2026-11-24 -o json`,
		Args: noArguments,
	}
	c.Flags().StringVar(&kind, "type", "", "only this event type, such as lead_signup")
	c.Flags().IntVar(&answer, "answer", 0, "only what was answered with this status, such as 503")
	when.flags(c)
	pg.flags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		q := pg.query()
		from, to, err := when.times(p.env.Now())
		if err != nil {
			return err
		}
		for name, value := range map[string]string{"type": kind, "from": instant(from), "to": instant(to)} {
			if value != "" {
				q.Set(name, value)
			}
		}
		if answer != 0 {
			q.Set("answer", strconv.Itoa(answer))
		}
		return p.listEvents(c, q)
	}
	return c
}

// instant writes a time for the API; empty for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

func (p *Program) listEvents(c *cobra.Command, query url.Values) error {
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	raw, err := api.get(c.Context(), eventsPath, query)
	if err != nil {
		return err
	}
	list, err := decode[eventsDocument](raw)
	if err != nil {
		return err
	}
	if len(list.Events) == 0 {
		p.note("no events")
	}
	if err := p.emit(raw, func(out io.Writer) error { return writeEvents(out, list) }); err != nil {
		return err
	}
	p.noteMore(c, list.NextCursor)
	return nil
}

func writeEvents(out io.Writer, list eventsDocument) error {
	if len(list.Events) > 0 {
		t := newTable(out)
		t.row("ID", "RECEIVED", "TYPE", "EVENT", "REWARD", "ANSWER", "TIMES", "WENT TO")
		for _, e := range list.Events {
			t.row(strconv.FormatInt(e.ID, 10), stamp(e.ReceivedAt), e.Type, e.EventID, number(e.RewardID),
				number(int64(e.Answer)), number(int64(e.Deliveries)), e.went())
		}
		if err := t.end(); err != nil {
			return err
		}
	}
	return section(out, "not stored", []string{"HOUR", "ANSWER", "REASON", "TYPE", "REWARD", "TIMES", "LAST"}, list.Unstored,
		func(u unstoredDocument) []string {
			return []string{
				stamp(u.Hour), strconv.Itoa(u.Answer), words(string(u.Reason)), u.Type, number(u.RewardID), strconv.Itoa(u.Count), stamp(u.LastAt),
			}
		})
}

// number writes a number; empty for zero.
func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// words writes a name of the wire for people.
func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// went says where an event went.
func (e eventDocument) went() string {
	switch {
	case !e.Known:
		return "nowhere: its type is unknown, and it is stored only"
	case e.Waiting && e.Trouble != "":
		return "waits: " + e.Trouble
	case e.Waiting:
		return "waits"
	case e.WorkflowID == "":
		return "nowhere: no channel wanted it"
	}
	return e.WorkflowID
}

func (p *Program) eventsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show all that is kept of an event",
		Args:  oneArgument("the ID of an event"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.showEvent(c.Context(), args[0])
		},
	}
}

func (p *Program) showEvent(ctx context.Context, arg string) error {
	id, err := eventID(arg)
	if err != nil {
		return err
	}
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	raw, err := api.get(ctx, eventPath(id), nil)
	if err != nil {
		return aboutEvent(err)
	}
	e, err := decode[eventDocument](raw)
	if err != nil {
		return err
	}
	return p.emit(raw, func(out io.Writer) error { return p.writeEvent(out, e) })
}

func (p *Program) writeEvent(out io.Writer, e eventDocument) error {
	now := p.env.Now()
	t := newTable(out)
	t.row("event", strconv.FormatInt(e.ID, 10))
	t.row("type", e.Type)
	t.row("event ID", e.EventID)
	t.field("reward", number(e.RewardID))
	if e.Internal {
		t.row("from", "rewardflow itself, to tell people")
	}
	t.row("received", ago(e.ReceivedAt, now))
	t.row("went to", e.went())
	t.field("dispatched", ago(e.DispatchedAt, now))
	if err := t.end(); err != nil {
		return err
	}
	if err := section(out, "answers", []string{"AT", "ANSWER", "DUPLICATE"}, e.Answers, func(a answerDocument) []string {
		duplicate := ""
		if a.Duplicate {
			duplicate = "yes"
		}
		return []string{stamp(a.At), strconv.Itoa(a.Answer), duplicate}
	}); err != nil {
		return err
	}
	if err := section(out, "replays", []string{"AT", "BY", "AGAIN", "DONE", "OUTCOME"}, e.Replays, func(r replayDocument) []string {
		by, again, outcome := r.By, "", r.Outcome
		if !r.Verified {
			by += " (unverified)"
		}
		if r.Again {
			again = "yes"
		}
		if r.DoneAt.IsZero() {
			outcome = "waits"
		}
		return []string{stamp(r.At), by, again, stamp(r.DoneAt), outcome}
	}); err != nil {
		return err
	}
	return writeFields(out, e.Fields)
}

// writeFields writes the fields of an event as indented JSON, made safe to show
// line by line.
func writeFields(out io.Writer, fields json.RawMessage) error {
	var value any
	if err := json.Unmarshal(fields, &value); err != nil {
		return nil //nolint:nilerr // There is nothing to show.
	}
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(value); err != nil {
		return fmt.Errorf("writing the fields: %w", err)
	}
	if _, err := fmt.Fprintln(out, "\nfields"); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(out, plain(strings.TrimRight(line, "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// replayWords says what becomes of an event that is to be replayed.
func replayWords(s ledger.ReplayState) string {
	switch s {
	case ledger.ReplayQueued:
		return "it is dispatched again"
	case ledger.ReplayWaiting:
		return "it waits to be dispatched already, and nothing was added"
	case ledger.ReplayEnded:
		return "nothing to do: its reward has ended"
	case ledger.ReplayStoredOnly:
		return "nothing to do: its type is unknown, and nothing acts on it"
	}
	return "this version does not know what became of it: " + string(s)
}
