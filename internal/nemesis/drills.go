package nemesis

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/crashpoint"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Drills are schedules made by hand, each aimed at one weakness that a program
// like this could have. On the program as it is they break nothing; each mutant
// names the one that must break it.

// drill returns a drill's schedule. The seed draws nothing of it but who it is
// about.
func drill(name string, seed uint64) (Schedule, error) {
	make, ok := drills()[name]
	if !ok {
		return Schedule{}, fmt.Errorf("there is no drill %q: %s", name, strings.Join(Drills(), ", "))
	}
	s := make()
	s.Seed = seed
	for n := range s.Rewards {
		s.Rewards[n].Promoter = 5_900_001 + int64(seed+uint64(n))%7
		s.Rewards[n].Cust = fmt.Sprintf("%s-%d", s.Rewards[n].Cust, n+1)
	}
	return s, nil
}

// Drills returns the names of all drills.
func Drills() []string { return slices.Sorted(maps.Keys(drills())) }

func drills() map[string]func() Schedule {
	return map[string]func() Schedule{
		"straight": straightDrill, "refired": refiredDrill, "full-disk": fullDiskDrill, "stands-before-claim": beforeClaimDrill,
		"slow-answer": slowAnswerDrill, "close-both-ways": closeDrill, "stale-digest": staleDrill,
		"dies-after-effect": afterEffectDrill, "window-closes": windowDrill,
	}
}

// gifts are rewards that the policy pays, a quarter of a second apart.
func gifts(n int, mood string) []Owed {
	var all []Owed
	for i := range n {
		all = append(all, Owed{At: time.Second + time.Duration(i)*250*time.Millisecond, Amount: 2, Unit: reward.FreeMonths, Cust: mood})
	}
	return all
}

// straightDrill has nothing go wrong.
func straightDrill() Schedule {
	return Schedule{For: 4 * time.Second, APIs: 1, Workers: 1, Rewards: gifts(4, "good"), Acts: []Act{
		{At: time.Second, Kind: Notice, Which: "lead_signup"}, {At: 2 * time.Second, Kind: Notice, Which: "promoter_accepted"},
	}}
}

// refiredDrill sends the events of rewards again that are fulfilled.
func refiredDrill() Schedule {
	s := Schedule{For: 9 * time.Second, APIs: 1, Workers: 1, Rewards: gifts(3, "good")}
	for n := range 6 {
		s.Acts = append(s.Acts, Act{At: 5*time.Second + time.Duration(n)*300*time.Millisecond, Kind: Refire, Reward: n%3 + 1})
	}
	return s
}

// fullDiskDrill sends events that come once while nothing can be stored.
func fullDiskDrill() Schedule {
	s := Schedule{For: 12 * time.Second, APIs: 1, Workers: 1, Rewards: gifts(2, "good"), Acts: []Act{
		{At: 2 * time.Second, Kind: DiskFull, Slot: "api-1", For: 9 * time.Second},
	}}
	for n := range 40 {
		s.Acts = append(s.Acts, Act{At: 4*time.Second + time.Duration(n)*150*time.Millisecond, Kind: Notice, Which: "lead_signup"})
	}
	return s
}

// beforeClaimDrill lets a worker stand still between the reservation and the
// claim, for as long as it takes the other one to pay, and no longer than its
// attempt may live. The provider is slow to answer, so that the reward has not
// ended when the first one goes on: one that has ended takes no claim.
func beforeClaimDrill() Schedule {
	s := Schedule{For: 32 * time.Second, APIs: 1, Workers: 2, Rewards: gifts(10, "slow"), Acts: []Act{
		{At: 0, Kind: Crash, Slot: "worker-1", Point: crashpoint.BeforeClaim, N: 1, How: crashpoint.Stop, For: 13 * time.Second},
	}}
	for n := range s.Rewards { // The armed worker shall have come up, and get one of them.
		s.Rewards[n].At += time.Duration(4+n) * time.Second
	}
	return s
}

// slowAnswerDrill has the provider pay and answer too late.
func slowAnswerDrill() Schedule {
	return Schedule{For: 8 * time.Second, APIs: 1, Workers: 1, Rewards: gifts(2, "slow")}
}

// closeDrill has FirstPromoter complete a reward, say that it could not, answer
// no question about it for a while, and fire its event again.
func closeDrill() Schedule {
	s := Schedule{For: 14 * time.Second, APIs: 1, Workers: 1, Rewards: gifts(1, "good"), Acts: []Act{
		{At: 500 * time.Millisecond, Kind: FPFault, Fault: &Fault{On: "update", Status: http.StatusInternalServerError, AfterEffect: true, Times: 1}},
		{At: 2500 * time.Millisecond, Kind: FPFault, Fault: &Fault{On: "list", Status: http.StatusInternalServerError, Times: 6}},
	}}
	for n := range 8 {
		s.Acts = append(s.Acts, Act{At: 5*time.Second + time.Duration(n)*time.Second, Kind: Refire, Reward: 1})
	}
	return s
}

// staleDrill has a reward change after two people looked at it, who then approve
// what they saw.
func staleDrill() Schedule {
	return Schedule{
		For: 14 * time.Second, APIs: 1, Workers: 1,
		Rewards: []Owed{{At: 500 * time.Millisecond, Amount: 600, Unit: reward.Credits, Cust: "good"}},
		Acts: []Act{
			{At: 4 * time.Second, Kind: Look, Reward: 1, Who: "alice"},
			{At: 4 * time.Second, Kind: Look, Reward: 1, Who: "bob"},
			{At: 4500 * time.Millisecond, Kind: Amend, Reward: 1, Amount: 900},
			{At: 4700 * time.Millisecond, Kind: Refire, Reward: 1},
			{At: 7 * time.Second, Kind: Decide, Reward: 1, Who: "alice", Verdict: reward.Approve, Stale: true},
			{At: 10 * time.Second, Kind: Decide, Reward: 1, Who: "bob", Verdict: reward.Approve, Stale: true},
		},
	}
}

// afterEffectDrill kills a worker that has paid and has told nobody.
func afterEffectDrill() Schedule {
	return Schedule{For: 16 * time.Second, APIs: 1, Workers: 1, Rewards: gifts(2, "good"), Acts: []Act{
		{At: 0, Kind: Crash, Slot: "worker-1", Point: crashpoint.AfterEffect, N: 1, How: crashpoint.Kill, For: 500 * time.Millisecond},
	}}
}

// windowDrill has a provider that pays, answers nothing, and cannot be asked
// until it has forgotten the key.
func windowDrill() Schedule {
	return Schedule{For: 24 * time.Second, APIs: 1, Workers: 1, Rewards: gifts(2, "deaf")}
}
