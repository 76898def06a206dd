package lanes_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/slackapproval/slackdouble"
)

// The rules.
const (
	itCounts    = "a decision that keeps every rule"
	noRole      = "wrong role: one that decides nothing"
	otherRole   = "wrong role: not the one that the policy asks for"
	unproven    = "an identity that is not proven"
	samePerson  = "same person twice, on two lanes"
	sameRequest = "the same request again"
	// A maker is whom the policy excludes by name: nobody here can change the
	// destination of what waits. FirstPromoter and the configuration can, which
	// changes the digest: see TestSwappedBetweenViewAndClickIsNotPaid.
	makerApproves  = "maker approves"
	staleDigest    = "stale digest"
	alreadyDecided = "already decided"
	afterHold      = "after hold"
	beforeWaiting  = "before waiting"
	forged         = "forged Slack signature"
	replayed       = "replayed Slack body"
	prefetched     = "link prefetch by GET"
	crossSite      = "cross-site POST"
)

// scene is one cell while it is played: a lane, and the world that it is in.
type scene struct {
	*world

	t    *testing.T
	lane lane
	id   reward.ID
	// who decides last, and is judged.
	who person
}

// look is what the lane shows now.
func (s *scene) look() question { return s.lane.look(s.world, s.t, s.who, s.id) }

// approve approves what was shown.
func (s *scene) approve(q question) answer { return s.lane.send(s.world, s.t, q, reward.Approve) }

// rule is one rule, and how it is put to a lane.
type rule struct {
	// world names the world that it is played in.
	world string
	play  func(s *scene) answer
}

// The worlds.
const (
	usual  = "unverified decisions are accepted"
	strict = "unverified decisions are ignored"
)

func rules() map[string]rule {
	return map[string]rule{
		itCounts:       {usual, plays(askOne, alice)},
		noRole:         {usual, plays(askOne, vera)},
		otherRole:      {usual, plays(askFinance, alice)},
		unproven:       {strict, playUnproven},
		samePerson:     {usual, playSamePerson},
		sameRequest:    {usual, playSameRequest},
		makerApproves:  {usual, plays(askNotBob, bob)},
		staleDigest:    {usual, playStale},
		alreadyDecided: {usual, playDecided},
		afterHold:      {usual, playHeld},
		beforeWaiting:  {usual, playEarly},
		forged:         {usual, playForged},
		replayed:       {usual, playReplayed},
		prefetched:     {usual, playPrefetched},
		crossSite:      {usual, playCrossSite},
	}
}

// plays has somebody look at a reward of a campaign, and approve it.
func plays(campaign int64, who person) func(s *scene) answer {
	return func(s *scene) answer {
		s.who, s.id = who, s.asked(s.t, campaign, "")
		return s.approve(s.look())
	}
}

// playUnproven has somebody decide whose name nothing proves: a request without
// a token or a session, a member of the workspace who is no operator, a name
// that is typed into Temporal.
func playUnproven(s *scene) answer {
	s.who, s.id = alice, s.asked(s.t, askOne, "")
	q := s.look()
	switch s.lane.name {
	case console:
		return s.sendFormAs(s.t, q, reward.Approve, asForm)
	case overAPI, command:
		q.who = ""
	case inSlack:
		s.who = mallory
		q = s.look()
	}
	return s.approve(q)
}

// playSamePerson has alice approve on another lane first: each lane follows
// each of the others' way of writing a name.
func playSamePerson(s *scene) answer {
	s.who, s.id = alice, s.asked(s.t, askTwo, "")
	all := lanes()
	first := all[0]
	for i, l := range all {
		if l.name == s.lane.name {
			first = all[(i+1)%len(all)]
		}
	}
	first.send(s.world, s.t, first.look(s.world, s.t, alice, s.id), reward.Approve)
	require.Len(s.t, s.decisions(s.t, s.id), 1)
	return s.approve(s.look())
}

func playSameRequest(s *scene) answer {
	s.who, s.id = alice, s.asked(s.t, askTwo, "")
	q := s.look()
	s.approve(q)
	q.again = true
	return s.approve(q)
}

// playStale has the reward change after somebody has looked at it: FirstPromoter
// owes more, and says so by another event.
func playStale(s *scene) answer {
	s.who, s.id = alice, s.asked(s.t, askOne, "")
	q := s.look()
	require.NoError(s.t, s.fp.Amend(s.id, simulator.Spec{Amount: 3000, Unit: reward.FreeMonths}))
	_, err := s.fp.Refire(s.t.Context(), s.id)
	require.NoError(s.t, err)
	s.changes(q.digest)
	return s.approve(q)
}

