package ledgertest

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Question is what people are asked about a reward.
type Question struct {
	Digest reward.Digest
	// Needed is how many approvals it takes, of people who hold Role; any role
	// that decides when it is empty.
	Needed   int
	Role     string
	Excluded []string
}

// Call is one call of a history of approvals: a decision, a new question, or,
// when both are nil, a look at the tally.
type Call struct {
	Decision *reward.Decision
	Ask      *Question
}

// Said is what a call was answered.
type Said struct {
	// Ruling is what became of a decision.
	Ruling Ruling
	// Repeated says that its ID was known.
	Repeated bool
	// Tally is where the approval stands; nil where the caller is not told.
	Tally *Count
}

// Count is a tally without the decision that led to it.
type Count struct {
	Approvals int
	Approved  bool
	Rejected  bool
}

// CountOf returns the numbers of a tally.
func CountOf(t ledger.Tally) *Count {
	return &Count{Approvals: t.Approvals, Approved: t.Approved, Rejected: t.Rejected}
}

// Ruling is what became of a decision.
type Ruling string

// The rulings, in the order in which the rules are asked.
const (
	Counts Ruling = "counts"
	// Settled: the matter was decided before.
	Settled Ruling = "settled"
	// NoRole: the role that is asked for is missing.
	NoRole Ruling = "no role"
	// Excluded: the policy leaves it to others.
	Excluded Ruling = "excluded"
	// OldDigest: it is about what was shown before.
	OldDigest Ruling = "old digest"
	// Again: the person has decided already.
	Again Ruling = "again"
	// Unheard: the reward was rejected, and its workflow has ended and hears
	// nothing more.
	Unheard Ruling = "unheard"
)

// RulingOf reads the ledger's words for a refusal, with which a text begins;
// none are Counts. Words that no rule of the model says are returned as they
// are, and fit no model.
func RulingOf(refusal string) Ruling {
	if refusal == "" {
		return Counts
	}
	for _, known := range []struct {
		ruling Ruling
		begin  string
	}{
		{OldDigest, `the reward is not what was shown any more`},
		{Settled, `the reward is \w+: [^:]+ (approved|rejected) it on `},
		{NoRole, `the policy asks for the role |the role approver or finance is needed`},
		{Excluded, `[^:]+ may not decide about this reward`},
		{Again, `[^:]+ has decided already: `},
	} {
		if regexp.MustCompile(`^(` + known.begin + `)`).MatchString(refusal) {
			return known.ruling
		}
	}
	return Ruling(refusal)
}

// approval is the state of the model: what is asked, and what was decided.
type approval struct {
	question Question
	// voted holds what was accepted. It counts while its digest is the
	// question's: a question that comes back finds its votes.
	voted map[ballot]reward.Verdict
	// known holds the ruling of every decision by its ID.
	known map[string]Ruling
}

// ballot is one person's vote on one thing that was shown.
type ballot struct {
	digest reward.Digest
	person string
}

func (s approval) ballotOf(d reward.Decision) ballot {
	return ballot{digest: s.question.Digest, person: strings.ToLower(d.By)}
}

// ApprovalModel is the rules of approvals as a sequential program, which knows
// one call at a time. A history of concurrent calls about one reward that was
// asked the question keeps the rules when there is an order of its calls, each
// between its beginning and its end, in which the model says the same.
func ApprovalModel(first Question) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return approval{question: first} },
		Step: func(state, input, output any) (bool, any) {
			s, _ := state.(approval)
			call, _ := input.(Call)
			said, _ := output.(Said)
			return s.step(call, said)
		},
		Equal: func(one, other any) bool { return reflect.DeepEqual(one, other) },
		DescribeOperation: func(input, output any) string {
			call, _ := input.(Call)
			said, _ := output.(Said)
			return call.String() + " -> " + said.String()
		},
	}
}

// step says whether the call may be answered so, and what is so afterwards.
func (s approval) step(call Call, said Said) (bool, approval) {
	switch {
	case call.Ask != nil:
		return true, approval{question: *call.Ask, voted: s.voted, known: s.known}
	case call.Decision == nil:
		return said.Tally != nil && *said.Tally == s.count(), s
	case said.Ruling == Unheard:
		return s.count().Rejected, s
	}
	d := *call.Decision
	ruling, repeated := s.known[d.ID]
	if !repeated {
		ruling = s.rule(d)
		s = s.with(d, ruling)
	}
	right := said.Ruling == ruling && said.Repeated == repeated && (said.Tally == nil || *said.Tally == s.count())
	return right, s
}

// rule judges a decision, in the order that ledger.Decisions documents.
func (s approval) rule(d reward.Decision) Ruling {
	own := s.ballotOf(d)
	_, voted := s.voted[own]
	count := s.count()
	holds := slices.Contains(d.Roles, s.question.Role)
	if s.question.Role == "" {
		holds = slices.Contains(d.Roles, "approver") || slices.Contains(d.Roles, "finance")
	}
	switch {
	case count.Approved || count.Rejected:
		return Settled
	case d.Verified && !holds:
		return NoRole
	case slices.Contains(s.question.Excluded, own.person):
		return Excluded
	case d.Digest != s.question.Digest:
		return OldDigest
	case voted:
		return Again
	}
	return Counts
}

// with is the state after a decision.
func (s approval) with(d reward.Decision, ruling Ruling) approval {
	next := approval{question: s.question, voted: s.voted, known: maps.Clone(s.known)}
	if next.known == nil {
		next.known = map[string]Ruling{}
	}
	next.known[d.ID] = ruling
	if ruling == Counts {
		next.voted = maps.Clone(s.voted)
		if next.voted == nil {
			next.voted = map[ballot]reward.Verdict{}
		}
		next.voted[s.ballotOf(d)] = d.Verdict
	}
	return next
}

func (s approval) count() Count {
	var c Count
	for of, v := range s.voted {
		switch {
		case of.digest != s.question.Digest:
		case v == reward.Approve:
			c.Approvals++
		default:
			c.Rejected = true
		}
	}
	c.Approved = !c.Rejected && c.Approvals >= s.question.Needed
	return c
}

// String is for people who read a history that is wrong.
func (c Call) String() string {
	switch {
	case c.Ask != nil:
		return fmt.Sprintf("ask %d about %s", c.Ask.Needed, c.Ask.Digest)
	case c.Decision == nil:
		return "tally"
	}
	return fmt.Sprintf("%s: %s %ss %s by %s", c.Decision.ID, c.Decision.By, c.Decision.Verdict, c.Decision.Digest, c.Decision.Lane)
}

// String is for people who read a history that is wrong.
func (s Said) String() string {
	words := string(s.Ruling)
	if s.Repeated {
		words += ", repeated"
	}
	if s.Tally != nil {
		words += fmt.Sprintf(" %+v", *s.Tally)
	}
	return words
}
