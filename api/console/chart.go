package console

import (
	"cmp"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
)

// The sizes of the bars, in the units of the drawing.
const (
	barStep   = 14
	barHeight = 36
	ageWidth  = 100
)

// paidChart is what was paid in one unit, by day.
type paidChart struct {
	Unit  string
	Total int64
	Today int64
	Bars  []bar
}

// bar is one day.
type bar struct {
	X, Y, Height int
	Title        string
}

// paidCharts draws one chart for each unit, from chartDays back to today.
func paidCharts(totals []ledger.DayTotal, today time.Time) []paidChart {
	first := today.AddDate(0, 0, 1-chartDays)
	days := map[string]*[chartDays]int64{}
	for _, t := range totals {
		i := int(t.Day.Sub(first) / (24 * time.Hour))
		if i < 0 || i >= chartDays {
			continue
		}
		if days[t.Unit] == nil {
			days[t.Unit] = &[chartDays]int64{}
		}
		days[t.Unit][i] += t.Amount
	}
	var charts []paidChart
	for unit, amounts := range days {
		chart := paidChart{Unit: unit, Today: amounts[chartDays-1]}
		highest := slices.Max(amounts[:])
		for i, n := range amounts {
			height := scaled(n, highest, barHeight)
			chart.Total += n
			chart.Bars = append(chart.Bars, bar{
				X: i * barStep, Y: barHeight - height, Height: height,
				Title: first.AddDate(0, 0, i).Format("2 January") + ": " + amount(unit, n),
			})
		}
		charts = append(charts, chart)
	}
	slices.SortFunc(charts, func(a, b paidChart) int { return cmp.Compare(a.Unit, b.Unit) })
	return charts
}

// scaled returns a length, at least 1 for what is not nothing.
func scaled(n, highest int64, length int) int {
	if n <= 0 || highest <= 0 {
		return 0
	}
	return max(int(float64(n)/float64(highest)*float64(length)), 1)
}

// ageBar counts what people are asked about by how long ago it came in.
type ageBar struct {
	Label string
	Count int
	Width int
	// Late says that it is time to look.
	Late bool
}

func ageBars(hours []ledger.HourCount, now time.Time) []ageBar {
	const day = 24 * time.Hour
	bars := []ageBar{
		{Label: "under 4 h"}, {Label: "under 1 d"}, {Label: "under 3 d"}, {Label: "under 7 d", Late: true}, {Label: "older", Late: true},
	}
	limits := []time.Duration{4 * time.Hour, day, 3 * day, 7 * day}
	for _, h := range hours {
		age := now.Sub(h.Hour)
		i := slices.IndexFunc(limits, func(limit time.Duration) bool { return age < limit })
		if i < 0 {
			i = len(limits)
		}
		bars[i].Count += h.Count
	}
	highest := slices.MaxFunc(bars, func(a, b ageBar) int { return cmp.Compare(a.Count, b.Count) }).Count
	if highest == 0 {
		return nil
	}
	for i := range bars {
		bars[i].Width = scaled(int64(bars[i].Count), int64(highest), ageWidth)
	}
	return bars
}
