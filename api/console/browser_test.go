package console_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Variables of the environment. The first makes a missing browser a failure,
// the second names a directory for pictures of every page.
const (
	browserVariable     = "REWARDFLOW_BROWSER"
	screenshotsVariable = "REWARDFLOW_SCREENSHOTS"
)

// browser is one tab of a real browser before a world.
type browser struct {
	ctx   context.Context
	world *world
	axe   string
	// plain says that pages run no scripts.
	plain bool
}

// newBrowser opens Debian's Chromium, or what stands in for it.
func newBrowser(t *testing.T, w *world) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		if os.Getenv(browserVariable) == "required" {
			t.Fatal("there is no browser: install chromium")
		}
		t.Skip("there is no browser, so the console was not opened in one: install chromium")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
	}
	allocator, closeAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(closeAllocator)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	// The browser lives as long as the first context that it is run with.
	require.NoError(t, chromedp.Do(tab))
	ctx, cancel := context.WithTimeout(tab, 8*time.Minute)
	t.Cleanup(cancel)
	return &browser{ctx: ctx, world: w, axe: axe(t)}
}

// axe returns the checker, whose hash is that of the file in axe-core 4.14.1 on npm.
func axe(t *testing.T) string {
	t.Helper()
	packed, err := os.ReadFile("testdata/axe-4.14.1.min.js.gz")
	require.NoError(t, err)
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	source, err := io.ReadAll(unpacked)
	require.NoError(t, err)
	sum := sha256.Sum256(source)
	require.Equal(t, axeSHA256, hex.EncodeToString(sum[:]))
	return string(source)
}

// step is one action that returns nothing.
type step = chromedp.Action[chromedp.Void]

func (b *browser) do(t *testing.T, steps ...step) {
	t.Helper()
	for i, action := range steps {
		limited, cancel := context.WithTimeout(b.ctx, 30*time.Second)
		err := chromedp.Do(limited, action)
		cancel()
		if err != nil {
			require.NoError(t, err, "step %d, on the page:\n%s", i+1, b.text())
		}
	}
}

// text is what the page says.
func (b *browser) text() string {
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return "(not readable)"
	}
	return text
}

func (b *browser) open(t *testing.T, path string) {
	t.Helper()
	b.do(t, chromedp.Navigate(b.world.url+path), chromedp.WaitReady(css("main")))
}

func css(selector string) chromedp.CSS { return chromedp.CSS(selector) }

// until waits for what a script says of the page, whichever page that is by
// then: a script does not outlive its page.
func (b *browser) until(t *testing.T, condition string) {
	t.Helper()
	if !assert.Eventually(t, func() bool {
		holds, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`!!(`+condition+`)`))
		return err == nil && holds
	}, 30*time.Second, 20*time.Millisecond) {
		t.Fatalf("never true: %s. The page says:\n%s", condition, b.text())
	}
}

// shows waits until the page says something.
func (b *browser) shows(t *testing.T, words string) {
	t.Helper()
	quoted, err := json.Marshal(words)
	require.NoError(t, err)
	b.until(t, fmt.Sprintf(`document.readyState === "complete" && document.body.innerText.includes(%s)`, quoted))
}

// focused waits until an element has the focus.
func (b *browser) focused(t *testing.T, id string) {
	t.Helper()
	b.until(t, fmt.Sprintf(`document.activeElement?.id === %q`, id))
}

// press types a key at the page, once it listens to keys that decide.
func (b *browser) press(t *testing.T, key string) {
	t.Helper()
	// The script runs before that event, however long the page was on its way.
	b.until(t, `document.readyState === "complete" &&
		performance.now() - performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd > 900`)
	down := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: key}
	switch key {
	case "Enter":
		down.Text, down.WindowsVirtualKeyCode = "\r", 13
	case "Escape":
		down.Text, down.WindowsVirtualKeyCode = "", 27
	}
	up := down
	up.Type, up.Text = input.DispatchKeyEventTypeKeyUp, ""
	b.do(t, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, input.DispatchKeyEvent, down)
		if err == nil {
			_, err = cdp.Call(ctx, tab, input.DispatchKeyEvent, up)
		}
		return err
	}))
}

func ptr[T any](v T) *T { return &v }

func (b *browser) click(t *testing.T, selector string) {
	t.Helper()
	b.do(t, chromedp.Click(css(selector)))
}

func (b *browser) write(t *testing.T, selector, text string) {
	t.Helper()
	b.do(t, chromedp.SendKeys(css(selector), text))
}

func (b *browser) signIn(t *testing.T, name string) {
	t.Helper()
	b.open(t, "/console/")
	b.write(t, "#token", token(name)+kb.Enter)
	b.shows(t, "Needs you")
}

// decision waits until somebody's decision about a reward is in the ledger.
func (b *browser) decision(t *testing.T, id reward.ID) ledger.Recorded {
	t.Helper()
	made, err := b.world.ledger.DecisionsOf(context.Background(), id)
	require.NoError(t, err)
	require.Len(t, made, 1)
	return made[0]
}

