package cli

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/bojanz/currency"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The values of --format.
const (
	formatCSV   = "csv"
	formatJSONL = "jsonl"
)

// statementDocument is one page of what was paid.
type statementDocument struct {
	Payouts    []entryDocument `json:"payouts"`
	NextCursor string          `json:"next_cursor"`
}

// entryDocument is one payout. It is the line of an export as JSON, too.
type entryDocument struct {
	At       time.Time       `json:"at"`
	RewardID reward.ID       `json:"reward_id"`
	State    payout.State    `json:"state"`
	Money    ledger.Money    `json:"money"`
	Quantity reward.Quantity `json:"quantity"`
	// Decimal is the amount of cash with its currency's decimals. It is made
	// here; the API has whole numbers only.
	Decimal         string          `json:"decimal,omitempty"`
	Provider        string          `json:"provider"`
	Reference       string          `json:"reference"`
	OtherReferences []string        `json:"other_references"`
	Key             string          `json:"key"`
	Generation      int             `json:"generation"`
	Destination     string          `json:"destination"`
	Detail          string          `json:"detail"`
	Promoter        payeeDocument   `json:"promoter"`
	Campaign        reward.Campaign `json:"campaign"`
	PolicyVersion   string          `json:"policy_version"`
	Rule            string          `json:"rule"`
	Approvals       []struct {
		By       string    `json:"by"`
		Verified bool      `json:"verified"`
		At       time.Time `json:"at"`
	} `json:"approvals"`
	ByHand      bool                `json:"by_hand"`
	Resolution  *resolutionDocument `json:"resolution,omitempty"`
	ReservedAt  time.Time           `json:"reserved_at,omitzero"`
	FirstSentAt time.Time           `json:"first_sent_at,omitzero"`
	LastSentAt  time.Time           `json:"last_sent_at,omitzero"`
	PaidAt      time.Time           `json:"paid_at,omitzero"`
	ReturnedAt  time.Time           `json:"returned_at,omitzero"`
	ClosedAt    time.Time           `json:"closed_at,omitzero"`
	Status      reward.Status       `json:"status"`
}

type payeeDocument struct {
	ID     int64  `json:"id"`
	CustID string `json:"cust_id"`
	Email  string `json:"email,omitempty"`
}

// follows reports whether the entry comes behind another one.
func (e entryDocument) follows(last entryDocument) bool {
	return e.At.After(last.At) || e.At.Equal(last.At) && e.RewardID > last.RewardID
}

// decimal writes an amount with the decimals of its currency; empty for what
// is no money. The digits are whole all the way.
func decimal(amount *big.Int, code string) string {
	if code == "" {
		return ""
	}
	money, err := currency.NewAmountFromBigInt(amount, code)
	if err != nil {
		return "" // A currency without known decimals: the amount itself is there.
	}
	return money.Number()
}

// statementWriter writes payouts in one of the formats.
type statementWriter struct {
	csv   *csv.Writer
	json  *json.Encoder
	email bool
}

func newStatementWriter(to io.Writer, o order) (*statementWriter, error) {
	w := &statementWriter{email: o.email}
	if o.format == formatJSONL {
		w.json = jsonLines(to)
		return w, nil
	}
	w.csv = csv.NewWriter(to)
	return w, w.csv.Write(w.header())
}

func jsonLines(to io.Writer) *json.Encoder {
	lines := json.NewEncoder(to)
	lines.SetEscapeHTML(false)
	return lines
}

// entry writes one payout.
func (w *statementWriter) entry(e entryDocument) error {
	e.Decimal = decimal(big.NewInt(e.Quantity.Amount), e.Quantity.Currency)
	if w.json != nil {
		return w.json.Encode(e)
	}
	return w.csv.Write(w.cells(e))
}

// end tells what went wrong on the way.
func (w *statementWriter) end() error {
	if w.csv == nil {
		return nil
	}
	w.csv.Flush()
	return w.csv.Error()
}

// header names the columns. They are an interface: new ones go to the end.
func (w *statementWriter) header() []string {
	columns := []string{
		"at", "reward_id", "state", "money", "amount", "unit", "currency", "decimal",
		"provider", "reference", "other_references", "key", "generation", "destination",
		"promoter_id", "cust_id", "campaign_id", "campaign",
		"approved_by", "approved_at", "rule", "policy_version",
		"by_hand", "resolution", "resolved_by", "resolved_at", "resolved_reference", "resolved_evidence", "resolved_comment",
		"reserved_at", "first_sent_at", "last_sent_at", "paid_at", "returned_at", "closed_at", "status", "detail",
	}
	if w.email {
		columns = append(columns, "email")
	}
	return columns
}

// cells writes what a stranger may have written as text, and what is a number
// as a number.
func (w *statementWriter) cells(e entryDocument) []string {
	var by, at []string
	for _, a := range e.Approvals {
		by, at = append(by, person(a.By, a.Verified)), append(at, stamp(a.At))
	}
	var r resolutionDocument
	resolvedBy := ""
	if e.Resolution != nil {
		r = *e.Resolution
		resolvedBy = person(r.By, r.Verified)
	}
	cells := []string{
		stamp(e.At), e.RewardID.String(), cell(string(e.State)), cell(string(e.Money)),
		strconv.FormatInt(e.Quantity.Amount, 10), cell(string(e.Quantity.Unit)), cell(e.Quantity.Currency), e.Decimal,
		cell(e.Provider), cell(e.Reference), cell(strings.Join(e.OtherReferences, "; ")),
		cell(e.Key), strconv.Itoa(e.Generation), cell(e.Destination),
		strconv.FormatInt(e.Promoter.ID, 10), cell(e.Promoter.CustID), strconv.FormatInt(e.Campaign.ID, 10), cell(e.Campaign.Name),
		cell(strings.Join(by, "; ")), strings.Join(at, "; "), cell(e.Rule), cell(e.PolicyVersion),
		strconv.FormatBool(e.ByHand), cell(string(r.Action)), cell(resolvedBy), stamp(r.At), cell(r.Reference), cell(r.Evidence), cell(r.Comment),
		stamp(e.ReservedAt), stamp(e.FirstSentAt), stamp(e.LastSentAt), stamp(e.PaidAt), stamp(e.ReturnedAt), stamp(e.ClosedAt),
		cell(string(e.Status)), cell(e.Detail),
	}
	if w.email {
		cells = append(cells, cell(e.Promoter.Email))
	}
	return cells
}

func person(name string, verified bool) string {
	if !verified {
		return name + " (unverified)"
	}
	return name
}

// formulas are the characters with which a spreadsheet lets a formula begin,
// and their wide forms, which some take for the same
// (https://owasp.org/www-community/attacks/CSV_Injection).
const formulas = "=+-@＝＋－＠"

// cell makes a text safe in a spreadsheet and on a terminal: one line, no
// control characters, and an apostrophe before whatever could be a formula.
// That may also be within the text, behind a semicolon: where the comma is the
// decimal point, a spreadsheet may take semicolons for the ends of cells.
func cell(s string) string {
	controlled := strings.HasPrefix(s, "\t") || strings.HasPrefix(s, "\r")
	var out strings.Builder
	begins := true
	for i, r := range plain(s) {
		if begins && (strings.ContainsRune(formulas, r) || i == 0 && controlled) {
			out.WriteByte('\'')
		}
		out.WriteRune(r)
		begins = r == ';' || begins && (r == ' ' || r == '"')
	}
	return out.String()
}
