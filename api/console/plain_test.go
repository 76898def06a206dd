package console_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The browser's test, without JavaScript.
func TestEverythingWorksWithoutJavaScript(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.seed(t)
	r := newReader(t, w).signIn(t, "root")
	require.Contains(t, r.text, "Needs you 14")

	r.open(t, "/console/rewards/2900010")
	require.Contains(t, r.text, "your service, for the customer cus_00001")
	r.send(t, "Approve", nil)
	require.Contains(t, r.text, "Your approval is recorded.")
	require.Equal(t, reward.Approved, mustReward(t, w, 2900010).Status)

	r.open(t, "/console/rewards/2900011")
	r.send(t, "Reject", nil)
	require.Equal(t, http.StatusBadRequest, r.status)
	require.Contains(t, r.text, "A rejection needs a reason")
	r.send(t, "Reject", url.Values{"comment": {"a refund"}})
	require.Contains(t, r.text, "Your rejection is recorded.")
	require.Equal(t, reward.Rejected, mustReward(t, w, 2900011).Status)

	r.open(t, "/console/")
	picks := r.every("pick")
	require.Len(t, picks, 12)
	r.send(t, "Approve selected…", url.Values{"pick": picks})
	require.Contains(t, r.text, "Approve 12 rewards?")
	require.Contains(t, r.text, "15,550 credits in 11 rewards")
	require.Contains(t, r.text, "125.00 USD in 1 reward")
	r.send(t, "Approve 12", nil)
	require.Equal(t, http.StatusBadRequest, r.status)
	require.Contains(t, r.text, "type 12 to approve")
	r.send(t, "Approve 12", url.Values{"count": {"12"}})
	require.Contains(t, r.text, "12 of 12 approvals count")
	require.Equal(t, reward.Approved, mustReward(t, w, 2900012).Status)
	require.Equal(t, reward.AwaitingApproval, mustReward(t, w, 2900001).Status, "that one needs two")

	r.open(t, "/console/rewards/2900003")
	r.send(t, "Do it", url.Values{"action": {"paid"}})
	require.Contains(t, r.text, "The reference is missing")
	r.send(t, "Do it", url.Values{"action": {"reroute"}, "provider": {"billing"}})
	require.Equal(t, http.StatusConflict, r.status)
	require.Contains(t, r.text, "there is no payout that was refused")
	r.send(t, "Do it", url.Values{"action": {"retry"}})
	require.Contains(t, r.text, "Your instruction was carried out.")

	r.open(t, "/console/brake")
	r.send(t, "Pause", url.Values{"reason": {"an incident"}})
	require.Contains(t, r.text, "Nothing is paid.")
	require.True(t, brakes(t, w)[0].Paused)
	require.Equal(t, "root", brakes(t, w)[0].By)
	r.send(t, "Resume", nil)
	require.Contains(t, r.text, "Payouts go on.")

	r.send(t, "Dark", nil)
	require.Equal(t, "/console/brake", r.path, "a preference leads back")
	r.send(t, "Sign out", nil)
	r.open(t, "/console/")
	require.Equal(t, "/console/login", r.path)
}

// Whoever may not do something is told so, and nothing is done.
func TestEveryRowAdmitsItsRolesAndNobodyElse(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.awaiting(t, 7, reward.Quantity{Amount: 3, Unit: reward.Credits})
	decides, operates, everybody := []string{"alice", "bob", "root"}, []string{"olga", "root"}, []string{"alice", "bob", "olga", "vera", "root"}
	for row, may := range map[string][]string{
		"GET /console/":                      everybody,
		"GET /console/rewards/7":             everybody,
		"GET /console/brake":                 everybody,
		"GET /console/sessions":              {"root"},
		"POST /console/rewards/7/decision":   decides,
		"POST /console/approve":              decides,
		"POST /console/approve/confirmed":    decides,
		"POST /console/rewards/7/resolve":    operates,
		"POST /console/brake":                operates,
		"POST /console/sessions/nothing/end": {"root"},
	} {
		method, path, _ := strings.Cut(row, " ")
		for _, name := range everybody {
			req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, nil)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+token(name))
			client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			res, err := client.Do(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			denied := true
			for _, m := range may {
				denied = denied && m != name
			}
			require.Equal(t, denied, res.StatusCode == http.StatusForbidden, "%s as %s: %d", row, name, res.StatusCode)
		}
		req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, nil)
		require.NoError(t, err)
		res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		if method == http.MethodGet {
			require.Equal(t, http.StatusSeeOther, res.StatusCode, row)
		} else {
			require.Equal(t, http.StatusUnauthorized, res.StatusCode, row)
		}
	}
	made, err := w.ledger.DecisionsOf(context.Background(), 7)
	require.NoError(t, err)
	require.Empty(t, made)
}

