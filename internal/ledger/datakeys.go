package ledger

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// DataKey is a key with which the personal data of one subject is encrypted in
// the ledger. It is kept encrypted itself, with a key of the installation's ring,
// which is nowhere in the ledger. So that ring's key can be changed without
// touching the record, and what is about one subject is gone with its data key.
type DataKey struct {
	// ID names the key in what it encrypts.
	ID string
	// Subject is who or what it is for. Of each there is at most one that writes.
	Subject string
	// RingKey is the ID of the key that Wrapped is encrypted with.
	RingKey string
	// Wrapped is empty once the key was erased.
	Wrapped   []byte
	CreatedAt time.Time
	ErasedAt  time.Time // Zero while it was not.
}

// Erased reports whether nothing that the key encrypted can be read any more.
func (k DataKey) Erased() bool { return !k.ErasedAt.IsZero() }

// Erasure is what the erasing of one promoter's personal data came to.
type Erasure struct {
	// Rewards are the promoter's, all of them ended.
	Rewards int
	// Events, Payouts and Keys are how many were blanked.
	Events, Payouts, Keys int
}

// PersonalData holds the keys of personal data, and erases it.
type PersonalData interface {
	// WritingKey returns the key that writes for a subject, or fault.NotFound.
	WritingKey(ctx context.Context, subject string) (DataKey, error)
	// DataKey returns a key, erased ones too, or fault.NotFound.
	DataKey(ctx context.Context, id string) (DataKey, error)
	// AddDataKey adds a key, unless its subject has one that writes, and returns
	// the one that does.
	AddDataKey(ctx context.Context, k DataKey) (DataKey, error)
	// KeysNotUnder returns at most n keys that are encrypted with another key of
	// the ring than the given one.
	KeysNotUnder(ctx context.Context, ringKey string, n int) ([]DataKey, error)
	// RewrapDataKey replaces how a key is encrypted, where that is still as from
	// says; else it changes nothing and returns false.
	RewrapDataKey(ctx context.Context, from DataKey, ringKey string, wrapped []byte) (bool, error)
	// DataKeyCounts counts the keys that were not erased by the ring's key.
	DataKeyCounts(ctx context.Context) (map[string]int, error)
	// ErasePromoter blanks what the ledger holds of a promoter's person: address
	// and customer ID, the bodies of events, destinations and frozen requests, and
	// the subject's keys. IDs, amounts, statuses, decisions, keys and references
	// stay. While a reward of the promoter has not ended it is fault.Conflict,
	// which names some; fault.NotFound says that the ledger knows no such promoter.
	// Erasing again blanks what came since.
	ErasePromoter(ctx context.Context, promoter int64, actor string) (Erasure, error)
}

// PromoterSubject is the subject of the data of one promoter.
func PromoterSubject(id int64) string { return "promoter-" + reward.ID(id).String() }

// ErasedBody is the body of an event whose personal data was erased.
const ErasedBody = "{}"

// ErasedDestination stands where a payout's destination was erased.
const ErasedDestination = "(erased)"
