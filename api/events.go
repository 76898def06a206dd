package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/ledger"
)

// eventLog is the delivery log, and the queue of replays beside it.
type eventLog interface {
	ListEvents(ctx context.Context, f ledger.LogFilter) ([]ledger.Logged, error)
	ListUnstored(ctx context.Context, f ledger.LogFilter) ([]ledger.Unstored, error)
	EventFile(ctx context.Context, inbox int64) (ledger.LoggedFile, error)
	Replay(ctx context.Context, inbox int64, o ledger.Order) (ledger.ReplayState, error)
	ReplayRange(ctx context.Context, r ledger.ReplayRange, o ledger.Order, dryRun bool) (map[ledger.ReplayState]int, error)
}

// maxReplay is how many events one replay may name.
const maxReplay = 10_000

// eventsHandler shows what came in and what was answered, and has it dispatched
// again.
type eventsHandler struct {
	ledger eventLog
	wake   func()
}

func newEventsHandler(deps Deps) *eventsHandler {
	h := &eventsHandler{ledger: deps.Ledger, wake: func() {}}
	if deps.Replays != nil {
		h.wake = deps.Replays.Wake
	}
	return h
}

// eventsPage is one page of the log. Unstored stands on the first page only.
type eventsPage struct {
	Events     []eventJSON    `json:"events"`
	Unstored   []unstoredJSON `json:"unstored"`
	NextCursor string         `json:"next_cursor,omitempty"`
}

type eventJSON struct {
	ID           int64     `json:"id"`
	Type         string    `json:"type"`
	EventID      string    `json:"event_id"`
	RewardID     int64     `json:"reward_id,omitempty"`
	Known        bool      `json:"known"`
	Internal     bool      `json:"internal"`
	ReceivedAt   time.Time `json:"received_at"`
	Deliveries   int       `json:"deliveries"`
	Answer       int       `json:"answer,omitempty"`
	AnsweredAt   time.Time `json:"answered_at,omitzero"`
	Waiting      bool      `json:"waiting"`
	Tries        int       `json:"tries"`
	Trouble      string    `json:"trouble"`
	DispatchedAt time.Time `json:"dispatched_at,omitzero"`
	WorkflowID   string    `json:"workflow_id"`
}

// eventFileJSON is one event with everything that the log holds of it.
type eventFileJSON struct {
	eventJSON

	// Fields are the event's allowed fields.
	Fields  json.RawMessage `json:"fields"`
	Answers []answerJSON    `json:"answers"`
	Replays []replayJSON    `json:"replays"`
}

type answerJSON struct {
	At        time.Time `json:"at"`
	Answer    int       `json:"answer"`
	Duplicate bool      `json:"duplicate"`
}

type replayJSON struct {
	At         time.Time `json:"at"`
	By         string    `json:"by"`
	Verified   bool      `json:"verified"`
	Again      bool      `json:"again"`
	DoneAt     time.Time `json:"done_at,omitzero"`
	Outcome    string    `json:"outcome"`
	WorkflowID string    `json:"workflow_id"`
}

type unstoredJSON struct {
	Hour     time.Time             `json:"hour"`
	Answer   int                   `json:"answer"`
	Reason   ledger.UnstoredReason `json:"reason"`
	Type     string                `json:"type"`
	RewardID int64                 `json:"reward_id,omitempty"`
	Count    int                   `json:"count"`
	FirstAt  time.Time             `json:"first_at"`
	LastAt   time.Time             `json:"last_at"`
}

// list shows events, newest first, and on the first page what was not stored.
func (h *eventsHandler) list(c *gin.Context) error {
	f, err := logFilterOf(c)
	if err != nil {
		return err
	}
	events, err := h.ledger.ListEvents(c.Request.Context(), f)
	if err != nil {
		return err
	}
	page := eventsPage{Events: each(events, presentEvent), Unstored: []unstoredJSON{}}
	if f.Before == (ledger.LogCursor{}) {
		unstored, err := h.ledger.ListUnstored(c.Request.Context(), f)
		if err != nil {
			return err
		}
		page.Unstored = each(unstored, presentUnstored)
	}
	if len(events) == f.Limit {
		last := events[len(events)-1]
		page.NextCursor = placeCursor(eventList, last.AcceptedAt, last.Inbox)
	}
	c.JSON(http.StatusOK, page)
	return nil
}

// show shows one event.
func (h *eventsHandler) show(c *gin.Context) error {
	id, err := eventID(c)
	if err != nil {
		return err
	}
	file, err := h.ledger.EventFile(c.Request.Context(), id)
	if err != nil {
		return err
	}
	fields := json.RawMessage(file.Body)
	if !json.Valid(fields) {
		fields = json.RawMessage("{}")
	}
	c.JSON(http.StatusOK, eventFileJSON{
		eventJSON: presentEvent(file.Logged),
		Fields:    fields,
		Answers: each(file.Answers, func(a ledger.Answered) answerJSON {
			return answerJSON{At: a.At.UTC(), Answer: a.Answer, Duplicate: a.Duplicate}
		}),
		Replays: each(file.Replays, func(r ledger.Replay) replayJSON {
			return replayJSON{
				At: r.At.UTC(), By: r.By, Verified: r.Verified, Again: r.Again,
				DoneAt: r.DoneAt.UTC(), Outcome: r.Outcome, WorkflowID: r.WorkflowID,
			}
		}),
	})
	return nil
}

// replayRequest is the body of a replay of one event.
type replayRequest struct {
	Again bool `json:"again"`
}

type replayedJSON struct {
	ID     int64              `json:"id"`
	Result ledger.ReplayState `json:"result"`
}