// What is shown is what is approved: a reward that changes between the page and
// the click is not.
func TestSwappedBetweenPageAndClickIsNotApproved(t *testing.T) {
	t.Parallel()

	for name, swap := range map[string]func(*reward.Reward, *string){
		"amount":      func(r *reward.Reward, _ *string) { r.Quantity.Amount = 3000 },
		"promoter":    func(r *reward.Reward, _ *string) { r.Promoter.ID = 666 },
		"destination": func(r *reward.Reward, _ *string) { r.Promoter.CustID = "cus_evil" },
		"provider":    func(_ *reward.Reward, provider *string) { *provider = "payouts" },
	} {
		w := newWorld(t)
		shown := w.awaiting(t, 7, reward.Quantity{Amount: 3, Unit: reward.Credits})
		one, many := newReader(t, w).signIn(t, "alice"), newReader(t, w).signIn(t, "alice")
		one.open(t, "/console/rewards/7")
		many.send(t, "Approve selected…", url.Values{"pick": many.every("pick")})
		list := newReader(t, w).signIn(t, "alice")

		provider := "team"
		swap(&shown, &provider)
		w.assess(t, shown, provider, reward.AwaitingApproval, "rule 2")

		one.send(t, "Approve", nil)
		require.Equal(t, http.StatusConflict, one.status, name)
		require.Contains(t, one.text, "recorded and does not count: the reward is not what was shown", name)
		many.send(t, "Approve 1 reward", nil)
		require.Contains(t, many.text, "0 of 1 approvals count", name)
		list.send(t, "Approve selected…", url.Values{"pick": list.every("pick")})
		require.Contains(t, list.text, "1 of those you selected changed", name)
		require.Equal(t, reward.AwaitingApproval, mustReward(t, w, 7).Status, name)
	}
}

func TestFormSentTwiceIsOneDecision(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.awaiting(t, 7, reward.Quantity{Amount: 3, Unit: reward.Credits}, func(a *ledger.Assessment) { a.Approvals = 2 })
	r := newReader(t, w).signIn(t, "alice")
	r.open(t, "/console/rewards/7")
	page := r.last
	r.send(t, "Approve", nil)
	require.Contains(t, r.text, "Your approval is recorded.")
	r.last = page
	r.send(t, "Approve", nil)
	require.Contains(t, r.text, "Your approval is recorded.", "the answer is the same")
	made, err := w.ledger.DecisionsOf(context.Background(), 7)
	require.NoError(t, err)
	require.Len(t, made, 1)
	require.Contains(t, r.text, "You have decided already")
	r.open(t, "/console/")
	require.Contains(t, r.text, "Needs you 0")
	require.Contains(t, r.text, "Waits for others 1")
}

func TestWhomThePolicyKeepsOutIsToldAndNotAsked(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.awaiting(t, 7, reward.Quantity{Amount: 800, Unit: reward.Credits}, func(a *ledger.Assessment) { a.Excluded = []string{"Root"} })
	r := newReader(t, w).signIn(t, "root")
	require.Contains(t, r.text, "Needs you 0")
	require.Contains(t, r.text, "Waits for others 1")
	r.open(t, "/console/rewards/7")
	require.Contains(t, r.text, "you may not decide about this reward")
	require.NotContains(t, r.text, "Reason of a rejection")
}

