package nemesis

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
)

// The books of the provider's double: what it did, and every request.
const (
	effectsFile  = "provider.jsonl"
	requestsFile = "provider-requests.jsonl"
)

// MemoryVariable shortens, for a double of a provider, how long a key is
// remembered. Worlds in which rewardflow knows of it use it, no others.
const MemoryVariable = "NEMESIS_PROVIDER_MEMORY"

// request is one line of the provider's book of requests. An answer is the same
// request's second line.
type request struct {
	At     time.Time `json:"at"`
	Number int64     `json:"number"`
	Method string    `json:"method,omitempty"`
	Key    string    `json:"key,omitempty"`
	Cust   string    `json:"cust,omitempty"`
	// Answer is a status, or -1 where the double broke the connection on
	// purpose.
	Answer int `json:"answer,omitempty"`
	// Whole says that the answer was written to its end. Whether it arrived is
	// another question.
	Whole bool `json:"whole,omitempty"`
}

// newProvider is the sandbox provider, which keeps docs/providers/webhook.md
// and shares no code with the provider that speaks to it, with a mood for each
// customer and a book of every request around it.
func newProvider(dir string) (double, control http.Handler, closing func() error, err error) {
	var memory time.Duration
	if text := os.Getenv(MemoryVariable); text != "" {
		if memory, err = time.ParseDuration(text); err != nil {
			return nil, nil, nil, err
		}
	}
	s, err := sandbox.New(sandbox.Config{Secret: providerSecret, BooksPath: filepath.Join(dir, effectsFile), Memory: memory})
	if err != nil {
		return nil, nil, nil, err
	}
	for mood, behaviours := range behavioursOf() {
		s.Script(func(p sandbox.Payout) bool { return moodOf(p.Reward.Promoter.CustID) == mood }, behaviours...)
	}
	requests, err := openBook(filepath.Join(dir, requestsFile))
	if err != nil {
		return nil, nil, nil, err
	}
	r := &recorder{next: s, book: requests, numbers: make(chan int64), deaf: map[string]time.Time{}}
	go r.count()
	return r, http.NotFoundHandler(), s.Close, nil
}

// moodOf returns how a customer's payouts are to be treated.
func moodOf(cust string) string {
	mood, _, _ := strings.Cut(cust, "-")
	return mood
}

// behavioursOf says what each mood does. A payout whose behaviours are used up
// is treated well.
func behavioursOf() map[string][]sandbox.Behaviour {
	return map[string][]sandbox.Behaviour{
		"lost":       {sandbox.LoseAnswer()},
		"before":     {sandbox.FailBefore(), sandbox.FailBefore()},
		"after":      {sandbox.FailAfter()},
		"later":      {sandbox.SettleLater(2 * time.Second)},
		"throttled":  {sandbox.Throttle(time.Second), sandbox.Throttle(time.Second)},
		"slow":       {sandbox.SlowAnswer(4 * time.Second)},
		"sloweffect": {sandbox.SlowEffect(3 * time.Second)},
		"refuse":     {sandbox.Refuse("no such customer")},
		"reset":      {sandbox.LoseAnswer().Times(2)},
		"deaf":       {sandbox.LoseAnswer()},
	}
}

// recorder writes every request and its answer into the book before anybody
// hears of them.
type recorder struct {
	next    http.Handler
	book    *book
	numbers chan int64

	mu sync.Mutex
	// deaf holds until when nothing is said about a key.
	deaf map[string]time.Time
}

// deafFor is how long the mood "deaf" answers no look-up.
const deafFor = 12 * time.Second

// hears reports whether a look-up is answered. The first payout of a deaf
// customer begins the silence.
func (r *recorder) hears(line request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, known := r.deaf[line.Key]
	if line.Method == http.MethodPost && moodOf(line.Cust) == "deaf" && !known {
		r.deaf[line.Key] = line.At.Add(deafFor)
	}
	return line.Method != http.MethodGet || !line.At.Before(until)
}

func (r *recorder) count() {
	for n := int64(1); ; n++ {
		r.numbers <- n
	}
}

// ServeHTTP implements http.Handler.
func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	line := request{Number: <-r.numbers, Method: req.Method, Key: keyOf(req), Cust: custOf(body)}
	line.At = time.Now().UTC()
	r.note(line)
	if !r.hears(line) {
		r.note(request{Number: line.Number, Answer: http.StatusServiceUnavailable, Whole: true})
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	answer := &copied{header: http.Header{}, real: w}
	defer func() {
		if broken := recover(); broken != nil || answer.taken {
			r.note(request{Number: line.Number, Answer: -1})
			if broken != nil {
				panic(broken)
			}
		}
	}()
	r.next.ServeHTTP(answer, req)
	if answer.taken {
		return
	}
	whole := req.Method != http.MethodPost || moodOf(line.Cust) != "cut" || answer.status/100 != 2
	r.note(request{Number: line.Number, Answer: answer.status, Whole: whole})
	answer.send(w, whole)
}

func (r *recorder) note(line request) {
	line.At = time.Now().UTC()
	if err := r.book.write(line); err != nil {
		panic(http.ErrAbortHandler) // What is not in the book does not happen.
	}
}

// keyOf returns the key that a request is about: the last part of a look-up's
// path, and the ID of a payout's message.
func keyOf(req *http.Request) string {
	if req.Method == http.MethodGet {
		return path.Base(req.URL.Path)
	}
	return req.Header.Get("webhook-id")
}

func custOf(body []byte) string {
	var m struct {
		Data struct {
			Promoter struct {
				CustID string `json:"cust_id"`
			} `json:"promoter"`
		} `json:"data"`
	}
	_ = json.Unmarshal(body, &m) // What it is not about, nobody is moody about.
	return m.Data.Promoter.CustID
}

// copied takes an answer before it is sent. A handler that takes the connection
// over has broken it.
type copied struct {
	header http.Header
	status int
	body   bytes.Buffer
	real   http.ResponseWriter
	taken  bool
}

func (c *copied) Header() http.Header { return c.header }

func (c *copied) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	return c.body.Write(b)
}

func (c *copied) WriteHeader(status int) { c.status = status }

// Unwrap lets http.ResponseController reach the connection.
func (c *copied) Unwrap() http.ResponseWriter {
	c.taken = true
	return c.real
}

// send sends the answer; one that is not whole breaks off in its middle.
func (c *copied) send(w http.ResponseWriter, whole bool) {
	for name, values := range c.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(c.body.Len()))
	w.WriteHeader(max(c.status, http.StatusOK))
	if whole {
		_, _ = w.Write(c.body.Bytes())
		return
	}
	_, _ = w.Write(c.body.Bytes()[:c.body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
