package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func decisionChecks() []check {
	return []check{
		{"Table", decisionTable},
		{"RepeatedDecisionIsReturned", repeatedDecisionIsReturned},
		{"IDOfAnotherRewardIsAConflict", decisionIDOfAnotherReward},
		{"UnverifiedMayOmitTheDigest", unverifiedMayOmitTheDigest},
		{"TwoApprovalsOfTwoPeople", twoApprovalsOfTwoPeople},
		{"SilenceApprovesNothing", silenceApprovesNothing},
		{"OneRejectEndsIt", oneRejectEndsIt},
		{"NewDigestCountsAnew", newDigestCountsAnew},
		{"SettledMatterIsClosed", settledMatterIsClosed},
		{"UnusableDecisionsAreInvalid", unusableDecisionsAreInvalid},
		{"UndeliveredUntilMarked", undeliveredUntilMarked},
		{"Resolutions", resolutions},
	}
}

// decision returns a verified approval that counts under awaiting.
func decision(id string, of reward.ID) reward.Decision {
	return reward.Decision{
		ID: id, RewardID: of, By: "alice", Verified: true, Roles: []string{"approver"}, Lane: reward.LaneAPI,
		Verdict: reward.Approve, Comment: "looks right", Digest: "digest-1", At: start(),
	}
}

// awaiting brings a reward to wait for approvals of people who hold the role.
func (b *bundle) awaiting(t *testing.T, id reward.ID, approvals int, role string) {
	t.Helper()
	b.accept(t, pending(id, 1))
	a := assessment(id, reward.AwaitingApproval)
	a.Approvals, a.Role = approvals, role
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
}

func (b *bundle) decide(t *testing.T, d reward.Decision) ledger.Tally {
	t.Helper()
	tally, err := b.Decide(b.ctx, d, false)
	require.NoError(t, err)
	return tally
}

func decisionTable(t *testing.T, b *bundle) {
	cases := []struct {
		name      string
		status    reward.Status
		approvals int
		role      string
		accept    bool
		change    func(*reward.Decision)
		refusal   string // What the refusal must name; empty when it counts.
	}{
		{name: "counts"},
		{name: "finance counts too", change: func(d *reward.Decision) { d.Roles = []string{"finance"} }},
		{name: "held asks too", status: reward.Held},
		{name: "held without a question", status: reward.Held, approvals: -1, refusal: "held"},
		{name: "received", status: reward.Received, refusal: "received"},
		{name: "approved", status: reward.Approved, refusal: "approved"},
		{name: "attention", status: reward.Attention, refusal: "attention"},
		{name: "rejected", status: reward.Rejected, refusal: "rejected"},
		{name: "status before identity", status: reward.Paying, change: func(d *reward.Decision) { d.Verified = false }, refusal: "paying"},
		{name: "unverified", change: func(d *reward.Decision) { d.Verified = false }, refusal: "unverified"},
		{name: "unverified accepted", accept: true, change: func(d *reward.Decision) { d.Verified, d.Roles = false, nil }},
		{name: "unverified before digest", change: func(d *reward.Decision) { d.Verified, d.Digest = false, "old" }, refusal: "unverified"},
		{name: "no role", change: func(d *reward.Decision) { d.Roles = nil }, refusal: "role"},
		{name: "viewer", change: func(d *reward.Decision) { d.Roles = []string{"viewer", "operator"} }, refusal: "role"},
		{name: "admin is no substitute", change: func(d *reward.Decision) { d.Roles = []string{"admin"} }, refusal: "role"},
		{name: "policy's role", role: "finance", change: func(d *reward.Decision) { d.Roles = []string{"finance"} }},
		{name: "not the policy's role", role: "finance", refusal: "finance"},
		{name: "admin for the policy's role", role: "finance", change: func(d *reward.Decision) { d.Roles = []string{"admin"} }, refusal: "finance"},
		{name: "role before digest", role: "finance", change: func(d *reward.Decision) { d.Digest = "old" }, refusal: "finance"},
		{name: "old digest", change: func(d *reward.Decision) { d.Digest = "old" }, refusal: "digest"},
		{name: "no digest", change: func(d *reward.Decision) { d.Digest = "" }, refusal: "digest"},
		{name: "unverified old digest", accept: true, change: func(d *reward.Decision) { d.Verified, d.Digest = false, "old" }, refusal: "digest"},
		{name: "nobody", change: func(d *reward.Decision) { d.By = " " }, refusal: "nobody"},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			id := reward.ID(i + 1)
			b.accept(t, pending(id, 1))
			a := assessment(id, reward.AwaitingApproval)
			if c.status != "" {
				a.Status = c.status
			}
			a.Approvals, a.Role = max(c.approvals+1, 0), c.role
			require.NoError(t, b.Assess(b.ctx, a, "policy"))
			d := decision(fmt.Sprintf("decision-%d", i), id)
			if c.change != nil {
				c.change(&d)
			}

			tally, err := b.Decide(b.ctx, d, c.accept)
			require.NoError(t, err)
			require.False(t, tally.Repeated)
			require.Equal(t, c.refusal == "", tally.Decision.Counted)
			require.Equal(t, c.refusal == "", tally.Approved)
			if c.refusal != "" {
				require.Contains(t, tally.Decision.Refusal, c.refusal)
			}
			made, err := b.DecisionsOf(b.ctx, id)
			require.NoError(t, err)
			require.Equal(t, []ledger.Recorded{tally.Decision}, made, "refused ones are recorded too")
			require.Equal(t, d, made[0].Decision)
			b.requireStatus(t, id, a.Status)
		})
	}
}

