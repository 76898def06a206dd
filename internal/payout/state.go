package payout

// State is where a payout stands. A payout is one row of the ledger, unique
// by reward ID; its state moves only along the table below.
type State string

// The states of a payout.
const (
	// Reserved is frozen and ready to be claimed: nothing was sent, or what
	// was sent is known not to have been done.
	Reserved State = "reserved"
	// Submitting is claimed: an attempt is on the wire, or its worker died.
	Submitting State = "submitting"
	// Unknown may have been done. Only a look-up or a person leads out.
	Unknown State = "unknown"
	// Settling was accepted by the provider, which has not finished.
	Settling State = "settling"
	// Paid is delivered.
	Paid State = "paid"
	// Refused was proven not to have been done, and will not be.
	Refused State = "refused"
	// Conflicted means that the provider knows our key with another body.
	Conflicted State = "conflict"
	// Returned came back after it was paid.
	Returned State = "returned"
)

// States returns all states.
func States() []State {
	return []State{Reserved, Submitting, Unknown, Settling, Paid, Refused, Conflicted, Returned}
}

// Move is something that happens to a payout.
type Move string

// The moves.
const (
	// MoveClaim takes the fence: bytes may now leave.
	MoveClaim Move = "claim"
	// MoveSettled learns that it is delivered.
	MoveSettled Move = "settled"
	// MoveAccepted learns that it was accepted and is not delivered yet.
	MoveAccepted Move = "accepted"
	// MoveRefused learns that it was proven not done.
	MoveRefused Move = "refused"
	// MoveNotSent learns that nothing was done and nothing is under way.
	MoveNotSent Move = "not_sent"
	// MoveUnknown learns nothing: a timeout, a 5xx, a lost reply, a dead worker.
	MoveUnknown Move = "unknown"
	// MoveConflict learns that the key is known with another body.
	MoveConflict Move = "conflict"
	// MoveReturned learns that it came back.
	MoveReturned Move = "returned"
	// MoveByHand is a person who says, with a reference, that it is paid.
	MoveByHand Move = "by_hand"
	// MoveGeneration is a person who asks for a new payout after a proven refusal.
	MoveGeneration Move = "generation"
)

// moves is the whole state table: what is not in it is forbidden.
//
//nolint:gochecknoglobals // A table; nothing writes it.
var moves = map[State]map[Move]State{
	Reserved: {
		MoveClaim:  Submitting,
		MoveByHand: Paid,
	},
	Submitting: {
		MoveSettled:  Paid,
		MoveAccepted: Settling,
		MoveRefused:  Refused,
		MoveNotSent:  Reserved,
		MoveUnknown:  Unknown,
		MoveConflict: Conflicted,
	},
	Unknown: {
		MoveSettled:  Paid,
		MoveAccepted: Settling,
		MoveRefused:  Refused,
		MoveNotSent:  Reserved, // A look-up said "absent", or the same key may be said again.
		MoveConflict: Conflicted,
		MoveReturned: Returned,
		MoveByHand:   Paid,
	},
	Settling: {
		MoveSettled:  Paid,
		MoveRefused:  Refused,
		MoveReturned: Returned,
		MoveByHand:   Paid,
	},
	Paid: {
		MoveReturned: Returned,
	},
	Refused: {
		MoveGeneration: Reserved,
		MoveByHand:     Paid,
	},
	Conflicted: {
		MoveSettled: Paid, // A person looked, and asked to look again.
		MoveByHand:  Paid,
	},
	Returned: {
		MoveByHand: Paid,
	},
}

// Next returns the state that a move leads to, and whether the table allows it.
func Next(from State, move Move) (State, bool) {
	to, ok := moves[from][move]
	return to, ok
}
