// Package report makes docs/benchmarks.md of a run. Every figure, and every
// sentence that judges, is made of the run, so that the page cannot say what was
// not measured.
package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"text/template"
	"time"

	"github.com/rewardflow/rewardflow/bench/internal/contest"
)

// Report is one run.
type Report struct {
	Day    time.Time
	Cores  int
	System string
	Go     string
	// Sync is how long the disk takes for one small write.
	Sync    time.Duration
	Options contest.Options
	Results []contest.Result
}

//go:embed benchmarks.md.tmpl
var page string

// Markdown returns the page.
func (r Report) Markdown() ([]byte, error) {
	parsed, err := template.New("benchmarks.md").Option("missingkey=error").Parse(page)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, r)
	return out.Bytes(), err
}

// Date is the day of the run.
func (r Report) Date() string { return r.Day.Format("2 January 2006") }

// Command repeats the run.
func (r Report) Command() string {
	o := r.Options
	return fmt.Sprintf("cd bench && go run . -rewards %d -concurrency %d -rounds %d -warmup %d -kills %d -batch %d -seed %d -out ../docs/benchmarks.md",
		o.Rewards, o.Concurrency, o.Rounds, o.Warmup, o.Kills, o.Batch, o.Seed)
}

// Quiet is how long nothing may happen before something counts as lost, in words.
func (r Report) Quiet() string { return span(r.Options.Quiet) }

// SyncTime is the disk's, in words.
func (r Report) SyncTime() string { return span(r.Sync) }

// Row is one contender's line in the tables.
type Row struct {
	Title string
	// Skipped is why there are no figures.
	Skipped string

	accepted, fulfilled  float64
	slowest, quickest    float64
	p50, p99             time.Duration
	cost                 contest.Cost
	killed               *contest.Kills
	ours, postgres, safe bool
}

// Rows returns all contenders' lines.
func (r Report) Rows() []Row {
	rows := make([]Row, len(r.Results))
	for i, result := range r.Results {
		rows[i] = newRow(result)
	}
	return rows
}

func newRow(result contest.Result) Row {
	c := result.Contender
	row := Row{
		Title: c.Title, Skipped: result.Skipped, cost: result.Cost, killed: result.Kills,
		ours: c.Peer == "", postgres: c.Postgres, safe: result.Kills == nil || result.Kills.Lost == 0 && result.Kills.PaidTwice == 0,
	}
	sum := contest.Sum(result.Rounds)
	row.accepted, row.fulfilled = sum.Accepted, sum.Fulfilled
	row.slowest, row.quickest = sum.Slowest, sum.Quickest
	row.p50, row.p99 = sum.P50, sum.P99
	return row
}

// Accepted and the other methods of Row are the cells of the tables.
func (r Row) Accepted() string { return number(r.accepted) }

// Fulfilled is the median of the rounds, with the slowest and the quickest.
func (r Row) Fulfilled() string {
	return fmt.Sprintf("%s (%s to %s)", number(r.fulfilled), number(r.slowest), number(r.quickest))
}

// P50 is how long half of the answers took at most.
func (r Row) P50() string { return span(r.p50) }

// P99 is how long 99 of 100 answers took at most.
func (r Row) P99() string { return span(r.p99) }

// Memory is the process's, in MiB.
func (r Row) Memory() string {
	if r.cost.Memory == 0 {
		return "not known"
	}
	return number(float64(r.cost.Memory)/(1<<20)) + " MiB"
}

// Bytes is what the databases grow by one reward.
func (r Row) Bytes() string {
	if r.cost.Bytes <= 0 {
		return "none"
	}
	return number(r.cost.Bytes/1024) + " KiB"
}

// Actions is what Temporal bills for one reward.
func (r Row) Actions() string { return orNone(r.cost.Actions) }

// Events is what Temporal keeps of one reward.
func (r Row) Events() string { return orNone(r.cost.Events) }

func orNone(value float64) string {
	if value == 0 {
		return "–"
	}
	return number(value)
}

// Killed is what became of the rewards under the kills; nil without kills.
func (r Row) Killed() *contest.Kills { return r.killed }

// Serving is how long a start took.
func (r Row) Serving() string { return span(r.killed.Serving) }

// Recovered is how long it took after the last kill until all was done.
func (r Row) Recovered() string {
	if r.killed.Lost > 0 {
		return "never"
	}
	return span(r.killed.Recovered)
}

// number shows three digits that matter.
func number(value float64) string {
	if math.Abs(value) >= 1000 {
		digits := strconv.FormatFloat(math.Round(value/10)*10, 'f', 0, 64)
		return digits[:len(digits)-3] + "," + digits[len(digits)-3:]
	}
	if value >= 100 || value == math.Trunc(value) {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	return strconv.FormatFloat(value, 'f', 1, 64)
}

func span(d time.Duration) string {
	if d >= time.Second {
		return number(d.Seconds()) + " s"
	}
	return number(float64(d)/float64(time.Millisecond)) + " ms"
}