// changes has the workflow look again, until what is shown has another digest.
func (s *scene) changes(from reward.Digest) {
	s.t.Helper()
	s.nudge(s.t, s.id)
	eventually(s.t, func() (string, bool) {
		now := s.record(s.t, s.id)
		return "it is still what was shown", now.Digest != from && now.Status == reward.AwaitingApproval
	})
}

// playDecided has bob decide about what alice has approved, while its payout is
// under way.
func playDecided(s *scene) answer {
	s.who, s.id = bob, s.asked(s.t, askOne, settlesLater)
	q := s.look()
	post(s.world, s.t, read(s.world, s.t, alice, s.id), reward.Approve)
	s.await(s.t, s.id, reward.Settling)
	return s.approve(q)
}

func playHeld(s *scene) answer {
	s.who, s.id = alice, s.owe(s.t, simulator.Spec{Campaign: reward.Campaign{ID: askBriefly}})
	s.await(s.t, s.id, reward.Held)
	return s.approve(s.look())
}

// playEarly has somebody decide before there is anything to decide: about what
// nothing is known of yet but its ID.
func playEarly(s *scene) answer {
	s.who, s.id = alice, s.owe(s.t, simulator.Spec{Promoter: reward.Promoter{ID: unread}, Campaign: reward.Campaign{ID: askOne}})
	s.await(s.t, s.id, reward.Verifying)
	q := s.look()
	require.Empty(s.t, q.digest)
	if s.lane.as != reward.LaneTemporal {
		q.digest = reward.Digest(strings.Repeat("0", 32))
	}
	return s.approve(q)
}

func playForged(s *scene) answer {
	s.who, s.id = alice, s.asked(s.t, askOne, "")
	q := s.look()
	status, body := s.do(s.t, slackdouble.Request(s.url+"/slack/interactions", "another secret", q.body, time.Now()))
	return answer{code: status, words: body}
}

// playReplayed sends what Slack signed once more: at once, which is the same
// decision, and when the signature is too old.
func playReplayed(s *scene) answer {
	s.who, s.id = alice, s.asked(s.t, askTwo, "")
	q := s.look()
	s.approve(q)
	q.again = true
	require.Equal(s.t, answer{code: http.StatusOK}, s.approve(q))
	require.Len(s.t, s.decisions(s.t, s.id), 1)
	old := slackdouble.Request(s.url+"/slack/interactions", slackSecret, q.body, time.Now().Add(-6*time.Minute))
	status, body := s.do(s.t, old)
	return answer{code: status, words: body}
}

// playPrefetched gets every address that the lane shows, and the one that its
// decisions go to, as a mail scanner or a chat's preview does.
func playPrefetched(s *scene) answer {
	s.who, s.id = alice, s.asked(s.t, askOne, "")
	q := s.look()
	get := func(path string, edits ...edit) answer {
		status, body := s.call(s.t, http.MethodGet, path, "", edits...)
		return answer{code: status, words: body}
	}
	query := "?decision=approve&digest=" + string(q.digest)
	switch s.lane.name {
	case console:
		session := s.signIn(s.t, s.who)
		page := "/console/rewards/" + s.id.String()
		require.Equal(s.t, http.StatusOK, get(page+query, session).code)
		return get(page+"/decision"+query, session)
	case overAPI:
		return get(decisionPath(s.id)+query, bearer(s.who))
	}
	m, _ := s.message(s.t, s.id, approveButton)
	link := "/console/rewards/" + s.id.String()
	require.Contains(s.t, m.Blocks, publicURL+link, "the message's only link")
	require.Equal(s.t, http.StatusSeeOther, get(link).code, "nobody is signed in there")
	return get("/slack/interactions" + query)
}

// playCrossSite has a page elsewhere make a signed-in browser send the decision.
func playCrossSite(s *scene) answer {
	s.who, s.id = alice, s.asked(s.t, askOne, "")
	q := s.look()
	session := s.signIn(s.t, s.who)
	evil := func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", "https://evil.example")
	}
	switch s.lane.name {
	case console:
		return s.sendFormAs(s.t, q, reward.Approve, session, evil)
	case overAPI:
		status, body := s.call(s.t, http.MethodPost, decisionPath(s.id), bodyOf(s.t, q, reward.Approve), session, evil)
		return answer{code: status, words: body}
	}
	signed := slackdouble.Request(s.url+"/slack/interactions", slackSecret, q.body, time.Now())
	evil(signed)
	status, body := s.do(s.t, signed)
	return answer{code: status, words: body}
}
