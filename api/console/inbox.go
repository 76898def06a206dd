package console

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The queues of the inbox.
const (
	queueMine      = "mine"
	queueOthers    = "others"
	queueAttention = "attention"
	queueHeld      = "held"
	queueWork      = "work"
	queueDone      = "done"
	queueAll       = "all"
)

// statusesOf are the statuses of a queue; none for a queue that is more than
// that.
func statusesOf(queue string) []reward.Status {
	switch queue {
	case queueAttention:
		return []reward.Status{reward.Attention, reward.Quarantined}
	case queueHeld:
		return []reward.Status{reward.Held}
	case queueWork:
		return []reward.Status{
			reward.Received, reward.Verifying, reward.Approved, reward.Paying, reward.Resolving,
			reward.Settling, reward.Paid, reward.Closing,
		}
	case queueDone:
		return []reward.Status{reward.Fulfilled, reward.FulfilledElsewhere, reward.Rejected, reward.Abandoned}
	}
	return nil
}

// tab is one queue with its count.
type tab struct {
	Queue string
	Label string
	// Count is not shown where it is below zero.
	Count   int
	Current bool
	URL     string
}

// row is one reward of the list.
type row struct {
	ledger.Record

	// URL is its page; it leads back to this list.
	URL string
	// Pick is what a checkbox sends: the reward and the digest of what this row
	// shows.
	Pick string
	// Due says that a person has to pay it by hand.
	Due bool
}

// inboxPage is the list of rewards.
type inboxPage struct {
	Queue  string
	Search string
	Unit   string
	Units  []reward.Unit
	Tabs   []tab
	Rows   []row
	// Pickable says that rows can be approved together.
	Pickable bool
	// Next is the following page; empty on the last.
	Next string
	// First is the first page; empty there.
	First string
	// Refresh is where the list renews itself; empty when it does not.
	Refresh string
	Paid    []paidChart
	Ages    []ageBar
	Empty   string
	Note    string
}

// rowsOnPage is how many rewards a page lists.
const rowsOnPage = 50

// chartDays is how far the charts look back, today included.
const chartDays = 14

// inbox lists rewards.
func (c *Console) inbox(w http.ResponseWriter, r *http.Request, v visit) error {
	caller := v.who.Caller()
	q := listQueryOf(r, len(caller.Roles) > 0)
	filter, err := q.filter(caller)
	if err != nil {
		return err
	}
	records, err := c.ledger.ListRewards(r.Context(), filter)
	if err != nil {
		return err
	}
	today := c.cfg.Now().UTC().Truncate(24 * time.Hour)
	overview, err := c.ledger.Overview(r.Context(), caller, today.AddDate(0, 0, 1-chartDays))
	if err != nil {
		return err
	}
	page := inboxPage{
		Queue: q.queue, Search: q.search, Unit: string(q.unit), Units: units(),
		Tabs: q.tabs(overview), Rows: c.rows(records, q),
		Pickable: q.queue == queueMine && identity.Decides.Allows(v.who.Roles) && len(records) > 0,
		Paid:     paidCharts(overview.Paid, today), Ages: ageBars(overview.Asking, c.cfg.Now()),
		Empty: q.empty(), Note: noteOf(r),
	}
	if len(records) == filter.Limit {
		page.Next = q.url("cursor", cursorAfter(records[len(records)-1]))
	}
	if q.cursor != "" {
		page.First = q.url("cursor", "")
	}
	if v.Live {
		page.Refresh = q.url("part", "list")
	}
	view := c.view(v, "Inbox", page).at("inbox")
	view.Path = q.url()
	if r.URL.Query().Get("part") == "list" {
		c.pages.part(w, "inbox", "list", view)
		return nil
	}
	c.pages.render(w, http.StatusOK, "inbox", view)
	return nil
}

func (c *Console) rows(records []ledger.Record, q listQuery) []row {
	rows := make([]row, 0, len(records))
	for _, r := range records {
		rows = append(rows, row{
			Record: r, URL: Root + "rewards/" + r.Reward.ID.String() + "?from=" + url.QueryEscape(q.url()),
			Pick: r.Reward.ID.String() + ":" + string(r.Digest),
			Due:  r.Status == reward.Settling && c.byHand(r.Provider),
		})
	}
	return rows
}

// units are what a list can be narrowed to.
func units() []reward.Unit {
	return []reward.Unit{reward.Cash, reward.Credits, reward.DiscountMon, reward.DiscountPer, reward.FreeMonths, reward.Points}
}

// listQuery is what a list's address says.
type listQuery struct {
	queue  string
	search string
	unit   reward.Unit
	cursor string
}

