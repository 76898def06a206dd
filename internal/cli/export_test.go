package cli_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/cli"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// november names the period of every export here.
func november(args ...string) []string {
	return append([]string{"export", "--from", "2026-11-01", "--to", "2026-12-01"}, args...)
}

// statement is an operator API that lists what it is told, page by page.
type statement struct {
	// page answers the nth request for payouts, from 0; the cursor of the next
	// page is the number of the next request.
	page func(w http.ResponseWriter, n int)
	// totals is the body of the answer to the sums.
	totals string
	pages  atomic.Int64
}

func (s *statement) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/api/v1/payouts/totals" && r.URL.Query().Has("from"):
		_, _ = io.WriteString(w, s.totals)
	case r.URL.Path == "/api/v1/payouts/totals":
		_, _ = io.WriteString(w, `{"totals":[]}`)
	default:
		s.page(w, int(s.pages.Add(1))-1)
	}
}

// line is a payout as the API writes it, with what a test is about.
func line(id int, more string) string {
	return fmt.Sprintf(`{"at":"2026-11-05T00:00:00Z","reward_id":%d,"state":"paid","money":"left","quantity":{"amount":5,"unit":"points"}%s}`, id, more)
}

func page(lines ...string) string { return `{"payouts":[` + strings.Join(lines, ",") + `]}` }

func sumOf(count, amount int) string {
	return fmt.Sprintf(`{"totals":[{"state":"paid","money":"left","unit":"points","count":%d,"amount":%d}]}`, count, amount)
}

func TestAnExportThatBreaksOffWritesNothing(t *testing.T) {
	t.Parallel()

	first := strings.TrimSuffix(page(line(1, ""), line(2, "")), "}") + `,"next_cursor":"c"}`
	for name, c := range map[string]struct {
		second http.HandlerFunc
		totals string
		code   int
		words  string
	}{
		"the connection breaks": {
			second: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			code:   1, words: "nothing was exported: it broke off after 2 payouts: the operator API at ",
		},
		"the answer breaks off": {
			second: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "5000")
				_, _ = io.WriteString(w, `{"payouts":[`)
			},
			code: 1, words: "the answer broke off",
		},
		"no document": {
			second: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
			code:   1, words: "is not a document of rewardflow's operator API",
		},
		"the ledger is gone": {
			second: func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = io.WriteString(w, `{"detail":"the ledger is busy","code":"unavailable"}`)
			},
			code: 1, words: "after 2 payouts: the ledger is busy",
		},
		"the token ends": {
			second: func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, `{"detail":"the token is not that of an operator","code":"unauthenticated"}`)
			},
			code: 4, words: "the token is not that of an operator",
		},
		"a page comes twice": {
			second: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, first) },
			code:   1, words: "out of order: 1 after 2",
		},
		"the sums cannot be read": {
			second: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page(line(3, ""))) },
			totals: "<html>", code: 1, words: "after 3 payouts",
		},
		"a sum without an amount": {
			second: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page(line(3, ""))) },
			totals: `{"totals":[{"state":"paid","money":"left","unit":"points","count":3}]}`, code: 1, words: "without an amount",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := t.TempDir()
			file := filepath.Join(dir, "november.csv")
			require.NoError(t, os.WriteFile(file, []byte("of yesterday"), 0o600))
			for _, args := range [][]string{november(), november("--file", file, "--totals", filepath.Join(dir, "sums.csv"))} {
				api := &statement{totals: c.totals}
				api.page = func(w http.ResponseWriter, n int) {
					if n == 0 {
						_, _ = io.WriteString(w, first)
						return
					}
					c.second(w, nil)
				}
				b := setup(t, api.ServeHTTP, args...)
				require.Equal(t, c.code, cli.New(b.env).Execute(t.Context()))
				require.Empty(t, b.stdout.String())
				require.Contains(t, b.stderr.String(), c.words)
				require.Contains(t, b.stderr.String(), "nothing was exported")
			}
			kept, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, "of yesterday", string(kept))
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, left, 1, "no temporary file, and no sums, stay behind")
		})
	}
}

