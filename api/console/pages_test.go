package console_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Every page, in both themes and two widths: axe-core finds nothing, nothing is
// wider than the screen.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.seed(t)
	_, err := w.ledger.Decide(context.Background(), reward.Decision{
		ID: "1", RewardID: 2900001, By: "bob", Verified: true, Roles: []string{"finance"}, Lane: reward.LaneAPI,
		Verdict: reward.Approve, Comment: "seen the contract", Digest: mustReward(t, w, 2900001).Digest,
	}, false)
	require.NoError(t, err)
	require.NoError(t, w.ledger.SetBrake(context.Background(), ledger.BrakeState{
		Scope: "billing", Paused: true, Reason: "an incident at Stripe", By: "olga", At: w.clock(),
	}))
	b := newBrowser(t, w)
	b.looks(t, "login", "/console/login")
	b.signIn(t, "root")
	for name, path := range map[string]string{
		"inbox": "/console/", "attention": "/console/?queue=attention", "done": "/console/?queue=done", "empty": "/console/?queue=others",
		"reward": "/console/rewards/2900001", "refused": "/console/rewards/2900003", "quarantined": "/console/rewards/90000003",
		"fulfilled": "/console/rewards/2800001", "brake": "/console/brake", "sessions": "/console/sessions", "missing": "/console/rewards/7",
	} {
		b.looks(t, name, path)
	}
	b.open(t, "/console/")
	b.click(t, ".menu summary")
	b.looks(t, "menu", "")
	b.open(t, "/console/")
	b.press(t, "?")
	b.until(t, `document.getElementById("help").open`)
	b.looks(t, "help", "")
	b.open(t, "/console/")
	b.click(t, "#pick-all")
	b.click(t, "#bulk")
	b.until(t, `document.getElementById("count")`)
	b.looks(t, "approve", "")
}

func mustReward(t *testing.T, w *world, id reward.ID) ledger.Record {
	t.Helper()
	r, err := w.ledger.Reward(context.Background(), id)
	require.NoError(t, err)
	return r
}

// looks checks a page, the current one when the path is empty, and takes its
// pictures.
func (b *browser) looks(t *testing.T, name, path string) {
	t.Helper()
	if path != "" {
		b.open(t, path)
	}
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			b.do(t, emulated(theme), chromedp.EmulateViewport(width, 900))
			b.requireSound(t, fmt.Sprintf("%s, %s, %d px", name, theme, width), width)
			if dir := os.Getenv(screenshotsVariable); dir != "" {
				b.picture(t, filepath.Join(dir, fmt.Sprintf("%s-%s-%d.png", name, theme, width)))
			}
		}
	}
	b.do(t, chromedp.EmulateViewport(1280, 900))
}

// emulated is a system that prefers a theme.
func emulated(theme string) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
		})
		return err
	})
}

func (b *browser) requireSound(t *testing.T, what string, width int64) {
	t.Helper()
	// A page that is narrower has the same elements in the same colours.
	if width > 1000 {
		b.requireAccessible(t, what)
	}
	wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
	require.NoError(t, err)
	require.LessOrEqual(t, wide, width, "%s is wider than the screen", what)
}

func (b *browser) requireAccessible(t *testing.T, what string) {
	t.Helper()
	if b.plain {
		// The checker needs timers. A page that was loaded without scripts runs
		// none of its own when they are allowed again.
		b.requireUnscripted(t)
		b.do(t, scripts(true))
		defer func() {
			b.requireUnscripted(t)
			b.do(t, scripts(false))
		}()
	}
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`window.axe || (()=>{`+b.axe+`})(); axe.run(document, {resultTypes: ["violations"]}).then(r =>
		r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html + " " + n.failureSummary).join("\n")).join("\n\n"))`, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	require.Empty(t, found, what)
}

func (b *browser) picture(t *testing.T, file string) {
	t.Helper()
	png, err := chromedp.Run(b.ctx, func(ctx context.Context, tab *chromedp.Target) ([]byte, error) {
		shot, err := cdp.Call(ctx, tab, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: ptr(true)})
		return shot.Data, err
	})
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, png, 0o644))
}
