package console_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// scripts lets pages run scripts, or not. What DevTools evaluates is run all
// the same; its timers and promises are not.
func scripts(run bool) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !run})
		return err
	})
}

// requireUnscripted shows that none of the page's own scripts ran.
func (b *browser) requireUnscripted(t *testing.T) {
	t.Helper()
	const ran = `document.scripts.length !== 2 || typeof htmx !== "undefined" || document.getElementById("pick-all")?.hidden === false`
	scripted, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](ran))
	require.NoError(t, err)
	require.False(t, scripted, "a script of the page ran")
}

// tabTo goes to an element as a keyboard does, and requires that whoever goes
// there sees where they are.
func (b *browser) tabTo(t *testing.T, selector string) {
	t.Helper()
	const seen = `(() => {
		const at = document.activeElement, box = at.getBoundingClientRect();
		if (at === document.body) return "";
		if (!at.matches(":focus-visible")) return "no visible focus: " + at.outerHTML;
		const over = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
		if (!at.contains(over) && !over?.contains(at)) return "covered: " + at.outerHTML + " by " + over?.outerHTML;
		return at.matches(%q) ? "there" : "";
	})()`
	for range 150 {
		b.do(t, chromedp.KeyEvent(kb.Tab))
		at, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf(seen, selector)))
		require.NoError(t, err)
		if at == "there" {
			return
		}
		require.Empty(t, at)
	}
	t.Fatalf("Tab never leads to %s. The page says:\n%s", selector, b.text())
}

// push goes to a link or a button, and presses it.
func (b *browser) push(t *testing.T, selector string) {
	t.Helper()
	b.tabTo(t, selector)
	b.do(t, chromedp.KeyEvent(kb.Enter))
}

// The journey of TestInARealBrowser with scripts switched off, by Tab, Enter
// and the space bar alone; and each of its pages looks right.
func TestInARealBrowserWithoutJavaScript(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.seed(t)
	b := newBrowser(t, w)
	b.open(t, "/console/login")
	b.until(t, `typeof htmx === "object"`) // With scripts, there would be some.
	b.do(t, scripts(false))
	b.plain = true

	b.open(t, "/console/brake")
	b.focused(t, "token")
	b.looks(t, "plain-login", "")
	b.do(t, chromedp.KeyEvent(token("root")+kb.Enter))
	b.shows(t, "A paused brake lets no payout begin")
	b.push(t, `nav a[href="/console/"]`)
	b.shows(t, "2900021")
	b.until(t, `!["#pick-all", ".live"].some((s) => document.querySelector(s).checkVisibility())`) // They do nothing here.
	b.looks(t, "plain-inbox", "")
	b.do(t, chromedp.KeyEvent("?"))
	b.until(t, `!document.getElementById("help").open`)

	b.push(t, "#open-2900010")
	b.shows(t, "What approving does")
	b.until(t, `!document.querySelector("#approve-button kbd").checkVisibility()`)
	b.looks(t, "plain-reward", "")
	b.push(t, "#approve-button")
	b.shows(t, "Your approval is recorded.")
	b.looks(t, "plain-decided", "")
	require.Equal(t, reward.Approved, mustReward(t, w, 2900010).Status)

	b.focused(t, "next")
	b.do(t, chromedp.KeyEvent(kb.Enter))
	b.shows(t, "Reward 2900011")
	b.tabTo(t, "#reject-comment")
	b.do(t, chromedp.KeyEvent("a refund, so no"))
	b.push(t, ".reject .danger")
	b.shows(t, "Your rejection is recorded.")
	require.Equal(t, "a refund, so no", b.decision(t, 2900011).Comment)
	require.Equal(t, reward.Rejected, mustReward(t, w, 2900011).Status)

	b.approveTheRestPlainly(t)
	b.instructPlainly(t)
	b.brakePlainly(t)

	b.push(t, ".menu summary")
	b.looks(t, "plain-menu", "")
	b.push(t, "button[value=dark]")
	b.until(t, `document.documentElement.dataset.theme === "dark"`)
	b.push(t, ".menu summary")
	b.push(t, `form[action="/console/logout"] button`)
	b.shows(t, "Your operator's token")
	b.requireUnscripted(t)
}

func (b *browser) approveTheRestPlainly(t *testing.T) {
	t.Helper()
	b.push(t, `nav a[href="/console/"]`)
	b.shows(t, "2900021")
	for _, id := range []reward.ID{
		2900012, 2900013, 2900014, 2900015, 2900016, 2900017, 2900018, 2900019, 2900020, 2900021, 2900002, 2900001,
	} {
		b.tabTo(t, "#pick-"+id.String())
		b.do(t, chromedp.KeyEvent(" "))
	}
	b.push(t, "#bulk")
	b.shows(t, "Approve 12 rewards?")
	b.shows(t, "125.00 USD")
	b.looks(t, "plain-approve", "")
	b.focused(t, "count")
	b.do(t, chromedp.KeyEvent("11"+kb.Enter))
	b.shows(t, "Nothing was approved")
	b.looks(t, "plain-miscounted", "")
	b.focused(t, "count")
	b.do(t, chromedp.KeyEvent("12"+kb.Enter))
	b.shows(t, "12 of 12 approvals count")
	b.looks(t, "plain-approved", "")
	require.Equal(t, reward.Approved, mustReward(t, b.world, 2900012).Status)
}

func (b *browser) instructPlainly(t *testing.T) {
	t.Helper()
	b.push(t, `nav a[href="/console/"]`)
	b.shows(t, "Needs you")
	b.push(t, "[data-queue=attention]")
	b.shows(t, "no customer with this ID")
	b.push(t, "#open-2900003")
	b.shows(t, "What shall be done?")
	b.looks(t, "plain-attention", "")
	b.tabTo(t, "[name=action]")
	b.do(t, chromedp.KeyEvent(" "))
	b.until(t, `document.getElementById("action-retry").checked`)
	b.push(t, ".resolve button.primary")
	b.shows(t, "Your instruction was carried out.")
	b.shows(t, "verifying")
	b.looks(t, "plain-instructed", "")
}

func (b *browser) brakePlainly(t *testing.T) {
	t.Helper()
	b.push(t, `nav a[href="/console/brake"]`)
	b.shows(t, "A paused brake lets no payout begin")
	b.tabTo(t, "#reason-4")
	b.do(t, chromedp.KeyEvent("an incident at the provider"+kb.Enter))
	b.shows(t, "Payouts are paused.")
	b.shows(t, "by root")
	require.True(t, brakes(t, b.world)[0].Paused)
	b.looks(t, "plain-paused", "")
	b.push(t, "button[value=resume]")
	b.shows(t, "Payouts go on.")
	require.False(t, brakes(t, b.world)[0].Paused)
}
