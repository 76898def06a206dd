package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

// answer is what came back for one request.
type answer struct {
	status int
	body   []byte
	// bodyErr says that the body broke off or was too long.
	bodyErr    error
	retryAfter time.Duration
}

// statement is the JSON document in an answer. Other fields are ignored.
type statement struct {
	Status    string     `json:"status"`
	Reference label      `json:"reference"`
	Message   looseWords `json:"message"`
	Error     looseWords `json:"error"`
}

// The words that a receiver may say as its status.
const (
	statusFulfilled = "fulfilled"
	statusAccepted  = "accepted"
	statusPending   = "pending"
	statusFailed    = "failed"
	statusRefused   = "refused"
	statusReturned  = "returned"
)

// read returns the statement, and whether the body is one whole JSON object.
func (a answer) read() (statement, bool) {
	var s statement
	if a.bodyErr != nil {
		return s, false
	}
	err := json.Unmarshal(a.body, &s)
	return s, err == nil
}

// judge classifies the answer to a POST. Whatever it does not recognise is
// unknown: the receiver may have paid.
func judge(key string, a answer) payout.Outcome {
	switch a.status {
	case http.StatusOK, http.StatusCreated:
		return judgeDone(key, a)
	case http.StatusAccepted:
		return judgeTaken(key, a)
	case http.StatusConflict:
		return payout.Outcome{Class: payout.ClassConflict, Detail: a.words("the receiver knows the key with another body")}
	case http.StatusBadRequest, http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity:
		return payout.Outcome{Class: payout.ClassRefused, Detail: a.words("the receiver refused")}
	case http.StatusUnauthorized, http.StatusForbidden:
		return payout.Outcome{
			Class: payout.ClassNotSent, Kind: fault.Denied,
			Detail: a.words("the receiver did not accept the signature: compare the secrets and the clocks"),
		}
	case http.StatusTooManyRequests:
		return payout.Outcome{
			Class: payout.ClassNotSent, Kind: fault.Throttled, RetryAfter: a.retryAfter,
			Detail: a.words("the receiver asked to come back later"),
		}
	}
	detail := a.words("the receiver's answer does not say whether it paid")
	if a.status >= 300 && a.status < 400 {
		detail = a.words("the receiver redirected, and redirects are not followed")
	}
	return payout.Outcome{Class: payout.ClassUnknown, Detail: detail, RetryAfter: a.retryAfter}
}

// judgeDone reads a 200 or 201, which says "fulfilled" in so many words or
// says nothing: a proxy's page with status 200 delivers no reward.
func judgeDone(key string, a answer) payout.Outcome {
	s, ok := a.read()
	if !ok {
		return payout.Outcome{Class: payout.ClassUnknown, Detail: a.plain("the receiver's answer cannot be read")}
	}
	if s.Status != statusFulfilled {
		return payout.Outcome{Class: payout.ClassUnknown, Detail: a.plain(`the receiver's answer does not say "fulfilled"`)}
	}
	return payout.Outcome{
		Class: payout.ClassAccepted, Settled: true,
		Reference: referenceOr(key, s), Detail: "the receiver has fulfilled it",
	}
}

// judgeTaken reads a 202. Its body may be empty.
func judgeTaken(key string, a answer) payout.Outcome {
	s, ok := a.read()
	if len(a.body) == 0 && a.bodyErr == nil {
		ok = true
	}
	if !ok {
		return payout.Outcome{Class: payout.ClassUnknown, Detail: a.plain("the receiver's answer cannot be read")}
	}
	switch s.Status {
	case "", statusAccepted, statusPending, statusFulfilled:
		return payout.Outcome{
			Class: payout.ClassAccepted, Reference: referenceOr(key, s),
			Detail: "the receiver has accepted it and will fulfil it later",
		}
	}
	return payout.Outcome{Class: payout.ClassUnknown, Detail: a.plain("the receiver accepted it and named another status than accepted")}
}

// find reads the answer to a look-up.
func find(key string, a answer) payout.Finding {
	switch a.status {
	case http.StatusOK:
		return findStated(key, a)
	case http.StatusNotFound:
		return payout.Finding{Answer: payout.Absent, Detail: a.plain("the receiver does not know the key")}
	}
	return payout.Finding{
		Answer: payout.CannotTell, RetryAfter: a.retryAfter,
		Detail: a.words("the receiver's answer to the look-up says nothing about the key"),
	}
}

func findStated(key string, a answer) payout.Finding {
	s, ok := a.read()
	if !ok {
		return payout.Finding{Answer: payout.CannotTell, Detail: a.plain("the receiver's answer to the look-up cannot be read")}
	}
	f := payout.Finding{Reference: referenceOr(key, s)}
	switch s.Status {
	case statusFulfilled:
		f.Answer, f.Detail = payout.FoundSettled, "the receiver has fulfilled it"
	case statusAccepted, statusPending:
		f.Answer, f.Detail = payout.FoundPending, "the receiver will fulfil it later"
	case statusFailed, statusRefused:
		f.Answer, f.Detail = payout.FoundFailed, a.words("the receiver did not fulfil it and will not")
	case statusReturned:
		f.Answer, f.Detail = payout.FoundReturned, a.words("it came back after the receiver had fulfilled it")
	default:
		return payout.Finding{Answer: payout.CannotTell, Detail: a.plain("the receiver's answer to the look-up names no known status")}
	}
	return f
}

// plain returns the words with the HTTP status.
func (a answer) plain(words string) string { return fmt.Sprintf("%s (HTTP %d)", words, a.status) }

// words returns the words with the HTTP status and what the receiver itself
// says, made safe to store and show.
func (a answer) words(words string) string {
	said, ok := a.read()
	if !ok {
		return a.plain(words)
	}
	text := string(said.Message)
	if text == "" {
		text = string(said.Error)
	}
	if text = sanitise(text); text == "" {
		return a.plain(words)
	}
	return a.plain(words) + ": " + text
}

// maxSaid is how many characters of a receiver's words are kept, and maxWord
// how long a word may be before it looks like a token.
const (
	maxSaid = 200
	maxWord = 40
)

// sanitise keeps plain words only. Email addresses, links and anything that
// looks like a token are left out: the text is stored for years.
func sanitise(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	words := strings.Fields(text)
	for i, word := range words {
		if !plainWord(word) {
			words[i] = "[...]"
		}
	}
	runes := []rune(strings.Join(words, " "))
	if len(runes) > maxSaid {
		runes = append(runes[:maxSaid], []rune("...")...)
	}
	return string(runes)
}

func plainWord(word string) bool {
	email := strings.Contains(word, "@")
	link := strings.Contains(word, "://") || strings.Contains(word, "/") && strings.Contains(word, ".")
	token := len(word) > maxWord || strings.Contains(word, secretPrefix)
	return !email && !link && !token
}
