package simulator

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Operation names a call of the API.
type Operation string

// The calls that the double serves.
const (
	List   Operation = "list"
	Update Operation = "update"
)

// Fault is one thing that goes wrong with a call. Its zero value answers as
// always.
type Fault struct {
	// On is the call that it concerns; empty concerns both.
	On Operation
	// Times is how many such calls it concerns; zero means one.
	Times int
	// Delay goes before the effect, or after it with AfterEffect. The effect
	// happens even when the caller has given up by then.
	Delay time.Duration
	// AfterEffect lets an update happen before it goes wrong.
	AfterEffect bool
	// Status is answered in place of the real answer, with RetryAfter (whole
	// seconds) when it is set.
	Status     int
	RetryAfter time.Duration
	// Reset drops the connection instead of answering; Cut drops it in the
	// middle of the answer.
	Reset bool
	Cut   bool
}

// Fail lets the next calls fail. Faults are used up in the order in which they
// were given.
func (s *Simulator) Fail(f Fault) {
	f.Times = max(f.Times, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// takeFault returns the fault of a call that has come in.
func (s *Simulator) takeFault(op Operation) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return Fault{Reset: true}
	}
	for i := range s.faults {
		f := s.faults[i]
		if f.On != "" && f.On != op {
			continue
		}
		if s.faults[i].Times--; s.faults[i].Times == 0 {
			s.faults = append(s.faults[:i], s.faults[i+1:]...)
		}
		return f
	}
	return Fault{}
}

// reply is an answer before it is written.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (s *Simulator) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+BasePath+"/payouts/list", s.serve(List, s.list))
	mux.HandleFunc("PUT "+BasePath+"/payouts/update", s.serve(Update, s.update))
	return mux
}

// serve wraps the effect of a call in what goes wrong with it. Parameters are
// key-value pairs of the query or of a form; a JSON body is not read, and its
// parameters are missing, as documented for v1.
func (s *Simulator) serve(op Operation, effect func(url.Values) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f := s.takeFault(op)
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		if err := r.ParseForm(); err != nil {
			write(w, failure(http.StatusBadRequest, "The request cannot be read."))
			return
		}
		if !f.AfterEffect {
			s.pause(f.Delay)
			if f.breaks() {
				f.write(w, reply{})
				return
			}
		}
		out := reply{status: http.StatusUnauthorized, body: []byte("Bad credentials")}
		if r.Header.Get("X-API-KEY") == s.cfg.APIKey {
			out = effect(r.Form)
		}
		if f.AfterEffect {
			s.pause(f.Delay)
		}
		f.write(w, out)
	}
}

// pause outlasts the caller's patience on purpose, and not the double's life.
func (s *Simulator) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.closed:
	}
}

// breaks reports whether the fault takes the place of the effect. A cut answer
// has happened, so it does not.
func (f Fault) breaks() bool { return f.Reset || f.Status != 0 }

// write answers, as badly as the fault wants it.
func (f Fault) write(w http.ResponseWriter, out reply) {
	switch {
	case f.Reset:
		drop(w)
	case f.Status != 0:
		out = failure(f.Status, "Something went wrong.")
		if f.RetryAfter > 0 {
			out.header = http.Header{"Retry-After": {strconv.Itoa(int(f.RetryAfter / time.Second))}}
		}
		write(w, out)
	case f.Cut:
		w.Header().Set("Content-Length", strconv.Itoa(len(out.body)))
		w.WriteHeader(out.status)
		_, _ = w.Write(out.body[:len(out.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	default:
		write(w, out)
	}
}

// drop resets the connection.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 has no connection to take over.
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func write(w http.ResponseWriter, out reply) {
	for name, values := range out.header {
		w.Header()[name] = values
	}
	w.WriteHeader(out.status)
	_, _ = w.Write(out.body)
}

func answer(status int, v any) reply {
	body, err := json.Marshal(v)
	if err != nil {
		return failure(http.StatusInternalServerError, "The answer cannot be written.")
	}
	return reply{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: body}
}

func failure(status int, words string) reply {
	return answer(status, map[string]string{"error": words})
}

// list answers GET payouts/list, newest first.
func (s *Simulator) list(params url.Values) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	perPage, page := count(params, "per_page", 50), count(params, "page", 1)
	all := []payout{}
	for _, id := range s.book.newestFirst() {
		if a := s.book.accounts[id]; a.matches(params) {
			all = append(all, a.record.withStatus(a.Status))
		}
	}
	from := min((page-1)*perPage, len(all))
	out := answer(http.StatusOK, all[from:min(from+perPage, len(all))])
	out.header["Total"] = []string{strconv.Itoa(len(all))}
	out.header["Per-Page"] = []string{strconv.Itoa(perPage)}
	return out
}

func (a *Account) matches(params url.Values) bool {
	is := func(name, value string) bool { return params.Get(name) == "" || params.Get(name) == value }
	return is("promoter_id", strconv.FormatInt(a.Promoter.ID, 10)) &&
		is("campaign_id", strconv.FormatInt(a.Campaign.ID, 10)) &&
		is("status", a.Status)
}

// count reads a number between one and a thousand.
func count(params url.Values, name string, missing int) int {
	n, err := strconv.Atoi(params.Get(name))
	if err != nil || n < 1 {
		return missing
	}
	return min(n, 1000)
}

// update answers PUT payouts/update.
func (s *Simulator) update(params url.Values) reply {
	id, err := reward.ParseID(params.Get("id"))
	if err != nil {
		return failure(http.StatusUnprocessableEntity, "You need to find the payout by id.")
	}
	status := params.Get("status")
	if !validStatus(status) {
		return failure(http.StatusUnprocessableEntity, "Status is not included in the list.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.book.accounts[id]
	if a == nil {
		if err := s.record(entry{Kind: strayed, ID: id, Status: status}); err != nil {
			return failure(http.StatusInternalServerError, "Internal error")
		}
		return failure(http.StatusNotFound, "Payment not found")
	}
	if err := s.record(s.updateEntry(id, status, ByAPI)); err != nil {
		return failure(http.StatusInternalServerError, "Internal error")
	}
	return answer(http.StatusOK, a.record.withStatus(a.Status))
}
