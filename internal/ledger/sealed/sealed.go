// Package sealed keeps personal data encrypted in a ledger, whichever database it
// is in: it seals fields on their way in and opens them on their way out. The
// ledger's own rules see neither: they look at IDs, amounts, states and digests,
// and, of what is sealed, only whether two are equal.
//
// Sealed are a promoter's address and customer ID, the policy's facts, the bodies
// of events, the destinations and frozen requests of payouts, and comments.
// docs/security.md has the table, field by field.
//
// Each promoter's data has a data key of its own, which the ledger holds wrapped
// with a key of the ring. A customer ID, by which people search, is stored as a
// mark made with a data key of the ledger: equal for equal IDs.
package sealed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/internal/encryption"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

// Ledger is a ledger.Ledger that seals. What it does not name passes through.
type Ledger struct {
	ledger.Ledger

	ring *encryption.Ring
	// writes is false for a ledger that opens what is sealed, and seals nothing.
	writes bool
	now    func() time.Time

	mu     sync.Mutex
	opened map[string]cached
}

var _ ledger.Ledger = (*Ledger)(nil)

// Options say how. The zero value opens and does not seal.
type Options struct {
	// Seal has what is written from now on sealed.
	Seal bool
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// The subjects that are no promoters.
const (
	// subjectMarks is for the marks of customer IDs.
	subjectMarks = "marks"
	// subjectRecord is for what is part of the record and about no promoter:
	// comments, which stay when a promoter's data is erased, and events that name
	// none.
	subjectRecord = "record"
)

const (
	// openedFor is how long a process can read what another one has erased.
	openedFor = time.Minute
	// openedAtMost bounds how many data keys a process holds open.
	openedAtMost = 10_000
)

// cached is an open data key. A nil sealer was erased.
type cached struct {
	sealer *encryption.Sealer
	until  time.Time
}

// New returns a ledger over another one. It fails where the ring lacks a key that
// the ledger's data needs, and says which.
func New(ctx context.Context, inner ledger.Ledger, ring *encryption.Ring, opts Options) (*Ledger, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	counts, err := inner.DataKeyCounts(ctx)
	if err != nil {
		return nil, err
	}
	for id, n := range counts {
		if !ring.Has(id) {
			return nil, Missing(id, n)
		}
	}
	return &Ledger{Ledger: inner, ring: ring, writes: opts.Seal, now: opts.Now, opened: map[string]cached{}}, nil
}

// Missing says that the ledger's data needs a key that the process does not have.
func Missing(ringKey string, n int) error {
	return fmt.Errorf("the ledger holds %d data keys that are encrypted with the key %q, which is not in encryption.keys: put it back there, "+
		"beside the active one, and run \"rewardflow keys rotate\" before it goes", n, ringKey)
}

// sealerFor returns the sealer that writes for a subject, and makes it where there
// is none. The ledger is asked each time: a data key that was erased meanwhile must
// seal nothing more.
func (l *Ledger) sealerFor(ctx context.Context, subject string) (*encryption.Sealer, error) {
	k, err := l.WritingKey(ctx, subject)
	if fault.Is(err, fault.NotFound) {
		s, wrapped, err := l.ring.NewSealer()
		if err != nil {
			return nil, fault.Wrap(fault.Internal, "sealed.seal", "no data key could be made", err)
		}
		k, err = l.AddDataKey(ctx, ledger.DataKey{ID: s.ID(), Subject: subject, RingKey: l.ring.Active(), Wrapped: wrapped})
		if err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	return l.openKey(k)
}

// sealerOf returns the sealer of a data key; nil where it was erased.
func (l *Ledger) sealerOf(ctx context.Context, id string) (*encryption.Sealer, error) {
	l.mu.Lock()
	known, ok := l.opened[id]
	l.mu.Unlock()
	if ok && l.now().Before(known.until) {
		return known.sealer, nil
	}
	k, err := l.DataKey(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.Internal, "sealed.open", "a sealed field names a data key that the ledger does not have: restore the table data_keys from a backup")
	}
	if err != nil {
		return nil, err
	}
	return l.openKey(k)
}

// openKey unwraps a data key, or remembers that it was erased.
func (l *Ledger) openKey(k ledger.DataKey) (*encryption.Sealer, error) {
	l.mu.Lock()
	known, ok := l.opened[k.ID]
	l.mu.Unlock()
	if ok && known.sealer != nil && !k.Erased() {
		l.remember(k.ID, known.sealer)
		return known.sealer, nil
	}
	if k.Erased() {
		l.remember(k.ID, nil)
		return nil, nil //nolint:nilnil // There is no sealer any more, and that is no error.
	}
	s, err := l.ring.OpenSealer(k.ID, k.RingKey, k.Wrapped)
	if err != nil {
		// Another process has the key, and this one will, once it is put back.
		return nil, unavailable(err)
	}
	l.remember(k.ID, s)
	return s, nil
}

func (l *Ledger) remember(id string, s *encryption.Sealer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.opened) >= openedAtMost {
		clear(l.opened)
	}
	l.opened[id] = cached{sealer: s, until: l.now().Add(openedFor)}
}

