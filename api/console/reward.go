package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// rewardPage is one reward with all that a person should know who decides.
type rewardPage struct {
	ledger.Record

	Tally  ledger.Tally
	Stands string
	// Type is the provider's type; empty when it is not configured.
	Type        string
	Destination string
	// Asking says that people are asked; Mine, that the person may decide, and
	// Why, why not.
	Asking bool
	Mine   bool
	Why    string
	Needed string
	// Once makes a form that is sent twice one action.
	Once string
	// Resolvable says that the person may give instructions; Pressing, that the
	// reward waits for one.
	Resolvable bool
	Pressing   bool
	Actions    []resolveAction
	Providers  []string

	Claims      []claim
	Payout      *ledger.Payout
	Decisions   []ledger.Recorded
	Resolutions []reward.Resolution
	Attempts    []ledger.Attempt
	Deliveries  []ledger.Delivery
	Changes     []ledger.Change
	Others      []ledger.Record
	WorkflowURL string

	// From is the list that led here, Next the following reward that waits for
	// the person; empty without one.
	From    string
	Next    string
	Refresh string
	// Changed says that it is not what the page was opened on.
	Changed bool
	Note    string
	// Refused says why something that was just tried did not count.
	Refused string
	// Given are the values of a form that is shown again.
	Given map[string]string
}

// claim is one value as the event claimed it, and as FirstPromoter has it.
type claim struct {
	Label string
	Event string
	Read  string
	// Differs says that the two are not the same.
	Differs bool
}

// othersShown is how many of the promoter's other rewards a page lists.
const othersShown = 6

// show shows one reward.
func (c *Console) show(w http.ResponseWriter, r *http.Request, v visit) error {
	id, err := rewardID(r)
	if err != nil {
		return err
	}
	page, err := c.rewardPage(r, v, id)
	if err != nil {
		return err
	}
	if r.URL.Query().Get("part") == "state" {
		c.pages.part(w, "reward", "state", c.rewardView(v, page))
		return nil
	}
	c.pages.render(w, http.StatusOK, "reward", c.rewardView(v, page))
	return nil
}

func (c *Console) rewardView(v visit, page rewardPage) view {
	view := c.view(v, "Reward "+page.Reward.ID.String(), page).at("inbox")
	view.Path = page.url()
	return view
}

func rewardID(r *http.Request) (reward.ID, error) {
	id, err := reward.ParseID(r.PathValue("id"))
	if err != nil {
		return 0, fault.New(fault.NotFound, "console", "there is no such reward: an ID is a whole number above zero")
	}
	return id, nil
}

func (p rewardPage) url() string { return Root + "rewards/" + p.Reward.ID.String() }

// rewardPage reads everything about a reward.
func (c *Console) rewardPage(r *http.Request, v visit, id reward.ID) (rewardPage, error) {
	ctx := r.Context()
	p, err := c.read(ctx, id)
	if err != nil {
		return p, err
	}
	p.WorkflowURL = c.cfg.WorkflowURL(id)
	p.Stands = c.stands(p.Record, p.Tally, p.Payout)
	p.Destination = c.destination(p.Record)
	if p.Payout != nil && p.Payout.Request.Destination != "" {
		p.Destination = p.Payout.Request.Destination
	}
	configured, _ := c.provider(p.Provider)
	p.Type = configured.Type
	p.Once = newOnce()
	c.mayDecide(&p, v.who)
	c.mayResolve(&p, v.who)
	p.From = Root
	if from := ownPath(r.FormValue("from")); strings.HasPrefix(from, Root+"?") {
		p.From = from
	}
	if v.Live {
		p.Refresh = p.url() + "?part=state&shown=" + url.QueryEscape(p.shown())
		if shown := r.URL.Query().Get("shown"); shown != "" && shown != p.shown() {
			p.Changed, p.Refresh = true, p.url()+"?part=state&shown="+url.QueryEscape(shown)
		}
	}
	p.Note = noteOf(r)
	if p.Note != "" && !p.Mine {
		p.Next, err = c.next(ctx, v.who, p.Record)
	}
	return p, err
}

