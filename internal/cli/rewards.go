package cli

import (
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	rewardsPath   = "/api/v1/rewards"
	approvalsPath = "/api/v1/approvals"
	brakePath     = "/api/v1/brake"
	readyPath     = "/readyz"
)

func rewardPath(id reward.ID) string { return rewardsPath + "/" + id.String() }

// rewardID reads the argument that names a reward.
func rewardID(arg string) (reward.ID, error) {
	id, err := reward.ParseID(arg)
	if err != nil {
		return 0, usage("%q is not the ID of a reward: it is a whole number above zero", plain(arg))
	}
	return id, nil
}

func (p *Program) rewardsCommand() *cobra.Command {
	c := p.group(&cobra.Command{
		Use:     "rewards",
		Short:   "Find rewards",
		Aliases: []string{"reward"},
	})
	c.AddCommand(p.rewardsListCommand())
	return c
}

// selection is what the flags of rewards list say.
type selection struct {
	statuses []string
	promoter int64
	unit     string
	page     page
}

// page says which part of a list is shown.
type page struct {
	limit  int
	cursor string
}

func (pg *page) flags(c *cobra.Command) {
	c.Flags().IntVar(&pg.limit, "limit", 50, "how many at most, 1 to 500")
	c.Flags().StringVar(&pg.cursor, "cursor", "", "where to go on: next_cursor of the page before")
}

func (pg *page) query() url.Values {
	q := url.Values{"limit": {strconv.Itoa(pg.limit)}}
	if pg.cursor != "" {
		q.Set("cursor", pg.cursor)
	}
	return q
}

func (p *Program) rewardsListCommand() *cobra.Command {
	var s selection
	c := &cobra.Command{
		Use:   "list",
		Short: "List rewards, newest first",
		Example: `  rewardflow rewards list --status attention,quarantined
  rewardflow rewards list --promoter 5272969 --unit credits
  rewardflow rewards list -o json | jq '.rewards[].id'`,
		Args: noArguments,
	}
	c.Flags().StringSliceVar(&s.statuses, "status", nil, "only these statuses, repeated or with commas")
	c.Flags().Int64Var(&s.promoter, "promoter", 0, "only this promoter, by ID")
	c.Flags().StringVar(&s.unit, "unit", "", "only this unit, such as credits")
	s.page.flags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		query, err := s.query()
		if err != nil {
			return err
		}
		return p.listRewards(c, query)
	}
	return c
}

func (s *selection) query() (url.Values, error) {
	q := s.page.query()
	for _, status := range s.statuses {
		if !reward.Status(status).Known() {
			return nil, usage("%q is not a status: there are %s", plain(status), statuses())
		}
		q.Add("status", status)
	}
	if s.promoter < 0 {
		return nil, usage("--promoter is the ID of a promoter, a whole number above zero")
	}
	if s.promoter > 0 {
		q.Set("promoter", strconv.FormatInt(s.promoter, 10))
	}
	if s.unit != "" {
		q.Set("unit", s.unit)
	}
	return q, nil
}

func statuses() string {
	words := make([]string, 0, len(reward.Statuses()))
	for _, s := range reward.Statuses() {
		words = append(words, string(s))
	}
	return strings.Join(words, ", ")
}

func (p *Program) listRewards(c *cobra.Command, query url.Values) error {
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	raw, err := api.get(c.Context(), rewardsPath, query)
	if err != nil {
		return err
	}
	list, err := decode[rewardsDocument](raw)
	if err != nil {
		return err
	}
	if len(list.Rewards) == 0 {
		p.note("no rewards")
	}
	err = p.emit(raw, func(out io.Writer) error {
		if len(list.Rewards) == 0 {
			return nil
		}
		t := newTable(out)
		t.row("ID", "STATUS", "QUANTITY", "PROMOTER", "PROVIDER", "UPDATED", "REASON")
		for _, r := range list.Rewards {
			t.row(r.ID.String(), string(r.Status), r.Quantity.String(), strconv.FormatInt(r.Promoter.ID, 10),
				r.Provider, stamp(r.UpdatedAt), r.Reason)
		}
		return t.end()
	})
	if err != nil {
		return err
	}
	p.noteMore(c, list.NextCursor)
	return nil
}

// noteMore says how to get the next page.
func (p *Program) noteMore(c *cobra.Command, cursor string) {
	if cursor != "" {
		p.note("there may be more: %s --cursor %s, with the same flags", c.CommandPath(), plain(cursor))
	}
}
