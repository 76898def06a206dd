package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The longest texts that a person may send, in characters.
const (
	maxComment   = 2000
	maxReference = 200
)

// decide takes an approve or a reject. What does not count is recorded all the
// same, and the page says why.
func (c *Console) decide(w http.ResponseWriter, r *http.Request, v visit) error {
	id, err := rewardID(r)
	if err != nil {
		return err
	}
	d, err := c.decision(r, v, id)
	if err != nil {
		return c.again(w, r, v, id, http.StatusBadRequest, sentence(fault.Message(err)))
	}
	tally, err := c.desk.Decide(r.Context(), d)
	if err != nil {
		return err
	}
	c.cfg.Decided(d.Verdict, tally)
	if !tally.Decision.Counted {
		return c.again(w, r, v, id, http.StatusConflict, "Your decision was recorded and does not count: "+tally.Decision.Refusal+".")
	}
	note := "approved"
	if tally.Decision.Verdict == reward.Reject {
		note = "rejected"
	}
	return back(w, r, Root+"rewards/"+id.String()+"?note="+note)
}

// again shows the reward's page once more, with what went wrong and what was
// typed.
func (c *Console) again(w http.ResponseWriter, r *http.Request, v visit, id reward.ID, status int, refused string) error {
	page, err := c.rewardPage(r, v, id)
	if err != nil {
		return err
	}
	page.Refused = refused
	page.Given = map[string]string{}
	for _, name := range []string{"comment", "reference", "evidence", "action", "provider"} {
		page.Given[name] = r.PostFormValue(name)
	}
	view := c.rewardView(v, page)
	c.pages.render(w, status, "reward", view)
	return nil
}

// decision reads the form. The name is the principal's, and the digest that of
// the page that the person looked at.
func (c *Console) decision(r *http.Request, v visit, id reward.ID) (reward.Decision, error) {
	verdict := reward.Verdict(r.PostFormValue("decision"))
	if verdict != reward.Approve && verdict != reward.Reject {
		return reward.Decision{}, invalid("the form says neither approve nor reject")
	}
	comment, err := text(r, "comment", maxComment)
	if err != nil {
		return reward.Decision{}, err
	}
	if verdict == reward.Reject && comment == "" {
		return reward.Decision{}, invalid("a rejection needs a reason: say why, for whoever asks later")
	}
	digest, err := text(r, "digest", maxReference)
	if err != nil {
		return reward.Decision{}, err
	}
	if digest == "" {
		return reward.Decision{}, invalid("the form does not say what was shown: open the page again")
	}
	return c.made(v, id, verdict, reward.Digest(digest), comment, r.PostFormValue("once")), nil
}

// made is a decision of the person who looks.
func (c *Console) made(v visit, id reward.ID, verdict reward.Verdict, digest reward.Digest, comment, once string) reward.Decision {
	return reward.Decision{
		ID: actionID("decision", v.who.Name, id, once, string(verdict)), RewardID: id, By: v.who.Name, Verified: v.who.Verified,
		Roles: v.who.Roles, Lane: reward.LaneConsole, Verdict: verdict, Comment: comment, Digest: digest, At: c.cfg.Now(),
	}
}

// newOnce returns a word that a form brings back, so that sending it twice is
// one action.
func newOnce() string {
	b := make([]byte, 12)
	rand.Read(b) //nolint:errcheck // It never fails.
	return hex.EncodeToString(b)
}

// actionID is the ID under which an action is recorded. A form's word counts
// for one person and one reward only, so that nobody meets another's action
// under it; a form without one is an action of its own.
func actionID(verb, person string, id reward.ID, once string, more ...string) string {
	if once == "" {
		once = newOnce()
	}
	h := sha256.New()
	for _, part := range append([]string{verb, person, id.String(), once}, more...) {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return "console-" + hex.EncodeToString(h.Sum(nil)[:16])
}

// text reads what a person wrote, and checks its length and that a terminal can
// show it.
func text(r *http.Request, field string, limit int) (string, error) {
	s := strings.TrimSpace(strings.ReplaceAll(r.PostFormValue(field), "\r\n", "\n"))
	if utf8.RuneCountInString(s) > limit {
		return "", invalid(fmt.Sprintf("the %s is longer than %d characters", field, limit))
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
		return "", invalid(fmt.Sprintf("the %s holds control characters", field))
	}
	return s, nil
}

func invalid(message string) error { return fault.New(fault.Invalid, "console", message) }
