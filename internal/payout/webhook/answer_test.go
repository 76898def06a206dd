package webhook_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

func accepted(settled bool, reference string) payout.Outcome {
	return payout.Outcome{Class: payout.ClassAccepted, Settled: settled, Reference: reference}
}

// TestAnswersToAPayout is the table of docs/providers/webhook.md.
func TestAnswersToAPayout(t *testing.T) {
	t.Parallel()

	const key = "rf_2429153_1"
	unknown := payout.Outcome{Class: payout.ClassUnknown}
	refused := payout.Outcome{Class: payout.ClassRefused}
	denied := payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Denied}
	for _, c := range []struct {
		status int
		body   string
		want   payout.Outcome
	}{
		{200, `{"status":"fulfilled","reference":"inv_7"}`, accepted(true, "inv_7")},
		{201, `{"status":"fulfilled","reference":"inv_7","more":[1]}`, accepted(true, "inv_7")},
		{200, `{"status":"fulfilled","reference":12345678901234567890}`, accepted(true, "12345678901234567890")},
		{200, `{"status":"fulfilled"}`, accepted(true, key)},
		{200, `{"status":"fulfilled","reference":null}`, accepted(true, key)},
		{200, `{"status":"fulfilled","reference":{"id":1}}`, accepted(true, key)},
		{200, `{"status":"fulfilled","reference":"a\nb"}`, accepted(true, key)},
		{200, `{"status":"fulfilled","reference":"p@example.com"}`, accepted(true, key)},
		{200, `{"status":"fulfilled","reference":"https://x.example/1"}`, accepted(true, key)},
		{200, `{"status":"fulfilled","reference":"` + strings.Repeat("x", 256) + `"}`, accepted(true, key)},
		{200, `{"status":"Fulfilled"}`, unknown},
		{200, `{"status":"accepted"}`, unknown},
		{200, `{"status":"refused"}`, unknown},
		{200, `{"status":"fulfilled"`, unknown},
		{200, `{"status":"fulfilled"} ok`, unknown},
		{200, `["fulfilled"]`, unknown},
		{200, `fulfilled`, unknown},
		{200, `{}`, unknown},
		{200, ``, unknown},
		{202, ``, accepted(false, key)},
		{202, `{"status":"accepted","reference":"q1"}`, accepted(false, "q1")},
		{202, `{"status":"pending"}`, accepted(false, key)},
		{202, `{"status":"fulfilled"}`, accepted(false, key)},
		{202, `{"status":"failed"}`, unknown},
		{202, `queued`, unknown},
		{203, `{"status":"fulfilled"}`, unknown},
		{204, ``, unknown},
		{301, ``, unknown},
		{304, ``, unknown},
		{400, ``, refused},
		{401, ``, denied},
		{402, ``, unknown},
		{403, ``, denied},
		{404, ``, refused},
		{405, ``, unknown},
		{408, ``, unknown},
		{409, ``, payout.Outcome{Class: payout.ClassConflict}},
		{410, ``, refused},
		{418, ``, unknown},
		{422, `{"status":"fulfilled"}`, refused},
		{425, ``, unknown},
		{429, ``, payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Throttled}},
		{500, `{"status":"fulfilled"}`, unknown},
		{503, ``, unknown},
	} {
		r := newReceiver(t, c.status, c.body)
		p := connect(t, r.url, 5*time.Second)
		out := p.Send(t.Context(), prepared(t, p))
		require.NotEmpty(t, out.Detail)
		out.Detail = ""
		require.Equal(t, c.want, out, "%d %s", c.status, c.body)
		r.only(t)
	}
}

func TestAnswersToALookup(t *testing.T) {
	t.Parallel()

	const key = "rf_2429153_1"
	for _, c := range []struct {
		status int
		body   string
		want   payout.Answer
	}{
		{200, `{"status":"fulfilled"}`, payout.FoundSettled},
		{200, `{"status":"accepted"}`, payout.FoundPending},
		{200, `{"status":"pending"}`, payout.FoundPending},
		{200, `{"status":"failed"}`, payout.FoundFailed},
		{200, `{"status":"refused"}`, payout.FoundFailed},
		{200, `{"status":"returned"}`, payout.FoundReturned},
		{200, `{"status":"unknown"}`, payout.CannotTell},
		{200, `{}`, payout.CannotTell},
		{200, ``, payout.CannotTell},
		{200, `<html>`, payout.CannotTell},
		{201, `{"status":"fulfilled"}`, payout.CannotTell},
		{202, `{"status":"fulfilled"}`, payout.CannotTell},
		{302, ``, payout.CannotTell},
		{400, ``, payout.CannotTell},
		{401, ``, payout.CannotTell},
		{403, ``, payout.CannotTell},
		{404, ``, payout.Absent},
		{405, ``, payout.CannotTell},
		{410, ``, payout.CannotTell},
		{429, ``, payout.CannotTell},
		{500, ``, payout.CannotTell},
	} {
		r := newReceiver(t, c.status, c.body)
		p := connect(t, r.url, 5*time.Second)
		found := p.Lookup(t.Context(), prepared(t, p))
		require.Equal(t, c.want, found.Answer, "%d %s", c.status, c.body)
		require.NotEmpty(t, found.Detail)
		if _, moves := found.Move(); moves {
			require.Equal(t, key, found.Reference)
		} else {
			require.Empty(t, found.Reference)
		}
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	t.Parallel()

	r := newReceiver(t, http.StatusTooManyRequests, "")
	r.header.Set("Retry-After", "90")
	p := connect(t, r.url, 5*time.Second)
	require.Equal(t, 90*time.Second, p.Send(t.Context(), prepared(t, p)).RetryAfter)
	require.Equal(t, 90*time.Second, p.Lookup(t.Context(), prepared(t, p)).RetryAfter)
}

func TestTheReceiversWordsAreMadeSafe(t *testing.T) {
	t.Parallel()

	for body, want := range map[string]string{
		`{"message":"the account is closed"}`:                "the receiver refused (HTTP 422): the account is closed",
		`{"error":"closed"}`:                                 "the receiver refused (HTTP 422): closed",
		`{"error":{"message":"closed"}}`:                     "the receiver refused (HTTP 422)",
		`{"message":"no <p@example.com> here"}`:              "the receiver refused (HTTP 422): no [...] here",
		`{"message":"see https://x.example/a or x.com/b"}`:   "the receiver refused (HTTP 422): see [...] or [...]",
		`{"message":"key whsec_MDEy is\u0000 wrong\n\ttwo"}`: "the receiver refused (HTTP 422): key [...] is wrong two",
		`{"message":"` + strings.Repeat("t", 41) + ` end"}`:  "the receiver refused (HTTP 422): [...] end",
		`{"message":"` + strings.Repeat("ä ", 300) + `"}`:    "the receiver refused (HTTP 422): " + strings.Repeat("ä ", 100) + "...",
		`<html>no</html>`:                                    "the receiver refused (HTTP 422)",
	} {
		r := newReceiver(t, http.StatusUnprocessableEntity, body)
		p := connect(t, r.url, 5*time.Second)
		require.Equal(t, want, p.Send(t.Context(), prepared(t, p)).Detail)
	}
}