// A payout that moves behind the reader is seen twice, or never: the ledger's
// own sums tell.
func TestAnExportThatPayoutsMovedUnderIsReadAgain(t *testing.T) {
	t.Parallel()

	moved := line(1, `,"detail":"it was unknown"`)
	api := &statement{totals: sumOf(2, 10)}
	api.page = func(w http.ResponseWriter, n int) {
		if n == 0 {
			_, _ = io.WriteString(w, page(moved))
			return
		}
		_, _ = io.WriteString(w, page(line(1, ""), line(2, "")))
	}
	b := setup(t, api.ServeHTTP, november("--format", "jsonl")...)
	require.Zero(t, cli.New(b.env).Execute(t.Context()), b.stderr.String())
	require.NotContains(t, b.stdout.String(), "unknown", "what was read first is forgotten")
	require.Equal(t, 2, strings.Count(b.stdout.String(), "\n"))
	require.EqualValues(t, 2, api.pages.Load())

	for name, totals := range map[string]string{"count": sumOf(3, 10), "amount": sumOf(2, 11), "kind": `{"totals":[]}`} {
		api := &statement{totals: totals}
		api.page = func(w http.ResponseWriter, _ int) { _, _ = io.WriteString(w, page(line(1, ""), line(2, ""))) }
		b := setup(t, api.ServeHTTP, november()...)
		require.Equal(t, 1, cli.New(b.env).Execute(t.Context()), name)
		require.Empty(t, b.stdout.String(), name)
		require.Contains(t, b.stderr.String(), "payouts of the period moved while they were read, 3 times")
		require.EqualValues(t, 3, api.pages.Load())
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestAnExportThatCannotBeWrittenFails(t *testing.T) {
	t.Parallel()

	api := &statement{totals: sumOf(1, 5)}
	api.page = func(w http.ResponseWriter, _ int) { _, _ = io.WriteString(w, page(line(1, ""))) }
	b := setup(t, api.ServeHTTP, november()...)
	b.env.Stdout = fullDisk{}
	require.Equal(t, 1, cli.New(b.env).Execute(t.Context()))
	require.Contains(t, b.stderr.String(), "the export is not complete")
}

func TestAnExportIsForItsOwnerOnly(t *testing.T) {
	t.Parallel()

	file := filepath.Join(t.TempDir(), "november.csv")
	link := filepath.Join(t.TempDir(), "newest.csv")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	require.NoError(t, os.Symlink(file, link))
	api := &statement{totals: sumOf(1, 5)}
	api.page = func(w http.ResponseWriter, _ int) { _, _ = io.WriteString(w, page(line(1, ""))) }
	b := setup(t, api.ServeHTTP, november("--file", link)...)
	require.Zero(t, cli.New(b.env).Execute(t.Context()), b.stderr.String())
	info, err := os.Lstat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	require.NotZero(t, info.Size(), "a link is followed, and stays")
}

// Strangers write some of the texts. A spreadsheet must not run them, and
// numbers stay numbers.
func TestASpreadsheetRunsNothing(t *testing.T) {
	t.Parallel()

	texts := map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)",
		"\t=1": "' '=1", "\r=1": "'�=1", "  =1": "  '=1", "＝1": "'＝1", "a;=1": "a;'=1", "a; -1": "a; '-1",
		`";=1`: `";'=1`, "two\nlines": "two lines", "\x1b[2J": "�[2J",
		"plain": "plain", "a=b": "a=b", "cus_-1": "cus_-1", `say "x", y`: `say "x", y`, "": "", "0012": "0012",
	}
	var lines, sent []string
	for text := range texts {
		quoted, err := json.Marshal(text)
		require.NoError(t, err)
		sent = append(sent, text)
		more := strings.ReplaceAll(`,"provider":§,"reference":§,"other_references":[§],"key":§,"destination":§,"detail":§,
			"promoter":{"id":-7,"cust_id":§,"email":§},"campaign":{"id":-8,"name":§},"rule":§,"policy_version":§,
			"approvals":[{"by":§,"verified":true,"at":"2026-11-05T00:00:00Z"}],
			"resolution":{"action":§,"reference":§,"evidence":§,"comment":§,"by":§,"verified":true}`, "§", string(quoted))
		lines = append(lines, line(len(lines)+1, more))
	}
	api := &statement{totals: sumOf(len(lines), 5*len(lines))}
	api.page = func(w http.ResponseWriter, _ int) { _, _ = io.WriteString(w, page(lines...)) }
	b := setup(t, api.ServeHTTP, november("--email")...)
	require.Zero(t, cli.New(b.env).Execute(t.Context()), b.stderr.String())
	require.Equal(t, len(lines)+1, strings.Count(b.stdout.String(), "\n"), "one line each")

	rows := csvRows(t, b.stdout.Bytes())
	for i, row := range rows {
		for _, column := range []string{
			"provider", "reference", "other_references", "key", "destination", "detail", "cust_id", "email", "campaign", "rule",
			"policy_version", "approved_by", "resolution", "resolved_by", "resolved_reference", "resolved_evidence", "resolved_comment",
		} {
			require.Equal(t, texts[sent[i]], row[column], "%s of %q", column, sent[i])
		}
		require.Equal(t, "5", row["amount"])
		require.Equal(t, "-7", row["promoter_id"], "a number stays a number")
		require.Equal(t, "-8", row["campaign_id"])
	}
}