// read takes from the ledger what stands there about a reward.
func (c *Console) read(ctx context.Context, id reward.ID) (p rewardPage, err error) {
	if p.Record, err = c.ledger.Reward(ctx, id); err != nil {
		return p, err
	}
	if p.Tally, err = c.ledger.TallyOf(ctx, id); err != nil {
		return p, err
	}
	if p.Decisions, err = c.ledger.DecisionsOf(ctx, id); err != nil {
		return p, err
	}
	if p.Resolutions, err = c.ledger.ResolutionsOf(ctx, id); err != nil {
		return p, err
	}
	if p.Attempts, err = c.ledger.Attempts(ctx, id); err != nil {
		return p, err
	}
	if p.Deliveries, err = c.ledger.Deliveries(ctx, id); err != nil {
		return p, err
	}
	if p.Changes, err = c.ledger.Changes(ctx, id); err != nil {
		return p, err
	}
	slices.Reverse(p.Changes)
	event, err := c.ledger.LatestClaim(ctx, id)
	if err != nil {
		return p, err
	}
	p.Claims = claims(event.Reward, p.Record)
	if p.Others, err = c.others(ctx, p.Record); err != nil {
		return p, err
	}
	pay, err := c.ledger.Payout(ctx, id)
	switch {
	case err == nil:
		p.Payout = &pay
	case !fault.Is(err, fault.NotFound):
		return p, err
	}
	return p, nil
}

// claims compares what the event said with what FirstPromoter says. The
// currency comes from the route, and stands in neither.
func claims(event reward.Reward, r ledger.Record) []claim {
	bare := func(q reward.Quantity) string { return quantity(reward.Quantity{Amount: q.Amount, Unit: q.Unit}) }
	rows := []claim{
		{Label: "Quantity", Event: bare(event.Quantity), Read: bare(r.Reward.Quantity)},
		{Label: "Promoter", Event: number(event.Promoter.ID), Read: number(r.Reward.Promoter.ID)},
		{Label: "cust_id", Event: event.Promoter.CustID, Read: r.Reward.Promoter.CustID},
		{Label: "Email", Event: event.Promoter.Email, Read: r.Reward.Promoter.Email},
		{Label: "Campaign", Event: number(event.Campaign.ID), Read: number(r.Reward.Campaign.ID)},
		{Label: "Its name", Event: event.Campaign.Name, Read: r.Reward.Campaign.Name},
	}
	for i := range rows {
		if !r.Verified {
			rows[i].Read = ""
			continue
		}
		rows[i].Differs = rows[i].Event != rows[i].Read
	}
	return rows
}

func number(n int64) string { return reward.ID(n).String() }

func (c *Console) others(ctx context.Context, r ledger.Record) ([]ledger.Record, error) {
	if r.Reward.Promoter.ID == 0 {
		return nil, nil
	}
	all, err := c.ledger.ListRewards(ctx, ledger.Filter{Promoter: r.Reward.Promoter.ID, Limit: othersShown + 1})
	all = slices.DeleteFunc(all, func(other ledger.Record) bool { return other.Reward.ID == r.Reward.ID })
	return all[:min(len(all), othersShown)], err
}

// mayDecide says whether the person may decide, and else why not. What counts
// is the ledger's word, when the decision comes in.
func (c *Console) mayDecide(p *rewardPage, who identity.Principal) {
	waits := p.Status == reward.AwaitingApproval || p.Status == reward.Held && p.Approvals > 0
	p.Asking = waits && !p.Tally.Approved && !p.Tally.Rejected
	p.Needed = people(max(p.Tally.Needed, 1), p.Role)
	if !p.Asking {
		return
	}
	decided := slices.IndexFunc(p.Decisions, func(d ledger.Recorded) bool {
		return d.Counted && d.Digest == p.Digest && ledger.SamePerson(d.By, who.Name)
	})
	switch {
	case decided >= 0:
		p.Why = "You have decided already. It waits for somebody else."
	case !identity.Decides.Allows(who.Roles) || !who.MayDecide(p.Role):
		p.Why = "It waits for " + people(max(p.Tally.Needed-p.Tally.Approvals, 1), p.Role) + ". Your roles do not decide it."
		if p.Role == "" {
			p.Why = "It waits for somebody with the role approver or finance."
		}
	case p.Excludes(who.Name):
		p.Why = "The policy leaves it to others: you may not decide about this reward."
	default:
		p.Mine = true
	}
}

// next is the reward that waits for the person after this one.
func (c *Console) next(ctx context.Context, who identity.Principal, r ledger.Record) (string, error) {
	f := ledger.Filter{
		Asked: &ledger.Asked{Caller: who.Caller()}, Limit: 1,
		Before: ledger.Cursor{ReceivedAt: r.ReceivedAt, ID: r.Reward.ID},
	}
	found, err := c.ledger.ListRewards(ctx, f)
	if err == nil && len(found) == 0 {
		f.Before = ledger.Cursor{}
		found, err = c.ledger.ListRewards(ctx, f)
	}
	if err != nil || len(found) == 0 {
		return "", err
	}
	return Root + "rewards/" + found[0].Reward.ID.String(), nil
}

// shown names what a page that stays open was drawn from.
func (p rewardPage) shown() string { return string(p.Status) + "." + string(p.Digest) }
