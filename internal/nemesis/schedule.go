package nemesis

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/crashpoint"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Schedule is everything that will be done to a world, and when. It depends on
// the seed, the number of rewards, the length and the kind of database alone.
type Schedule struct {
	Seed    uint64        `json:"seed"`
	For     time.Duration `json:"for"`
	APIs    int           `json:"apis"`
	Workers int           `json:"workers"`
	Rewards []Owed        `json:"rewards"`
	// Postgres says that the ledger is in PostgreSQL, and not in a file.
	Postgres bool `json:"postgres"`
	// Migration is the step of the first migration before which it is killed;
	// zero kills none.
	Migration int `json:"migration"`
	// Acts are sorted by their time.
	Acts []Act `json:"acts"`
}

// Owed is a reward that FirstPromoter will owe.
type Owed struct {
	At       time.Duration `json:"at"`
	Amount   int64         `json:"amount"`
	Unit     reward.Unit   `json:"unit"`
	Promoter int64         `json:"promoter"`
	// Cust is the promoter's ID in the team's system. What stands before its
	// dash tells the provider how to behave.
	Cust string `json:"cust"`
	// Late keeps its first event back: Refires bring it.
	Late bool `json:"late,omitempty"`
	// Twice has the network deliver its first event to two processes at once.
	Twice bool `json:"twice,omitempty"`
	// Final is what people do about it when all faults are over, should it wait
	// for them: approve, reject, or nothing.
	Final reward.Verdict `json:"final,omitempty"`
}

// Kind says what an act is.
type Kind string

// The kinds of acts: traffic, people, faults.
const (
	Refire     Kind = "refire"
	Forge      Kind = "forge" // An event that FirstPromoter never sent.
	Amend      Kind = "amend" // FirstPromoter corrects the reward.
	ByHand     Kind = "by_hand"
	Notice     Kind = "notice"    // An event that is no reward's.
	Malformed  Kind = "malformed" // What is no event.
	WrongURL   Kind = "wrong_url" // A secret that is not ours.
	Look       Kind = "look"      // A person is shown a reward, and remembers.
	Decide     Kind = "decide"
	Signal     Kind = "signal" // A decision that proves no identity.
	PullBrake  Kind = "brake"
	Killed     Kind = "kill"
	Stopped    Kind = "stop"
	Crash      Kind = "crash"
	CutWire    Kind = "cut"
	ResetWire  Kind = "reset"
	SlowWire   Kind = "slow"
	HalfOpen   Kind = "half_open"
	FPFault    Kind = "firstpromoter_fault"
	StoreFault Kind = "store_faults"
	Busy       Kind = "ledger_busy"
	DiskFull   Kind = "disk_full"
	ServerDown Kind = "postgres_down"
	Deleted    Kind = "temporal_deleted"
	Restored   Kind = "temporal_restored"
	Expired    Kind = "retention_expired"
	BadDeploy  Kind = "bad_deployment"
)

// Act is one thing that is done. The fields that its kind does not use are
// zero.
type Act struct {
	At   time.Duration `json:"at"`
	Kind Kind          `json:"kind"`
	// For is how long a fault lasts.
	For time.Duration `json:"for,omitempty"`
	// Reward is a position in Schedule.Rewards, counted from 1; zero is none.
	Reward int    `json:"reward,omitempty"`
	Amount int64  `json:"amount,omitempty"`
	Who    string `json:"who,omitempty"`
	// Verdict is what a person says. Stale says it with the digest of the
	// person's last look, and Again says it twice under one key.
	Verdict reward.Verdict `json:"verdict,omitempty"`
	Stale   bool           `json:"stale,omitempty"`
	Again   bool           `json:"again,omitempty"`
	// Slot names a process: "api-1", "worker-2", "engine".
	Slot  string           `json:"slot,omitempty"`
	Point crashpoint.Point `json:"point,omitempty"`
	N     int              `json:"n,omitempty"`
	How   crashpoint.How   `json:"how,omitempty"`
	// Wire is "worker-1>provider", with the slot that dials first.
	Wire  string `json:"wire,omitempty"`
	Fault *Fault `json:"fault,omitempty"`
	// Kinds tell acts apart that are alike otherwise: which forgery, which
	// notice, which malformed body.
	Which string `json:"which,omitempty"`
}

// Fault is what goes wrong with calls to FirstPromoter's double.
type Fault struct {
	On          string        `json:"on,omitempty"`
	Times       int           `json:"times,omitempty"`
	Status      int           `json:"status,omitempty"`
	AfterEffect bool          `json:"after_effect,omitempty"`
	Reset       bool          `json:"reset,omitempty"`
	Cut         bool          `json:"cut,omitempty"`
	Delay       time.Duration `json:"delay,omitempty"`
}

// Draw draws a schedule. The same arguments draw the same schedule.
func Draw(seed uint64, rewards int, length time.Duration, postgres bool) Schedule {
	d := drawing{
		Rand: rand.New(rand.NewPCG(seed, 0x6e656d65736973)),
		s:    Schedule{Seed: seed, For: length, Postgres: postgres},
	}
	d.s.APIs, d.s.Workers, d.s.Migration = 1+d.IntN(2), 1+d.IntN(2), 1+d.IntN(9)
	d.traffic(rewards)
	d.people()
	d.faults()
	slices.SortStableFunc(d.s.Acts, func(a, b Act) int { return cmp.Compare(a.At, b.At) })
	return d.s
}

// drawing is a schedule that is being drawn. Every choice comes from its
// generator, and its order is part of what a seed means.
type drawing struct {
	*rand.Rand

	s Schedule
}

// add keeps an act within the run.
func (d *drawing) add(a Act) {
	a.At = min(max(a.At, 0), d.s.For*98/100)
	d.s.Acts = append(d.s.Acts, a)
}

// between draws a time, to the millisecond, so that a printed schedule is short.
func (d *drawing) between(from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return (from + time.Duration(d.Int64N(int64(to-from)))).Truncate(time.Millisecond)
}

// part draws a time in a part of the run: 0 is its start and 1 its end.
func (d *drawing) part(from, to float64) time.Duration {
	return d.between(time.Duration(from*float64(d.s.For)), time.Duration(to*float64(d.s.For)))
}

func pick[T any](d *drawing, from ...T) T { return from[d.IntN(len(from))] }

// one reports true in one of n cases.
func (d *drawing) one(n int) bool { return d.IntN(n) == 0 }

// slots are the processes of rewardflow in the schedule.
func (s Schedule) slots() []string {
	var names []string
	for n := range s.APIs {
		names = append(names, slotName("api", n+1))
	}
	for n := range s.Workers {
		names = append(names, slotName("worker", n+1))
	}
	return names
}

// wires are the connections that go through a proxy.
func (s Schedule) wires() []string {
	var names []string
	for _, slot := range s.slots() {
		names = append(names, slot+">engine")
		if s.Postgres {
			names = append(names, slot+">postgres")
		}
		if isWorker(slot) {
			names = append(names, slot+">provider", slot+">firstpromoter")
			continue
		}
		names = append(names, "firstpromoter>"+slot, "people>"+slot)
	}
	return names
}