// listQueryOf takes what it does not know for the start: an address may be old.
func listQueryOf(r *http.Request, decides bool) listQuery {
	values := r.URL.Query()
	q := listQuery{
		queue: values.Get("queue"), search: strings.TrimSpace(values.Get("q")),
		unit: reward.Unit(values.Get("unit")), cursor: values.Get("cursor"),
	}
	switch q.queue {
	case queueMine, queueOthers, queueAttention, queueHeld, queueWork, queueDone, queueAll:
	default:
		q.queue = queueOthers
		if decides {
			q.queue = queueMine
		}
		if q.search != "" {
			q.queue = queueAll
		}
	}
	return q
}

func (q listQuery) filter(caller ledger.Caller) (ledger.Filter, error) {
	f := ledger.Filter{Statuses: statusesOf(q.queue), Unit: q.unit, Search: q.search, Limit: rowsOnPage}
	switch q.queue {
	case queueMine:
		f.Asked = &ledger.Asked{Caller: caller}
	case queueOthers:
		f.Asked = &ledger.Asked{Caller: caller, Others: true}
	}
	if len(q.search) > 200 || len(q.unit) > 200 {
		return f, fault.New(fault.Invalid, "console", "what you look for is longer than any ID")
	}
	var err error
	f.Before, err = parseCursor(q.cursor)
	return f, err
}

// url is the list's address, with some values changed.
func (q listQuery) url(changes ...string) string {
	values := url.Values{}
	set := func(name, value string) {
		if values.Del(name); value != "" {
			values.Set(name, value)
		}
	}
	set("queue", q.queue)
	set("q", q.search)
	set("unit", string(q.unit))
	set("cursor", q.cursor)
	for i := 0; i+1 < len(changes); i += 2 {
		set(changes[i], changes[i+1])
	}
	return Root + "?" + values.Encode()
}

func (q listQuery) tabs(o ledger.Overview) []tab {
	count := func(queue string) int {
		n := 0
		for _, s := range statusesOf(queue) {
			n += o.Statuses[s]
		}
		return n
	}
	all := []tab{
		{Queue: queueMine, Label: "Needs you", Count: o.ForCaller},
		{Queue: queueOthers, Label: "Waits for others", Count: o.ForOthers},
		{Queue: queueAttention, Label: "Attention", Count: count(queueAttention)},
		{Queue: queueHeld, Label: "Held", Count: count(queueHeld)},
		{Queue: queueWork, Label: "In work", Count: count(queueWork)},
		{Queue: queueDone, Label: "Done", Count: count(queueDone)},
		{Queue: queueAll, Label: "All", Count: -1},
	}
	for i := range all {
		all[i].Current = all[i].Queue == q.queue
		// Another queue keeps the filters and begins at its start.
		all[i].URL = q.url("queue", all[i].Queue, "cursor", "")
	}
	return all
}

// empty says what an empty list means.
func (q listQuery) empty() string {
	if q.search != "" {
		return fmt.Sprintf("Nothing here has the reward ID, promoter ID or cust_id %q.", q.search)
	}
	if q.unit != "" || q.cursor != "" {
		return "Nothing here any more."
	}
	switch q.queue {
	case queueMine:
		return "Nothing waits for your decision."
	case queueOthers:
		return "Nothing waits for somebody else's decision."
	case queueAttention:
		return "Nothing needs attention."
	case queueHeld:
		return "Nothing is held."
	case queueWork:
		return "Nothing is in work."
	}
	return "There are no rewards yet. They come when FirstPromoter fires a webhook."
}

// cursorAfter names the place behind a reward in the list.
func cursorAfter(r ledger.Record) string {
	place := strconv.FormatInt(r.ReceivedAt.UnixMilli(), 10) + "." + r.Reward.ID.String()
	return base64.RawURLEncoding.EncodeToString([]byte(place))
}

func parseCursor(s string) (ledger.Cursor, error) {
	if s == "" {
		return ledger.Cursor{}, nil
	}
	place, err := base64.RawURLEncoding.DecodeString(s)
	at, number, _ := strings.Cut(string(place), ".")
	millis, notMillis := strconv.ParseInt(at, 10, 64)
	id, notID := reward.ParseID(number)
	if err != nil || notMillis != nil || notID != nil {
		return ledger.Cursor{}, fault.New(fault.Invalid, "console", "the address names no page of this list")
	}
	return ledger.Cursor{ReceivedAt: time.UnixMilli(millis).UTC(), ID: id}, nil
}

// noteOf is what the page before did, in words. The address holds a word of a
// closed list, so that nobody can put a sentence of their own on a page.
func noteOf(r *http.Request) string {
	return map[string]string{
		"approved": "Your approval is recorded.",
		"rejected": "Your rejection is recorded.",
		"resolved": "Your instruction was carried out.",
		"paused":   "Payouts are paused.",
		"resumed":  "Payouts go on.",
	}[r.URL.Query().Get("note")]
}