func TestInARealBrowser(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.seed(t)
	b := newBrowser(t, w)

	b.open(t, "/console/brake")
	b.shows(t, "Your operator's token")
	b.write(t, "#token", token("root")+kb.Enter)
	b.shows(t, "A paused brake lets no payout begin") // Signing in leads to where one wanted to go.
	b.open(t, "/console/")
	b.shows(t, "2900021")

	// One key opens, one key approves.
	for _, key := range []string{"j", "j", "k"} {
		b.press(t, key)
	}
	b.focused(t, "open-2900010")
	b.press(t, "Enter")
	b.shows(t, "What approving does")
	b.press(t, "a")
	b.shows(t, "Your approval is recorded.")
	made := b.decision(t, 2900010)
	require.Equal(t, reward.Approve, made.Verdict)
	require.True(t, made.Counted && made.Verified)
	require.Equal(t, "root", made.By)
	require.Equal(t, reward.LaneConsole, made.Lane)

	// The next one is one key away, and is rejected with a reason.
	b.focused(t, "next")
	b.press(t, "Enter")
	b.until(t, `document.getElementById("reject-comment")`)
	b.press(t, "r")
	b.focused(t, "reject-comment")
	b.do(t, chromedp.KeyEvent("a refund, so no"))
	b.click(t, ".reject .danger")
	b.shows(t, "Your rejection is recorded.")
	require.Equal(t, "a refund, so no", b.decision(t, 2900011).Comment)
	require.Equal(t, reward.Rejected, mustReward(t, w, 2900011).Status)

	// All others of the page at once, after their count was typed.
	b.open(t, "/console/")
	b.click(t, "#pick-all")
	b.click(t, "#bulk")
	b.shows(t, "Approve 12 rewards?")
	b.shows(t, "125.00 USD")
	b.write(t, "#count", "11"+kb.Enter)
	b.shows(t, "Nothing was approved")
	b.write(t, "#count", "12"+kb.Enter)
	b.shows(t, "12 of 12 approvals count")

	b.open(t, "/console/?queue=attention")
	b.click(t, "#open-2900003")
	b.click(t, "#action-retry")
	b.click(t, ".resolve button.primary")
	b.shows(t, "Your instruction was carried out.")
	b.shows(t, "verifying")

	b.open(t, "/console/brake")
	b.write(t, "#reason-4", "an incident at the provider"+kb.Enter)
	b.shows(t, "Payouts are paused.")
	b.shows(t, "by root")
	require.Len(t, brakes(t, w), 1)
	require.True(t, brakes(t, w)[0].Paused)
	b.click(t, `button[value=resume]`)
	b.shows(t, "Payouts go on.")
	require.False(t, brakes(t, w)[0].Paused)
}

func brakes(t *testing.T, w *world) []ledger.BrakeState {
	t.Helper()
	states, err := w.ledger.Brakes(context.Background())
	require.NoError(t, err)
	return states
}

// A list renews itself, keeps its hands off a selection, and can be paused.
func TestListRenewsItself(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.awaiting(t, 1, reward.Quantity{Amount: 3, Unit: reward.Credits})
	b := newBrowser(t, w)
	b.signIn(t, "alice")
	b.until(t, `document.getElementById("list").matches("[hx-trigger='every 10s']")`)
	renew := func() {
		t.Helper()
		const now = `htmx.ajax("GET", "/console/?queue=mine&part=list", {target: "#list", swap: "outerHTML", source: "#list"})`
		_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](now+`.then(() => true, () => true)`, chromedp.EvalAwaitPromise))
		require.NoError(t, err)
	}

	w.awaiting(t, 2, reward.Quantity{Amount: 4, Unit: reward.Credits})
	renew()
	b.shows(t, "4 credits")
	b.until(t, `document.getElementById("announce").textContent === "2 need you"`)

	b.click(t, "#pick-2")
	w.awaiting(t, 3, reward.Quantity{Amount: 5, Unit: reward.Credits})
	renew()
	require.NotContains(t, b.text(), "5 credits", "what somebody selected stays")

	b.click(t, ".live button")
	b.shows(t, "Live updates are paused")
	b.until(t, `!document.getElementById("list").hasAttribute("hx-trigger")`)
}

func TestShortcutsCanBeSwitchedOff(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.awaiting(t, 1, reward.Quantity{Amount: 3, Unit: reward.Credits})
	b := newBrowser(t, w)
	b.signIn(t, "alice")
	b.press(t, "?")
	b.until(t, `document.getElementById("help").open`)
	b.press(t, "Escape")
	b.until(t, `!document.getElementById("help").open`)
	b.press(t, "/")
	b.focused(t, "search")
	b.do(t, chromedp.KeyEvent("j?a"))
	b.until(t, `document.getElementById("search").value === "j?a"`)

	b.click(t, ".menu summary")
	b.click(t, `button[name=keys][value=off]`)
	b.until(t, `!document.body.hasAttribute("data-keys")`)
	b.open(t, "/console/rewards/1")
	b.press(t, "a")
	b.press(t, "?")
	b.until(t, `!document.getElementById("help").open`)
	made, err := w.ledger.DecisionsOf(context.Background(), 1)
	require.NoError(t, err)
	require.Empty(t, made)
}
