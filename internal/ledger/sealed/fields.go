package sealed

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/rewardflow/rewardflow/internal/encryption"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The uses of seals. They stand in what is sealed, so none ever changes.
const (
	usePerson  = "promoter"
	useCustID  = "cust_id"
	useFacts   = "facts"
	useBody    = "event-body"
	useComment = "comment"
)

// useRequest binds a payout's destination and request to its reward: nobody who
// writes into the database can send one reward where another one goes.
func useRequest(id reward.ID, part string) string { return "payout-" + part + "/" + id.String() }

// person is what is sealed of a promoter, in the column of the address.
type person struct {
	CustID string `json:"cust_id,omitempty"`
	Email  string `json:"email,omitempty"`
}

// sealPromoter returns a promoter as it is stored. Equal ones are equal.
func (l *Ledger) sealPromoter(ctx context.Context, p reward.Promoter) (reward.Promoter, error) {
	if p.CustID == "" && p.Email == "" {
		return p, nil
	}
	s, err := l.sealerFor(ctx, ledger.PromoterSubject(p.ID))
	if err != nil {
		return p, err
	}
	text, err := json.Marshal(person{CustID: p.CustID, Email: p.Email})
	if err != nil {
		return p, fault.Wrap(fault.Internal, "sealed.seal", "the promoter cannot be written", err)
	}
	mark, err := l.mark(ctx, p.CustID)
	if err != nil {
		return p, err
	}
	return reward.Promoter{ID: p.ID, CustID: mark, Email: s.SealSame(usePerson, text)}, nil
}

// mark returns what stands for a customer ID; empty for none.
func (l *Ledger) mark(ctx context.Context, custID string) (string, error) {
	if custID == "" {
		return "", nil
	}
	s, err := l.sealerFor(ctx, subjectMarks)
	if err != nil {
		return "", err
	}
	return s.Mark(useCustID, custID), nil
}

// openPromoter is the way back. An erased one has its ID alone.
func (l *Ledger) openPromoter(ctx context.Context, p *reward.Promoter) error {
	if _, ok := encryption.SealedWith(p.Email); !ok {
		return nil
	}
	text, err := l.open(ctx, usePerson, p.Email)
	if errors.Is(err, errErased) {
		p.CustID, p.Email = "", ""
		return nil
	}
	if err != nil {
		return err
	}
	var who person
	if json.Unmarshal([]byte(text), &who) != nil {
		return fault.New(fault.Internal, "sealed.open", "a sealed promoter opens and cannot be read: a newer rewardflow wrote it")
	}
	p.CustID, p.Email = who.CustID, who.Email
	return nil
}

// seal returns a text sealed for a subject; the empty text stays empty.
func (l *Ledger) seal(ctx context.Context, subject, use, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	s, err := l.sealerFor(ctx, subject)
	if err != nil {
		return "", err
	}
	return s.Seal(use, []byte(text)), nil
}

// sealEvent returns an event as it is stored.
func (l *Ledger) sealEvent(ctx context.Context, ev ledger.Event) (ledger.Event, error) {
	if !l.writes {
		return ev, nil
	}
	subject := subjectRecord
	var about struct {
		Promoter struct {
			ID int64 `json:"id"`
		} `json:"promoter"`
	}
	if ev.Reward != nil && ev.Reward.Reward.Promoter.ID > 0 {
		subject = ledger.PromoterSubject(ev.Reward.Reward.Promoter.ID)
	} else if json.Unmarshal(ev.Body, &about) == nil && about.Promoter.ID > 0 {
		subject = ledger.PromoterSubject(about.Promoter.ID)
	}
	body, err := l.seal(ctx, subject, useBody, string(ev.Body))
	if err != nil {
		return ev, err
	}
	ev.Body = []byte(body)
	if ev.Reward != nil {
		claimed := *ev.Reward
		if claimed.Reward.Promoter, err = l.sealPromoter(ctx, claimed.Reward.Promoter); err != nil {
			return ev, err
		}
		ev.Reward = &claimed
	}
	return ev, nil
}

func (l *Ledger) openBody(ctx context.Context, body []byte) ([]byte, error) {
	if _, ok := encryption.SealedWith(string(body)); !ok {
		return body, nil
	}
	text, err := l.openOr(ctx, useBody, string(body), ledger.ErasedBody)
	return []byte(text), err
}

func (l *Ledger) openRecord(ctx context.Context, r *ledger.Record) error {
	var err error
	if r.Facts, err = l.openOr(ctx, useFacts, r.Facts, ""); err != nil {
		return err
	}
	return l.openPromoter(ctx, &r.Reward.Promoter)
}

// sealRequest returns a request as it is frozen.
func (l *Ledger) sealRequest(ctx context.Context, r ledger.Reservation) (ledger.Reservation, error) {
	if !l.writes {
		return r, nil
	}
	owed, err := l.Ledger.Reward(ctx, r.RewardID)
	if err != nil {
		return r, err
	}
	subject := ledger.PromoterSubject(owed.Reward.Promoter.ID)
	if r.Request.Destination, err = l.seal(ctx, subject, useRequest(r.RewardID, "destination"), r.Request.Destination); err != nil {
		return r, err
	}
	body, err := l.seal(ctx, subject, useRequest(r.RewardID, "body"), string(r.Request.Body))
	r.Request.Body = []byte(body)
	return r, err
}

func (l *Ledger) openRequest(ctx context.Context, id reward.ID, r *payout.Request) error {
	var err error
	if r.Destination, err = l.openOr(ctx, useRequest(id, "destination"), r.Destination, ledger.ErasedDestination); err != nil {
		return err
	}
	if _, ok := encryption.SealedWith(string(r.Body)); ok {
		text, err := l.openOr(ctx, useRequest(id, "body"), string(r.Body), "")
		r.Body = []byte(text)
		return err
	}
	return nil
}

// openPayout opens what an operation on a payout returned.
func (l *Ledger) openPayout(ctx context.Context, p ledger.Payout, err error) (ledger.Payout, error) {
	if err != nil {
		return p, err
	}
	if err := l.openRequest(ctx, p.RewardID, &p.Request); err != nil {
		return ledger.Payout{}, err
	}
	return p, nil
}

func (l *Ledger) openComment(ctx context.Context, text *string) error {
	var err error
	*text, err = l.openOr(ctx, useComment, *text, "")
	return err
}