// Approvals are taken while no workflow can be reached, and are delivered later.
func TestDecisionCountsWhileNoWorkerAnswers(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.flows.down = true
	w.awaiting(t, 7, reward.Quantity{Amount: 3, Unit: reward.Credits})
	r := newReader(t, w).signIn(t, "alice")
	r.open(t, "/console/rewards/7")
	r.send(t, "Approve", nil)
	require.Contains(t, r.text, "Your approval is recorded.")
	require.Contains(t, r.text, "Enough people approved. Its workflow goes on as soon as a worker is free.")
	r.open(t, "/console/")
	require.Contains(t, r.text, "Needs you 0")
}

func TestQuarantineSaysWhatFirstPromoterSaid(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.seed(t)
	r := newReader(t, w).signIn(t, "root")
	r.open(t, "/console/rewards/90000003")
	require.Contains(t, r.text, "FirstPromoter has no reward 90000003")
	require.Contains(t, r.text, "(does not confirm this)")
	require.NotContains(t, r.text, "not compared yet")
}

// What promoters, FirstPromoter and people wrote is text, wherever it stands.
func TestForeignTextIsOnlyText(t *testing.T) {
	t.Parallel()

	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	w := newWorld(t)
	shown := owed(7, reward.Quantity{Amount: 3, Unit: reward.Unit("credits" + evil)})
	shown.Promoter.CustID, shown.Promoter.Email, shown.Campaign.Name = "javascript:"+evil, evil+"@example.com", evil
	w.accept(t, shown)
	w.assess(t, shown, "team", reward.AwaitingApproval, "because of "+evil, func(a *ledger.Assessment) { a.Rule = evil; a.Approvals = 2 })
	r := newReader(t, w).signIn(t, "alice")
	r.open(t, "/console/rewards/7")
	r.send(t, "Reject", url.Values{"comment": {evil}})
	for _, path := range []string{
		"/console/", "/console/?queue=all", "/console/rewards/7", "/console/?queue=all&q=" + url.QueryEscape(evil),
		"/console/rewards/7?from=" + url.QueryEscape("javascript:alert(1)"), "/console/login?next=" + url.QueryEscape("//evil.example"),
		"/console/login?code=" + url.QueryEscape(evil), "/console/rewards/7?note=" + url.QueryEscape(evil),
	} {
		r.open(t, path)
		require.Equal(t, http.StatusOK, r.status, path)
		for n := range r.last.Descendants() {
			require.NotEqual(t, "img", n.Data, path)
			if n.Data == "script" {
				require.True(t, strings.HasPrefix(attribute(n, "src"), "/console/assets/"), path)
			}
			for _, a := range n.Attr {
				require.False(t, strings.HasPrefix(a.Key, "on") || a.Key == "style", "%s: %s", path, a.Key)
				if a.Key == "href" || a.Key == "action" || a.Key == "src" {
					ours := strings.HasPrefix(a.Val, "/console/") || strings.HasPrefix(a.Val, "http://127.0.0.1:8233/") || a.Val == "#main"
					require.True(t, ours, "%s: %s", path, a.Val)
				}
			}
		}
	}
}

func TestPagesForbidWhatTheyDoNotNeed(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	r := newReader(t, w)
	for _, path := range []string{"/console/login", "/console/nothing", "/console/"} {
		r.open(t, path)
		policy := r.header.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'", path)
		require.Contains(t, policy, "frame-ancestors 'none'", path)
		require.NotContains(t, policy, "unsafe", path)
		require.Equal(t, "nosniff", r.header.Get("X-Content-Type-Options"), path)
		require.Equal(t, "same-origin", r.header.Get("Referrer-Policy"), path)
		require.Equal(t, "no-store", r.header.Get("Cache-Control"), path)
	}
	for n := range r.last.Descendants() {
		if n.Data == "link" || n.Data == "script" {
			address := attribute(n, "href") + attribute(n, "src")
			r := newReader(t, w)
			r.open(t, address)
			require.Equal(t, http.StatusOK, r.status, address)
			require.Contains(t, r.header.Get("Cache-Control"), "immutable", address)
		}
	}
}

