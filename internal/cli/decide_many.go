package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// became is what became of one of several decisions.
type became string

const (
	// leftOut waits for no decision, and none was sent.
	leftOut became = "left_out"
	// notSent was shown, and not sent, or refused before anybody looked at it.
	notSent became = "not_sent"
	counted became = "counted"
	// notCounted was sent, and is not what the reward allows.
	notCounted became = "not_counted"
	// unknown was sent, and has no answer that says more.
	unknown became = "unknown"
)

// batch is one decision about several rewards, each by itself.
type batch struct {
	verdict verdict
	rewards []*batched
}

// batched is one reward of several.
type batched struct {
	id     reward.ID
	shown  detailDocument
	became became
	// reason says why it does not count; empty where it does, or may.
	reason string
	// raw is the API's document about a decision that counts, and tally the same.
	raw   json.RawMessage
	tally tallyDocument
}

// batchDocument says what became of several decisions, in the order in which
// the rewards were named.
type batchDocument struct {
	Decision reward.Verdict    `json:"decision"`
	Counted  int               `json:"counted"`
	Of       int               `json:"of"`
	Rewards  []batchedDocument `json:"rewards"`
}

type batchedDocument struct {
	ID       reward.ID       `json:"id"`
	Quantity reward.Quantity `json:"quantity"`
	Digest   reward.Digest   `json:"digest,omitempty"`
	Result   became          `json:"result"`
	Reason   string          `json:"reason,omitempty"`
	Tally    json.RawMessage `json:"tally,omitempty"`
}

// decideMany shows rewards together, asks once, and sends a decision on each as
// it was shown. They are sent one after the other, so that whoever stops it in
// the middle knows how far it came.
func (p *Program) decideMany(ctx context.Context, api *operatorAPI, ids []reward.ID, v verdict) error {
	b := &batch{verdict: v}
	if err := p.readBatch(ctx, api, b, ids); err != nil {
		return nothingDecided(ctx, err)
	}
	if err := p.presentBatch(b); err != nil {
		return err
	}
	var broke error
	if n := b.count(notSent); n > 0 {
		if err := p.confirmBatch(ctx, v, n); err != nil {
			return err
		}
		broke = p.sendBatch(ctx, api, b)
	}
	if err := p.emitBatch(b); err != nil {
		return err
	}
	return b.failure(ctx, broke)
}

// readBatch reads all rewards before the first is decided: what is not there is
// a mistake in what was typed.
func (p *Program) readBatch(ctx context.Context, api *operatorAPI, b *batch, ids []reward.ID) error {
	bar := p.progress("reading", len(ids))
	defer func() { _ = bar.Clear() }()
	for _, id := range ids {
		d, err := api.reward(ctx, id)
		if err != nil {
			return err
		}
		one := &batched{id: id, shown: d, became: notSent}
		if d.Digest == "" || d.Status != reward.AwaitingApproval && d.Status != reward.Held {
			one.became, one.reason = leftOut, fmt.Sprintf("it is %s and waits for no decision", d.Status)
		}
		b.rewards = append(b.rewards, one)
		_ = bar.Add(1) // A bar that cannot be drawn changes nothing.
	}
	return nil
}

// nothingDecided tells whoever named several rewards that one mistake kept all
// of them from being decided.
func nothingDecided(ctx context.Context, err error) error {
	const none = "; nothing was decided"
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return &failure{code: exitFailure, message: "interrupted" + none}
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return &failure{code: f.code, message: f.message + none, next: f.next}
	}
	return err
}

// presentBatch shows what is about to be decided, and what it comes to.
func (p *Program) presentBatch(b *batch) error {
	t, together := newTable(p.env.Stderr), newSums()
	t.row("ID", "QUANTITY", "PROMOTER", "PROVIDER", "APPROVALS", "STATUS", "DIGEST", "REASON")
	for _, one := range b.rewards {
		if one.became != notSent {
			continue
		}
		d := one.shown
		t.row(one.id.String(), d.Quantity.String(), strconv.FormatInt(d.Promoter.ID, 10), d.Provider,
			approvalsOf(d.Approvals, d.Needed), string(d.Status), string(d.Digest), d.Reason)
		together.put(kind{unit: d.Quantity.Unit, currency: d.Quantity.Currency}, 1, big.NewInt(d.Quantity.Amount))
	}
	if together.count() > 0 {
		if err := t.end(); err != nil {
			return err
		}
		p.note("\ntogether")
		t = newTable(p.env.Stderr)
		t.row("UNIT", "CURRENCY", "COUNT", "AMOUNT", "DECIMAL")
		for _, k := range together.kinds() {
			one := together.of[k]
			t.row(string(k.unit), k.currency, strconv.Itoa(one.count), one.amount.String(), decimal(one.amount, k.currency))
		}
		if err := t.end(); err != nil {
			return err
		}
	}
	for _, one := range b.rewards {
		if one.became == leftOut {
			p.note("reward %s is left out: %s", one.id, plain(one.reason))
		}
	}
	return nil
}