func csvRows(t *testing.T, data []byte) []map[string]string {
	t.Helper()
	records, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	require.NoError(t, err)
	require.NotEmpty(t, records)
	var rows []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func TestAmountsOfCashHaveTheirCurrencysDecimals(t *testing.T) {
	t.Parallel()

	quantities := []struct {
		currency string
		amount   int64
		decimal  string
	}{
		{"USD", 1250, "12.50"},
		{"USD", 5, "0.05"},
		{"JPY", 1250, "1250"},
		{"KWD", 1250, "1.250"},
		{"CLF", 12345, "1.2345"},
		{"USD", 9223372036854775807, "92233720368547758.07"},
		{"EUR", 9007199254740993, "90071992547409.93"},
		{"ZZZ", 7, ""},
	}
	var lines, totals []string
	sums := map[string]*big.Int{}
	for i, q := range quantities {
		lines = append(lines, fmt.Sprintf(`{"at":"2026-11-05T00:00:00Z","reward_id":%d,"state":"paid","money":"left",`+
			`"quantity":{"amount":%d,"unit":"cash","currency":%q}}`, i+1, q.amount, q.currency))
		if sums[q.currency] == nil {
			sums[q.currency] = new(big.Int)
		}
		sums[q.currency].Add(sums[q.currency], big.NewInt(q.amount))
	}
	for code, amount := range sums {
		count := 1
		if code == "USD" {
			count = 3
		}
		totals = append(totals, fmt.Sprintf(`{"state":"paid","money":"left","unit":"cash","currency":%q,"count":%d,"amount":%s}`, code, count, amount))
	}
	api := &statement{totals: `{"totals":[` + strings.Join(totals, ",") + `]}`}
	api.page = func(w http.ResponseWriter, _ int) { _, _ = io.WriteString(w, page(lines...)) }
	b := setup(t, api.ServeHTTP, november()...)
	require.Zero(t, cli.New(b.env).Execute(t.Context()), b.stderr.String())
	for i, row := range csvRows(t, b.stdout.Bytes()) {
		require.Equal(t, quantities[i].decimal, row["decimal"])
		require.Equal(t, fmt.Sprint(quantities[i].amount), row["amount"])
	}
	require.Contains(t, b.stderr.String(), "9223372036854777062  92233720368547770.62", "a sum may be beyond int64")
}

// The sums agree with those of the summary, which nothing here makes.
func TestExportReconcilesWithTheSummary(t *testing.T) {
	t.Parallel()

	w := newReconciledWorld(t)
	url, err := w.serve(nil)
	require.NoError(t, err)
	b := setup(t, http.NotFound)
	b.env.Args = []string{"--url", url, "export", "--from", "2026-01-01", "--to", "2027-01-01", "--state", "paid"}
	require.Zero(t, cli.New(b.env).Execute(t.Context()), b.stderr.String())

	type total struct {
		count  int
		amount int64
	}
	got := map[string]total{}
	rows := csvRows(t, b.stdout.Bytes())
	require.Greater(t, len(rows), 400, "more than a page")
	for _, row := range rows {
		var amount int64
		_, err := fmt.Sscan(row["amount"], &amount)
		require.NoError(t, err)
		sum := got[row["unit"]+" "+row["currency"]]
		got[row["unit"]+" "+row["currency"]] = total{sum.count + 1, sum.amount + amount}
	}

	response, err := http.Get(url + "/api/v1/summary") //nolint:noctx // A test's server.
	require.NoError(t, err)
	defer response.Body.Close()
	var summary struct {
		Paid []struct {
			Unit, Currency string
			Count          int
			Amount         int64
		}
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&summary))
	want := map[string]total{}
	for _, paid := range summary.Paid {
		want[paid.Unit+" "+paid.Currency] = total{paid.Count, paid.Amount}
	}
	require.Len(t, want, 4)
	require.Equal(t, want, got)
}

// newReconciledWorld is the usual world with two more pages of payouts.
func newReconciledWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	t.Cleanup(w.close)
	box, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{Now: w.now})
	require.NoError(t, err)
	w.ledger = box
	w.desk = &desk{ledger: box}
	w.closers = append(w.closers, func() { _ = box.Close() })
	require.NoError(t, w.fill(context.Background()))
	ctx := t.Context()
	for i := range 450 {
		id := reward.ID(5000 + i)
		q := reward.Quantity{Amount: int64(i)*7 + 1, Unit: reward.Cash, Currency: []string{"USD", "EUR", "JPY"}[i%3]}
		r := owed(id, q.Amount, q.Unit)
		r.Quantity = q
		_, err := w.ledger.Accept(ctx, ledger.Event{
			Type: "fulfilment_pending", Dedupe: "event-" + id.String(), EventID: id.String(),
			Reward: &ledger.Claimed{Reward: r}, Body: []byte("{}"),
		}, time.Hour)
		require.NoError(t, err)
		a := assessed(r, "team")
		a.Status, a.Reason = reward.Approved, "the policy pays it"
		require.NoError(t, w.ledger.Assess(ctx, a, "policy"))
		outcome := payout.Outcome{Class: payout.ClassAccepted, Settled: i%10 != 0, Reference: "txn_" + id.String()}
		if i%7 == 0 {
			w.minutes.Add(1)
		}
		require.NoError(t, w.attempt(ctx, id, "team", outcome))
	}
	return w
}
