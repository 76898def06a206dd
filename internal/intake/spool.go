package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/spool"
)

const (
	// patience is how long an event waits for its turn at the inbox before it
	// goes to the spool. FirstPromoter waits 15 seconds for an answer.
	patience = 2 * time.Second
	// foldEvery is how often files of processes that died are looked for.
	foldEvery = 15 * time.Second
)

// Spool keeps events on the disk while the inbox cannot commit. It is a
// *spool.Spool.
type Spool interface {
	Append(ctx context.Context, data []byte) error
	Check(ctx context.Context) error
	State() spool.State
	Fold(ctx context.Context, take spool.Take) (int, error)
}

// commit makes an event durable: in the inbox, or, while that cannot commit,
// in the spool. An event in the spool is answered 202, which is always safe;
// whether an answer of 200 may close its reward is the inbox's to say, and it
// cannot be asked.
func (in *Intake) commit(ctx context.Context, ev ledger.Event) (receipt ledger.Receipt, spooled bool, err error) {
	if in.spool == nil {
		receipt, err = in.inbox.Accept(ctx, ev, in.closeByAnswerAfter)
		return receipt, false, err
	}
	if ev.Reward == nil {
		// It is never sent again, so it is kept even if its sender hangs up.
		ctx = context.WithoutCancel(ctx)
	}
	if in.detour.Load() {
		err = fault.New(fault.Unavailable, "intake.accept", "the inbox did not commit a moment ago")
	} else {
		receipt, err = in.tryInbox(ctx, ev)
	}
	if err == nil || fault.Is(err, fault.Invalid) || ctx.Err() != nil {
		return receipt, false, err
	}
	return ledger.Receipt{}, true, in.toSpool(ctx, ev, err)
}

// tryInbox gives the inbox its chance, and notes when it fails events at large.
func (in *Intake) tryInbox(ctx context.Context, ev ledger.Event) (ledger.Receipt, error) {
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	receipt, err := in.inbox.Accept(call, ev, in.closeByAnswerAfter)
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Ambiguous, fault.Throttled:
		if ctx.Err() == nil && in.detour.CompareAndSwap(false, true) {
			in.log.ErrorContext(ctx, "inbox.not_committing", "error", err, "consequence", "events go to the spool until it commits again")
		}
	default: // It was committed, or it is the one event's own trouble.
	}
	return receipt, err
}

func (in *Intake) toSpool(ctx context.Context, ev ledger.Event, cause error) error {
	data, err := encode(ev)
	if err == nil {
		err = in.spool.Append(ctx, data)
	}
	select {
	case in.foldNow <- struct{}{}:
	default:
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, "intake.accept",
			"neither the inbox nor the spool took the event: "+fault.Message(cause)+"; "+fault.Message(err), errors.Join(cause, err))
	}
	in.metrics.spooled.Inc()
	return nil
}

// FoldSpool brings what the spool holds to the inbox, this process's own
// events and those of processes that died, until the context ends, and once
// more then. An Intake with a spool needs it.
func (in *Intake) FoldSpool(ctx context.Context) {
	trouble, told := 0, ""
	for ctx.Err() == nil {
		err := in.foldOnce(ctx)
		wake := in.foldNow
		pause := foldEvery
		if err != nil {
			// Its events wake nobody: the inbox is not to be hammered.
			trouble, wake = trouble+1, nil
			pause = backoff(trouble)
			if err.Error() != told && ctx.Err() == nil {
				told = err.Error()
				in.log.WarnContext(ctx, "spool.not_folded", "error", err, "events", in.spool.State().Records)
			}
		} else {
			trouble, told = 0, ""
		}
		rest(ctx, pause, wake)
	}
	if in.spool.State().Records > 0 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if err := in.foldOnce(ctx); err != nil {
			in.log.WarnContext(ctx, "spool.left", "events", in.spool.State().Records,
				"consequence", "the next process on this data directory brings them to the inbox")
		}
	}
}

// foldOnce folds everything that waits, and ends the detour when the inbox
// commits. What cannot be decrypted says nothing about the inbox.
func (in *Intake) foldOnce(ctx context.Context) error {
	folded, err := in.spool.Fold(ctx, in.take)
	if folded > 0 {
		in.log.InfoContext(ctx, "spool.folded", "events", folded)
	}
	if err != nil && !errors.Is(err, spool.ErrNotDecrypted) {
		return err
	}
	if folded == 0 && in.detour.Load() { // Nothing was folded that would have shown it.
		if ping := in.inbox.Ping(ctx); ping != nil {
			return ping
		}
	}
	in.recovered(ctx)
	return err
}

func (in *Intake) recovered(ctx context.Context) {
	if in.detour.CompareAndSwap(true, false) {
		in.log.InfoContext(ctx, "inbox.committing_again")
	}
}

