package reward

// Status is where a reward stands.
type Status string

// The statuses, in the order in which a reward usually meets them.
const (
	Received           Status = "received"
	Verifying          Status = "verifying"
	Quarantined        Status = "quarantined"
	AwaitingApproval   Status = "awaiting_approval"
	Held               Status = "held"
	Approved           Status = "approved"
	Paying             Status = "paying"
	Resolving          Status = "resolving"
	Settling           Status = "settling"
	Paid               Status = "paid"
	Closing            Status = "closing"
	Fulfilled          Status = "fulfilled"
	FulfilledElsewhere Status = "fulfilled_elsewhere"
	Attention          Status = "attention"
	Rejected           Status = "rejected"
	Abandoned          Status = "abandoned"
)

// Statuses returns all statuses in their usual order.
func Statuses() []Status {
	return []Status{
		Received, Verifying, Quarantined, AwaitingApproval, Held, Approved, Paying, Resolving,
		Settling, Paid, Closing, Fulfilled, FulfilledElsewhere, Attention, Rejected, Abandoned,
	}
}

// Final reports whether a reward with this status is done with: nothing will
// happen to it any more, unless a payout that was delivered comes back, which
// brings a fulfilled reward to attention.
func (s Status) Final() bool {
	switch s {
	case Fulfilled, FulfilledElsewhere, Rejected, Abandoned:
		return true
	}
	return false
}

// NeedsPerson reports whether a reward with this status moves only when a
// person does something.
func (s Status) NeedsPerson() bool {
	switch s {
	case Quarantined, AwaitingApproval, Attention:
		return true
	}
	return false
}

// Known reports whether s is one of the statuses.
func (s Status) Known() bool {
	for _, known := range Statuses() {
		if s == known {
			return true
		}
	}
	return false
}
