package firstpromoter

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	// maxPages bounds the reading of one list.
	maxPages = 200
	// defaultPerPage is how many payouts a page has when no header says it.
	defaultPerPage = 50
)

// listing is a list of payouts while it is read page by page. Which headers
// come with a page is not documented in full, so it makes do with what comes:
// Total, Per-Page, or neither.
type listing struct {
	seen map[reward.ID]struct{}
	// unreadable counts entries that may have been the one we look for.
	unreadable int
	total      int // As the newest page said; negative when it did not.
	// ended says that there is no next page; cut, that the end may be a server
	// that ignores page numbers and keeps the rest to itself.
	ended bool
	cut   bool
}

func newListing() *listing {
	return &listing{seen: map[reward.ID]struct{}{}, total: -1}
}

// add reads one page and reports whether the wanted payout is on it.
func (l *listing) add(a answer, want reward.ID) (Payout, bool, error) {
	var page []json.RawMessage
	if err := json.Unmarshal(a.body, &page); err != nil {
		return Payout{}, false, fault.New(fault.Unavailable, opPayout, "the list of payouts cannot be read")
	}
	before := len(l.seen)
	for _, raw := range page {
		o := readObject(raw)
		switch id := reward.ID(o.id("id")); id {
		case want:
			return readPayout(o), true, nil
		case 0:
			l.unreadable++
		default:
			l.seen[id] = struct{}{}
		}
	}

	l.total = header(a, "Total", -1)
	perPage := header(a, "Per-Page", 0)
	switch {
	case l.total >= 0 && len(l.seen)+l.unreadable >= l.total,
		len(page) == 0,
		l.total < 0 && len(page) < perPage:
		l.ended = true
	case len(l.seen) == before:
		if perPage == 0 {
			perPage = defaultPerPage
		}
		l.ended = true
		l.cut = l.total < 0 && len(page) == perPage
	}
	return Payout{}, false, nil
}

// verdict says what the absence of a payout from a list that ended means.
func (l *listing) verdict(promoterID int64, want reward.ID) error {
	switch {
	case l.unreadable > 0:
		return fault.New(fault.Unavailable, opPayout,
			fmt.Sprintf("reward %s is not among the payouts of promoter %d, but %d of them have no readable ID", want, promoterID, l.unreadable))
	case l.total > len(l.seen):
		return fault.New(fault.Unavailable, opPayout,
			fmt.Sprintf("FirstPromoter counts %d payouts of promoter %d, and its pages held %d", l.total, promoterID, len(l.seen)))
	case l.cut:
		return fault.New(fault.Unavailable, opPayout,
			fmt.Sprintf("the list of payouts of promoter %d stops at a full page, and may go on", promoterID))
	}
	return fault.New(fault.NotFound, opPayout,
		fmt.Sprintf("FirstPromoter has no reward %s of promoter %d", want, promoterID))
}

// header reads a count; missing if it is not there or not one.
func header(a answer, name string, missing int) int {
	n, err := strconv.Atoi(a.header.Get(name))
	if err != nil || n < 0 {
		return missing
	}
	return n
}