// unavailable is about keys: its words name the key, and what to do.
func unavailable(err error) error {
	message := err.Error()
	if failure, ok := encryption.AsFailure(err); ok {
		message = failure.Error()
	}
	return fault.Wrap(fault.Unavailable, "sealed.open", message, err)
}

// errErased says that what a field held was erased.
var errErased = errors.New("erased")

// open returns what a sealed text holds; a text that is not sealed is itself. It is
// errErased where the data key was erased.
func (l *Ledger) open(ctx context.Context, use, text string) (string, error) {
	id, ok := encryption.SealedWith(text)
	if !ok {
		return text, nil
	}
	s, err := l.sealerOf(ctx, id)
	if err != nil {
		return "", err
	}
	if s == nil {
		return "", errErased
	}
	plain, err := s.Open(use, text)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "sealed.open", err.Error(), err)
	}
	return string(plain), nil
}

// openOr is open, with what stands for something erased.
func (l *Ledger) openOr(ctx context.Context, use, text, erased string) (string, error) {
	plain, err := l.open(ctx, use, text)
	if errors.Is(err, errErased) {
		return erased, nil
	}
	return plain, err
}

// ErasePromoter implements ledger.PersonalData, and forgets the promoter's keys.
func (l *Ledger) ErasePromoter(ctx context.Context, promoter int64, actor string) (ledger.Erasure, error) {
	out, err := l.Ledger.ErasePromoter(ctx, promoter, actor)
	if err == nil {
		l.mu.Lock()
		clear(l.opened)
		l.mu.Unlock()
	}
	return out, err
}

// Rotation is where the change to the active key stands.
type Rotation struct {
	// Active is the key that data keys are wrapped with from now on.
	Active string
	// Done is how many were wrapped anew by this call.
	Done int
	// Left counts the data keys that still need another key of the ring, by it.
	Left map[string]int
}

// Rotate wraps at most n data keys anew with the active key. It may be called again
// and again, by several processes and while others write: what was done is done,
// and a data key is replaced only as it was read.
func (l *Ledger) Rotate(ctx context.Context, n int) (Rotation, error) {
	out := Rotation{Active: l.ring.Active(), Left: map[string]int{}}
	keys, err := l.KeysNotUnder(ctx, out.Active, n)
	if err != nil {
		return out, err
	}
	for _, k := range keys {
		wrapped, err := l.ring.Rewrap(k.ID, k.RingKey, k.Wrapped)
		if err != nil {
			return out, unavailable(err)
		}
		done, err := l.RewrapDataKey(ctx, k, out.Active, wrapped)
		if err != nil {
			return out, err
		}
		if done {
			out.Done++
		}
	}
	counts, err := l.DataKeyCounts(ctx)
	if err != nil {
		return out, err
	}
	for id, left := range counts {
		if id != out.Active {
			out.Left[id] = left
		}
	}
	return out, nil
}
