package firstpromoter

import (
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// PayoutStatus is the status of a payout record at FirstPromoter. It is open.
type PayoutStatus string

// The statuses that the v1 API documents.
const (
	StatusPending    PayoutStatus = "pending"
	StatusProcessing PayoutStatus = "processing"
	StatusCompleted  PayoutStatus = "completed"
)

// Payout is FirstPromoter's own record of a reward, reduced to its allowed
// fields.
type Payout struct {
	ID     reward.ID
	Status PayoutStatus
	// Quantity has no currency: FirstPromoter does not name one.
	Quantity reward.Quantity
	Promoter reward.Promoter
	Campaign reward.Campaign
	// Known is what the record tells of the promoter beside who it is.
	Known PromoterFacts
	// Defect says why the record cannot be a payable reward: an amount that is
	// not whole, a missing promoter or campaign. Empty if it can.
	Defect string
	// HasIssues says that earlier deliveries of the event went wrong.
	HasIssues bool
	CreatedAt time.Time
	// DatePaid is zero while it is not completed, and for some records after
	// that too: only Status tells.
	DatePaid time.Time
}

// PromoterFacts are what FirstPromoter tells of a promoter. Zero fields were
// not told.
type PromoterFacts struct {
	Status   string
	JoinedAt time.Time
	// Earned, Balance and PaidOut are the balances by unit: earnings_balance,
	// current_balance and paid_balance. Cash is in minor units, and a balance
	// may be below zero. A unit that is missing was not told.
	Earned, Balance, PaidOut map[reward.Unit]int64
}

func readPromoterFacts(promoter object) PromoterFacts {
	return PromoterFacts{
		Status:   promoter.label("status"),
		JoinedAt: promoter.time("created_at"),
		Earned:   readBalance(promoter.object("earnings_balance")),
		Balance:  readBalance(promoter.object("current_balance")),
		PaidOut:  readBalance(promoter.object("paid_balance")),
	}
}

// readBalance keeps whole numbers only, and only of the units that
// FirstPromoter documents; nil when there are none.
func readBalance(o object) map[reward.Unit]int64 {
	var balance map[reward.Unit]int64
	for unit := range o {
		text, ok := o.scalar(unit)
		amount, err := reward.ParseAmount(text)
		if !ok || err != nil || !reward.Unit(unit).Known() {
			continue
		}
		if balance == nil {
			balance = map[reward.Unit]int64{}
		}
		balance[reward.Unit(unit)] = amount
	}
	return balance
}

// Reward returns what the record says is owed.
func (p Payout) Reward() reward.Reward {
	return reward.Reward{ID: p.ID, Quantity: p.Quantity, Promoter: p.Promoter, Campaign: p.Campaign}
}

// readPayout reads the record that the API and a fulfilment_pending event have
// in common. Its ID is zero when the record has no usable one.
func readPayout(o object) Payout {
	promoter, campaign := o.object("promoter"), o.object("campaign")
	p := Payout{
		ID:     reward.ID(o.id("id")),
		Status: PayoutStatus(statusOf(o)),
		Promoter: reward.Promoter{
			ID: promoter.id("id"), CustID: promoter.text("cust_id"), Email: promoter.text("email"),
		},
		Campaign:  reward.Campaign{ID: campaign.id("id"), Name: campaign.label("name")},
		Known:     readPromoterFacts(promoter),
		HasIssues: o.flag("has_issues"),
		CreatedAt: o.time("created_at"),
		DatePaid:  o.time("date_paid"),
	}
	p.Quantity.Unit = reward.Unit(o.text("unit"))

	var defects []string
	amount, err := readAmount(o)
	if err != nil {
		defects = append(defects, err.Error())
	}
	p.Quantity.Amount = amount
	if p.Promoter.ID == 0 {
		defects = append(defects, "promoter.id is not a whole number above zero")
	}
	if p.Campaign.ID == 0 {
		defects = append(defects, "campaign.id is not a whole number above zero")
	}
	p.Defect = strings.Join(defects, "; ")
	return p
}