// Opening an address decides nothing, and another site's page cannot send a form.
func TestNeitherLinksNorOtherSitesDecide(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	shown := w.awaiting(t, 7, reward.Quantity{Amount: 3, Unit: reward.Credits})
	digest := string(mustReward(t, w, shown.ID).Digest)
	r := newReader(t, w).signIn(t, "root")
	form := url.Values{"decision": {"approve"}, "digest": {digest}, "scope": {"all"}, "move": {"pause"}, "reason": {"x"}, "action": {"abandon"}, "comment": {"x"}}
	for _, path := range []string{"/console/rewards/7/decision", "/console/rewards/7/resolve", "/console/brake", "/console/approve/confirmed"} {
		r.open(t, path+"?"+form.Encode()+"&pick=7:"+digest)
		for _, headers := range []http.Header{
			{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}},
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path, strings.NewReader(form.Encode()+"&pick=7:"+digest))
			require.NoError(t, err)
			req.Header = headers.Clone()
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			res, err := r.client.Do(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusForbidden, res.StatusCode, "%s %v", path, headers)
		}
	}
	made, err := w.ledger.DecisionsOf(context.Background(), 7)
	require.NoError(t, err)
	require.Empty(t, made)
	require.Empty(t, brakes(t, w))
	require.Equal(t, reward.AwaitingApproval, mustReward(t, w, 7).Status)
}

// Without operators this machine is served, as the API serves it, and decisions
// say that nobody is proven.
func TestWithoutOperatorsThisMachineDecidesUnverified(t *testing.T) {
	t.Parallel()

	w := newWorld(t, func(c *api.Config) { c.Operators = nil })
	w.awaiting(t, 7, reward.Quantity{Amount: 3, Unit: reward.Credits})
	r := newReader(t, w)
	r.open(t, "/console/")
	require.Contains(t, r.text, "No operators are configured")
	r.open(t, "/console/rewards/7")
	r.send(t, "Approve", nil)
	made, err := w.ledger.DecisionsOf(context.Background(), 7)
	require.NoError(t, err)
	require.Len(t, made, 1)
	require.Equal(t, "local", made[0].By)
	require.False(t, made[0].Verified)
	require.True(t, made[0].Counted)
}

func TestListIsFilteredSearchedAndPaged(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	for id := reward.ID(1); id <= 60; id++ {
		w.awaiting(t, id, reward.Quantity{Amount: 3, Unit: []reward.Unit{reward.Credits, reward.Points}[id%2]})
	}
	r := newReader(t, w).signIn(t, "alice")
	require.Contains(t, r.text, "Needs you 60")
	require.Len(t, r.every("pick"), 50)
	var older string
	for n := range r.last.Descendants() {
		if attribute(n, "rel") == "next" {
			older = attribute(n, "href")
		}
	}
	r.open(t, older)
	require.Len(t, r.every("pick"), 10)
	require.Contains(t, r.text, "First page")
	r.open(t, "/console/?queue=mine&unit=points")
	require.Len(t, r.every("pick"), 30)
	r.open(t, "/console/?q=17")
	require.Contains(t, r.text, "3 points 17 ")
	require.NotContains(t, r.text, "16 ")
	r.open(t, "/console/?q=cus_00003")
	require.Contains(t, r.text, "promoter3@example.com")
	require.NotContains(t, r.text, "promoter4@example.com")
	r.open(t, "/console/?q=nobody")
	require.Contains(t, r.text, `Nothing here has the reward ID, promoter ID or cust_id "nobody".`)
	r.open(t, "/console/?cursor=x")
	require.Equal(t, http.StatusBadRequest, r.status)
}