func repeatedDecisionIsReturned(t *testing.T, b *bundle) {
	b.awaiting(t, 7, 2, "")
	first := b.decide(t, decision("d1", 7))
	changed := decision("d1", 7)
	changed.Verdict, changed.By = reward.Reject, "mallory"
	again := b.decide(t, changed)
	require.True(t, again.Repeated)
	require.Equal(t, first.Decision, again.Decision)
	require.Equal(t, 1, again.Approvals)
	require.Equal(t, 2, again.Needed)
	require.False(t, again.Rejected)
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 7, To: reward.Abandoned, Reason: "gone"}))
	require.True(t, b.decide(t, decision("d1", 7)).Repeated, "a known ID comes before the status")
}

func decisionIDOfAnotherReward(t *testing.T, b *bundle) {
	b.awaiting(t, 7, 1, "")
	b.awaiting(t, 8, 1, "")
	b.decide(t, decision("d1", 7))
	_, err := b.Decide(b.ctx, decision("d1", 8), false)
	require.Equal(t, fault.Conflict, fault.KindOf(err))
	tally, err := b.TallyOf(b.ctx, 8)
	require.NoError(t, err)
	require.Equal(t, ledger.Tally{Needed: 1}, tally)
}

func unverifiedMayOmitTheDigest(t *testing.T, b *bundle) {
	b.awaiting(t, 7, 1, "")
	d := decision("d1", 7)
	d.Verified, d.Digest, d.Roles = false, "", nil
	tally, err := b.Decide(b.ctx, d, true)
	require.NoError(t, err)
	require.True(t, tally.Approved)
	require.Equal(t, reward.Digest("digest-1"), tally.Decision.Digest, "it is bound to what was current")
	require.False(t, tally.Decision.Verified)
}

func twoApprovalsOfTwoPeople(t *testing.T, b *bundle) {
	b.awaiting(t, 7, 2, "")
	require.False(t, b.decide(t, decision("d1", 7)).Approved)
	again := decision("d2", 7)
	again.By = "Alice"
	tally := b.decide(t, again)
	require.False(t, tally.Decision.Counted, "one person decides once, however they are spelled")
	require.Contains(t, tally.Decision.Refusal, "decided already")
	require.Equal(t, 1, tally.Approvals)

	bob := decision("d3", 7)
	bob.By = "bob"
	tally = b.decide(t, bob)
	require.True(t, tally.Approved)
	require.Equal(t, 2, tally.Approvals)
	now, err := b.TallyOf(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, ledger.Tally{Approvals: 2, Needed: 2, Approved: true}, now)
}

func silenceApprovesNothing(t *testing.T, b *bundle) {
	for i, status := range []reward.Status{reward.AwaitingApproval, reward.Held, reward.Approved, reward.Attention} {
		id := reward.ID(i + 1)
		b.accept(t, pending(id, 1))
		require.NoError(t, b.Assess(b.ctx, assessment(id, status), "policy"))
		tally, err := b.TallyOf(b.ctx, id)
		require.NoError(t, err)
		require.False(t, tally.Approved, "%s, though the policy names no number of people", status)
	}
}

func oneRejectEndsIt(t *testing.T, b *bundle) {
	b.awaiting(t, 7, 2, "")
	b.decide(t, decision("d1", 7))
	no := decision("d2", 7)
	no.By, no.Verdict = "bob", reward.Reject
	tally := b.decide(t, no)
	require.True(t, tally.Rejected)
	require.False(t, tally.Approved)
	late := decision("d3", 7)
	late.By = "carol"
	tally = b.decide(t, late)
	require.False(t, tally.Decision.Counted)
	require.True(t, tally.Rejected)
	require.Contains(t, tally.Decision.Refusal, "bob rejected it on 2026-03-10")
}