// take commits spooled events to the inbox. When the inbox refuses some of
// them for what they are, the others are committed one by one.
func (in *Intake) take(ctx context.Context, records []spool.Record) (refused int, err error) {
	events := make([]ledger.Spooled, 0, len(records))
	for _, r := range records {
		ev, err := decode(r.Data)
		if err != nil {
			in.log.ErrorContext(ctx, "spool.not_decoded", "error", err)
			refused++
			continue
		}
		events = append(events, ledger.Spooled{Event: ev, At: r.At})
	}
	err = in.inbox.Fold(ctx, events)
	if in.isTheirs(ctx, err) {
		var more int
		more, err = in.takeEach(ctx, events)
		refused += more
	}
	if err != nil {
		return 0, err
	}
	in.recovered(ctx)
	in.wake()
	return refused, nil
}

func (in *Intake) takeEach(ctx context.Context, events []ledger.Spooled) (refused int, err error) {
	for i := range events {
		err := in.inbox.Fold(ctx, events[i:i+1])
		switch {
		case err == nil:
		case in.isTheirs(ctx, err):
			in.log.ErrorContext(ctx, "spool.event_refused", "event_type", events[i].Event.Type, "event_id", events[i].Event.EventID, "error", err)
			refused++
		default:
			return 0, err
		}
	}
	return refused, nil
}

// isTheirs reports whether an error is about the events, and not about the
// inbox, which then commits other things.
func (in *Intake) isTheirs(ctx context.Context, err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Internal:
		return in.inbox.Ping(ctx) == nil
	default:
		return false
	}
}

// CheckSpool reports whether an event could be kept in the spool now, by a
// write that leaves no trace.
func (in *Intake) CheckSpool(ctx context.Context) error {
	if in.spool == nil {
		return fault.New(fault.Unavailable, "intake.check", "there is no spool")
	}
	return in.spool.Check(ctx)
}

// SpoolDepth returns how many events wait in the spool for the inbox, and
// since when the oldest does; the zero time when none waits.
func (in *Intake) SpoolDepth() (depth int, oldest time.Time) {
	if in.spool == nil {
		return 0, time.Time{}
	}
	state := in.spool.State()
	return state.Records, state.Oldest
}

// spoolVersion is the version of spooledJSON.
const spoolVersion = 1

// spooledJSON is how an event stands in the spool. It holds the allowed fields
// and no others, like the inbox.
type spooledJSON struct {
	Version     int             `json:"version"`
	Type        string          `json:"type"`
	Dedupe      string          `json:"dedupe"`
	EventID     string          `json:"event_id"`
	Subject     string          `json:"subject,omitempty"`
	Reward      *reward.Reward  `json:"reward,omitempty"`
	Defect      string          `json:"defect,omitempty"`
	Traceparent string          `json:"traceparent,omitempty"`
	Dispatch    bool            `json:"dispatch"`
	Delivery    string          `json:"delivery"`
	Body        json.RawMessage `json:"body"`
}

func encode(ev ledger.Event) ([]byte, error) {
	stored := spooledJSON{
		Version: spoolVersion, Type: ev.Type, Dedupe: ev.Dedupe, EventID: ev.EventID, Subject: ev.Subject,
		Traceparent: ev.Traceparent, Dispatch: ev.Dispatch, Delivery: ev.Delivery, Body: ev.Body,
	}
	if ev.Reward != nil {
		stored.Reward, stored.Defect = &ev.Reward.Reward, ev.Reward.Defect
	}
	data, err := json.Marshal(stored)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "intake.spool", "the event cannot be written as JSON", err)
	}
	return data, nil
}

func decode(data []byte) (ledger.Event, error) {
	var stored spooledJSON
	if err := json.Unmarshal(data, &stored); err != nil {
		return ledger.Event{}, fault.Wrap(fault.Invalid, "intake.spool", "a spooled event is not the JSON that was written", err)
	}
	if stored.Version != spoolVersion {
		return ledger.Event{}, fault.New(fault.Invalid, "intake.spool",
			fmt.Sprintf("a spooled event has version %d, and this program knows %d: use the program that wrote it", stored.Version, spoolVersion))
	}
	ev := ledger.Event{
		Type: stored.Type, Dedupe: stored.Dedupe, EventID: stored.EventID, Subject: stored.Subject, Body: stored.Body,
		Traceparent: stored.Traceparent, Dispatch: stored.Dispatch, Delivery: stored.Delivery,
	}
	if stored.Reward != nil {
		ev.Reward = &ledger.Claimed{Reward: *stored.Reward, Defect: stored.Defect}
	}
	return ev, nil
}

// registerSpool adds the spool's gauges.
func (in *Intake) registerSpool(registerer prometheus.Registerer) error {
	if in.spool == nil {
		return nil
	}
	depth := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "rewardflow_spool_depth",
		Help: "Events that were answered and wait in the spool for the inbox.",
	}, func() float64 { return float64(in.spool.State().Records) })
	oldest := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "rewardflow_spool_oldest_seconds",
		Help: "How long the oldest event in the spool has waited for the inbox; 0 when none waits.",
	}, func() float64 { return in.spool.State().Waited(time.Now()).Seconds() })
	if err := errors.Join(registerer.Register(depth), registerer.Register(oldest)); err != nil {
		return fmt.Errorf("registering the spool's gauges: %w", err)
	}
	return nil
}