func (p *Program) confirmBatch(ctx context.Context, v verdict, n int) error {
	what := string(v.decision) + " " + many(n, "reward")
	if n > reward.TypedAbove {
		return p.confirmCount(ctx, what, n)
	}
	return p.confirm(ctx, capital(what)+"?")
}

// many counts things whose plural is formed by an s.
func many(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// sendBatch sends the decisions. It goes on where a reward does not allow one,
// and ends at everything else that goes wrong: that would not go right for the
// next reward.
func (p *Program) sendBatch(ctx context.Context, api *operatorAPI, b *batch) error {
	bar := p.progress(b.verdict.noun()+"s", b.count(notSent))
	defer func() { _ = bar.Clear() }()
	for _, one := range b.rewards {
		if one.became != notSent {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		v := b.verdict
		v.digest = string(one.shown.Digest)
		// What was sent is waited for, lest nobody know what became of it.
		raw, tally, err := api.decide(context.WithoutCancel(ctx), one.id, v)
		f, failed := errors.AsType[*failure](err)
		switch {
		case err == nil:
			one.became, one.raw, one.tally = counted, raw, tally
		case failed && f.code == exitConflict:
			one.became, one.reason = notCounted, f.message
		default:
			if failed && f.doubt || raw != nil {
				one.became = unknown
			}
			return err
		}
		_ = bar.Add(1)
	}
	return nil
}

func (b *batch) count(what became) int {
	n := 0
	for _, one := range b.rewards {
		if one.became == what {
			n++
		}
	}
	return n
}

// emitBatch writes what became of the decisions: for people those that do not
// count, and how many do.
func (p *Program) emitBatch(b *batch) error {
	document := batchDocument{Decision: b.verdict.decision, Counted: b.count(counted), Of: len(b.rewards)}
	for _, one := range b.rewards {
		document.Rewards = append(document.Rewards, batchedDocument{
			one.id, one.shown.Quantity, one.shown.Digest, one.became, one.reason, one.raw,
		})
	}
	raw, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("writing the document: %w", err)
	}
	return p.emit(raw, func(out io.Writer) error {
		_, err := io.WriteString(out, b.words())
		return err
	})
}

// words says what became of the decisions.
func (b *batch) words() string {
	var text strings.Builder
	var left []string
	waiting := 0
	for _, one := range b.rewards {
		switch one.became {
		case leftOut, notCounted:
			fmt.Fprintf(&text, "reward %s: %s\n", one.id, plain(one.reason))
		case unknown:
			fmt.Fprintf(&text, "reward %s: it may be decided: look at it\n", one.id)
		case notSent:
			left = append(left, one.id.String())
		case counted:
			if !one.tally.Approved && !one.tally.Rejected {
				waiting++
			}
		}
	}
	if len(left) > 0 {
		fmt.Fprintf(&text, "not decided: %s\n", strings.Join(left, " "))
	}
	fmt.Fprintf(&text, "%d of %s count", b.count(counted), many(len(b.rewards), b.verdict.noun()))
	if waiting > 0 {
		fmt.Fprintf(&text, "; waiting for more people: %d", waiting)
	}
	text.WriteByte('\n')
	return text.String()
}

// failure returns nil where all decisions count, and else how far it came.
func (b *batch) failure(ctx context.Context, broke error) error {
	done, all := b.count(counted), many(len(b.rewards), b.verdict.noun())
	if broke == nil {
		for _, one := range b.rewards {
			if one.became != counted {
				return about(one.id, &failure{code: exitConflict, message: fmt.Sprintf("only %d of %s count", done, all)})
			}
		}
		return nil
	}
	so := fmt.Sprintf("; %d of %s count, not sent: %d", done, all, b.count(notSent))
	if ctx.Err() != nil && errors.Is(broke, ctx.Err()) {
		return &failure{code: exitFailure, message: "interrupted" + so}
	}
	if f, ok := errors.AsType[*failure](broke); ok {
		return &failure{code: f.code, message: f.message + so, next: f.next}
	}
	return broke
}
