package nemesis

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/crashpoint"
)

// faults draws what goes wrong. Each run has a few of the expensive ones, which
// take everything down, and many of the others, so that they overlap.
func (d *drawing) faults() {
	n := max(6, int(d.s.For/(5*time.Second)))
	for range n {
		d.add(d.death())
	}
	for range n / 2 {
		d.add(d.wire())
	}
	for range n / 2 {
		d.add(d.firstPromoter())
	}
	for range max(1, int(d.s.For/(40*time.Second))) {
		d.add(d.storage())
	}
	for range max(1, int(d.s.For/(60*time.Second))) {
		d.add(d.disaster())
	}
}

// early leaves the last part of a run free of new faults.
func (d *drawing) early() time.Duration { return d.part(0.03, 0.9) }

// death kills or stops a process, at a point or at any time.
func (d *drawing) death() Act {
	slot := pick(d, d.s.slots()...)
	back := d.between(200*time.Millisecond, 4*time.Second)
	if d.one(3) {
		return Act{At: d.early(), Kind: Killed, Slot: pick(d, append(d.s.slots(), "engine")...), For: back}
	}
	if d.one(4) {
		return Act{At: d.early(), Kind: Stopped, Slot: slot, For: d.between(time.Second, 28*time.Second)}
	}
	a := Act{At: d.early(), Kind: Crash, Slot: slot, Point: pick(d, pointsOf(slot)...), N: 1 + d.IntN(4), How: crashpoint.Kill, For: back}
	if d.one(4) {
		a.How, a.For = crashpoint.Stop, d.between(time.Second, 28*time.Second)
	}
	return a
}

// pointsOf are the points that a process can pass.
func pointsOf(slot string) []crashpoint.Point {
	if isWorker(slot) {
		return []crashpoint.Point{
			crashpoint.InUpdate, crashpoint.BeforeClaim, crashpoint.AfterClaim, crashpoint.BeforeSend,
			crashpoint.AfterEffect, crashpoint.AfterSettle, crashpoint.AfterCloseClaim, crashpoint.AfterCloseCall,
		}
	}
	return []crashpoint.Point{crashpoint.AfterInboxCommit, crashpoint.AfterStart}
}

func (d *drawing) wire() Act {
	return Act{
		At: d.early(), Kind: pick(d, CutWire, ResetWire, SlowWire, HalfOpen), Wire: pick(d, d.s.wires()...),
		For: d.between(500*time.Millisecond, 8*time.Second),
	}
}

func (d *drawing) firstPromoter() Act {
	f := pick(d,
		Fault{Status: http.StatusTooManyRequests}, Fault{Status: http.StatusInternalServerError},
		Fault{On: "update", Status: http.StatusInternalServerError, AfterEffect: true},
		Fault{On: "update", Reset: true, AfterEffect: true}, Fault{On: "update", Cut: true}, Fault{On: "list", Cut: true},
		Fault{Reset: true}, Fault{Delay: 2 * time.Second}, Fault{On: "update", AfterEffect: true, Delay: 4 * time.Second},
	)
	f.Times = 1 + d.IntN(3)
	return Act{At: d.early(), Kind: FPFault, Fault: &f}
}

// storage is about disks.
func (d *drawing) storage() Act {
	what := d.IntN(3)
	switch {
	case d.s.Postgres && d.one(2):
		return Act{At: d.early(), Kind: ServerDown, For: d.between(500*time.Millisecond, 7*time.Second)}
	case what == 0:
		return Act{At: d.early(), Kind: Busy, For: d.between(time.Second, 9*time.Second)}
	case what == 1:
		return Act{At: d.early(), Kind: DiskFull, Slot: pick(d, d.apis()...), For: d.between(2*time.Second, 6*time.Second)}
	default:
		return Act{At: d.early(), Kind: StoreFault, For: d.between(3*time.Second, 10*time.Second)}
	}
}

// disaster takes a whole part away.
func (d *drawing) disaster() Act {
	return Act{At: d.part(0.3, 0.8), Kind: pick(d, Deleted, Restored, Expired, BadDeploy), For: d.between(2*time.Second, 6*time.Second)}
}

func (d *drawing) apis() []string {
	return slices.DeleteFunc(d.s.slots(), isWorker)
}

func slotName(role string, n int) string { return fmt.Sprintf("%s-%d", role, n) }

func isWorker(slot string) bool { return len(slot) > 6 && slot[:6] == "worker" }