// replay queues one event to be dispatched again.
func (h *eventsHandler) replay(c *gin.Context) error {
	id, err := eventID(c)
	if err != nil {
		return err
	}
	var in replayRequest
	if err := readJSON(c, &in); err != nil {
		return err
	}
	state, err := h.ledger.Replay(c.Request.Context(), id, orderOf(c, in.Again))
	if err != nil {
		return err
	}
	h.wake()
	c.JSON(http.StatusOK, replayedJSON{ID: id, Result: state})
	return nil
}

// replayRangeRequest is the body of a replay of a range.
type replayRangeRequest struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Type   string `json:"type"`
	Again  bool   `json:"again"`
	DryRun bool   `json:"dry_run"`
}

// replayedRangeJSON counts the events of a range by what became of each.
type replayedRangeJSON struct {
	DryRun     bool `json:"dry_run"`
	Events     int  `json:"events"`
	Queued     int  `json:"queued"`
	Waiting    int  `json:"waiting"`
	Ended      int  `json:"ended"`
	StoredOnly int  `json:"stored_only"`
}

// replayRange queues the events of a range, or counts what it would queue.
func (h *eventsHandler) replayRange(c *gin.Context) error {
	var in replayRangeRequest
	if err := readJSON(c, &in); err != nil {
		return err
	}
	r := ledger.ReplayRange{Type: in.Type, Max: maxReplay}
	var err error
	if r.From, err = timeOf("field", "from", in.From); err != nil {
		return err
	}
	if r.To, err = timeOf("field", "to", in.To); err != nil {
		return err
	}
	if r.From.IsZero() || r.To.IsZero() || !r.From.Before(r.To) {
		return invalid(`the fields "from" and "to" must name a range: two times, the earlier one first`)
	}
	counts, err := h.ledger.ReplayRange(c.Request.Context(), r, orderOf(c, in.Again), in.DryRun)
	if err != nil {
		return err
	}
	out := replayedRangeJSON{
		DryRun: in.DryRun, Queued: counts[ledger.ReplayQueued], Waiting: counts[ledger.ReplayWaiting],
		Ended: counts[ledger.ReplayEnded], StoredOnly: counts[ledger.ReplayStoredOnly],
	}
	out.Events = out.Queued + out.Waiting + out.Ended + out.StoredOnly
	if !in.DryRun {
		h.wake()
	}
	c.JSON(http.StatusOK, out)
	return nil
}

func orderOf(c *gin.Context, again bool) ledger.Order {
	who := principalOf(c)
	return ledger.Order{By: who.Name, Verified: who.Verified, Again: again}
}

// eventID reads the event that the path names: its number in the delivery log,
// because FirstPromoter's own IDs are unique within a type only.
func eventID(c *gin.Context) (int64, error) {
	id, err := strconv.ParseUint(c.Param("id"), 10, 63)
	if err != nil || id == 0 {
		return 0, invalid("the address names no event: an ID is a whole number above zero, the one in the list of events")
	}
	return int64(id), nil
}

// logFilterOf reads the query of the log.
func logFilterOf(c *gin.Context) (ledger.LogFilter, error) {
	if err := onlyQuery(c, "type", "answer", "from", "to", "cursor", "limit"); err != nil {
		return ledger.LogFilter{}, err
	}
	f := ledger.LogFilter{Type: c.Query("type")}
	var err error
	if a := c.Query("answer"); a != "" {
		if f.Answer, err = strconv.Atoi(a); err != nil || !slices.Contains(webhookAnswers(), f.Answer) {
			return ledger.LogFilter{}, invalid(fmt.Sprintf(`the query parameter "answer" is not one of the answers that are given: %s`,
				strings.Trim(fmt.Sprint(webhookAnswers()), "[]")))
		}
	}
	if f.From, err = timeOf("query parameter", "from", c.Query("from")); err != nil {
		return ledger.LogFilter{}, err
	}
	if f.To, err = timeOf("query parameter", "to", c.Query("to")); err != nil {
		return ledger.LogFilter{}, err
	}
	if f.Limit, err = limitOf(c); err != nil {
		return ledger.LogFilter{}, err
	}
	f.Before.AcceptedAt, f.Before.Inbox, err = parsePlace(eventList, c.Query("cursor"))
	return f, err
}

// timeOf reads a time; the zero time when there is none.
func timeOf(what, name, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil || t.Year() < 1970 {
		return time.Time{}, invalid(fmt.Sprintf("the %s %q is not a time such as 2026-11-23T09:00:00Z", what, name))
	}
	return t.UTC(), nil
}

func presentEvent(e ledger.Logged) eventJSON {
	return eventJSON{
		ID: e.Inbox, Type: e.Type, EventID: e.EventID, RewardID: int64(e.RewardID), Known: e.Known, Internal: e.Internal,
		ReceivedAt: e.AcceptedAt.UTC(), Deliveries: e.Deliveries, Answer: e.Answer, AnsweredAt: e.AnsweredAt.UTC(),
		Waiting: e.Known && e.DispatchedAt.IsZero(), Tries: e.Tries, Trouble: e.Trouble,
		DispatchedAt: e.DispatchedAt.UTC(), WorkflowID: e.WorkflowID,
	}
}

func presentUnstored(u ledger.Unstored) unstoredJSON {
	return unstoredJSON{
		Hour: u.Hour.UTC(), Answer: u.Answer, Reason: u.Reason, Type: u.Type, RewardID: int64(u.RewardID),
		Count: u.Count, FirstAt: u.FirstAt.UTC(), LastAt: u.LastAt.UTC(),
	}
}
