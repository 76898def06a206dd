package cli

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress returns a bar for something that takes a while, which goes away when
// it is full or left. It is drawn where a person reads standard error, and
// nowhere else: a log is no place for it.
func (p *Program) progress(what string, of int) *progressbar.ProgressBar {
	return progressbar.NewOptions(of,
		progressbar.OptionSetWriter(p.env.Stderr),
		progressbar.OptionSetVisibility(p.env.StderrTerminal),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetRenderBlankState(true),
		progressbar.OptionClearOnFinish(),
	)
}