func newDigestCountsAnew(t *testing.T, b *bundle) {
	b.awaiting(t, 7, 1, "")
	require.True(t, b.decide(t, decision("d1", 7)).Approved)
	a := assessment(7, reward.AwaitingApproval)
	a.Approvals, a.Digest, a.Reason = 1, "digest-2", "the amount changed"
	require.NoError(t, b.Assess(b.ctx, a, "verify"))

	tally, err := b.TallyOf(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, ledger.Tally{Needed: 1}, tally)
	require.Contains(t, b.decide(t, decision("d2", 7)).Decision.Refusal, "digest")
	fresh := decision("d3", 7)
	fresh.Digest = "digest-2"
	require.True(t, b.decide(t, fresh).Approved, "the same person may decide on what is new")
	made, err := b.DecisionsOf(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, []bool{true, false, true}, []bool{made[0].Counted, made[1].Counted, made[2].Counted})
}

func settledMatterIsClosed(t *testing.T, b *bundle) {
	for i, status := range []reward.Status{reward.AwaitingApproval, reward.Held, reward.Paying} {
		id := reward.ID(i + 1)
		b.awaiting(t, id, 1, "")
		b.decide(t, decision(fmt.Sprintf("yes-%d", id), id))
		require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: id, To: status, Reason: "the brake is on"}))
		no := decision(fmt.Sprintf("no-%d", id), id)
		no.By, no.Verdict = "bob", reward.Reject
		tally := b.decide(t, no)
		require.False(t, tally.Decision.Counted, status)
		require.True(t, tally.Approved, status)
		require.Contains(t, tally.Decision.Refusal, string(status))
		require.Contains(t, tally.Decision.Refusal, "alice approved it on 2026-03-10")
	}
}

func unusableDecisionsAreInvalid(t *testing.T, b *bundle) {
	b.awaiting(t, 7, 1, "")
	_, err := b.Decide(b.ctx, decision("", 7), false)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	d := decision("d1", 7)
	d.Verdict = "maybe"
	_, err = b.Decide(b.ctx, d, false)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
}

func undeliveredUntilMarked(t *testing.T, b *bundle) {
	for i := range 3 {
		id := reward.ID(i + 1)
		b.awaiting(t, id, 1, "")
		d := decision(fmt.Sprintf("d%d", id), id)
		d.At = start().Add(time.Duration(i) * time.Minute)
		b.decide(t, d)
	}
	refused := decision("refused", 1)
	refused.By = "bob"
	require.False(t, b.decide(t, refused).Decision.Counted)

	undelivered := func(before time.Time, n int) []string {
		list, err := b.Undelivered(b.ctx, before, n)
		require.NoError(t, err)
		ids := []string{}
		for _, d := range list {
			ids = append(ids, d.ID)
		}
		return ids
	}
	require.Equal(t, []string{"d1", "d2"}, undelivered(start().Add(2*time.Minute), 10))
	require.Equal(t, []string{"d1"}, undelivered(start().Add(time.Hour), 1))
	require.NoError(t, b.MarkDelivered(b.ctx, "d1"))
	require.NoError(t, b.MarkDelivered(b.ctx, "d1"))
	require.Equal(t, []string{"d2", "d3"}, undelivered(start().Add(time.Hour), 10))

	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 2, To: reward.Rejected, Reason: "it has ended", Actor: "policy"}))
	require.Equal(t, []string{"d3"}, undelivered(start().Add(time.Hour), 10), "who would hear of it?")
}

func resolutions(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	b.accept(t, pending(8, 1))
	r := reward.Resolution{
		ID: "r1", RewardID: 7, Action: reward.ActionPaid, Provider: "billing", Reference: "bank-1",
		Evidence: "statement of March, page 3", Comment: "paid at the counter", By: "alice", Verified: true, At: start(),
	}
	require.NoError(t, b.RecordResolution(b.ctx, r))
	changed := r
	changed.Action = reward.ActionAbandon
	require.NoError(t, b.RecordResolution(b.ctx, changed), "a repeated ID changes nothing")
	changed.RewardID = 8
	require.Equal(t, fault.Conflict, fault.KindOf(b.RecordResolution(b.ctx, changed)))
	require.Equal(t, fault.Invalid, fault.KindOf(b.RecordResolution(b.ctx, reward.Resolution{RewardID: 7})))

	got, err := b.Resolution(b.ctx, "r1")
	require.NoError(t, err)
	require.Equal(t, r, got)
	later := reward.Resolution{ID: "r0", RewardID: 7, Action: reward.ActionRetry, By: "bob", At: start()}
	require.NoError(t, b.RecordResolution(b.ctx, later))
	all, err := b.ResolutionsOf(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, []reward.Resolution{r, later}, all)
}
