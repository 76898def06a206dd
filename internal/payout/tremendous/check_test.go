package tremendous_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/tremendous"
)

var _ payout.Checker = (*tremendous.Provider)(nil)

func readsSources(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/funding_sources") }

// The promises hold for the first read, and for the second while the first is
// answered well.
func TestCheck(t *testing.T) {
	t.Parallel()

	for name, passes := range map[string]func(*http.Request) bool{"FundingSource": nil, "Campaign": readsSources} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			payouttest.RunCheck(t, func(t *testing.T) payouttest.CheckSubject {
				t.Helper()
				return payouttest.CheckSubject{
					Fake: keepContract(t, &double{}), Passes: passes, Secrets: []string{apiKey, email, "://"}, ErrorBody: chattyError,
					Connect: func(t *testing.T, baseURL string, timeout time.Duration) payout.Checker {
						t.Helper()
						c := config(baseURL)
						c.Timeout = timeout
						return newProvider(t, c)
					},
				}
			})
		})
	}
}

// check asks a double with a configuration.
func check(t *testing.T, d *double, change func(*tremendous.Config)) (string, error) {
	t.Helper()
	server := httptest.NewServer(keepContract(t, d))
	t.Cleanup(server.Close)
	c := config(server.URL)
	change(&c)
	return newProvider(t, c).Check(t.Context(), nil)
}

func TestCheckLooksForWhatOrdersName(t *testing.T) {
	t.Parallel()

	same := func(*tremendous.Config) {}
	bank := func(c *tremendous.Config) { c.FundingSourceID = "BANK12345678" }
	withBank := func(status string, uses ...string) []any {
		return []any{
			fundingSource("GCTHLCMFVYMD", "balance", "active", "api_orders"),
			fundingSource("BANK12345678", "bank_account", status, uses...),
		}
	}
	for name, row := range map[string]struct {
		double *double
		change func(*tremendous.Config)
		kind   fault.Kind
		words  string
	}{
		"the balance": {&double{}, same, "", "the funding source and the campaign are there"},
		"products only": {
			&double{}, func(c *tremendous.Config) { c.CampaignID, c.Products = "", []string{"OKMHM2X2OHYV"} }, "",
			"Tremendous accepts the API key, and the funding source is there\nnot seen: whether the key may order, and the money is there, which shows with the first payout",
		},
		"a bank account":                {&double{sources: withBank("active", "api_orders", "balance_funding")}, bank, "", "are there"},
		"uses that are not told":        {&double{sources: withBank("active")}, bank, "", "are there"},
		"no such source":                {&double{}, bank, fault.NotFound, "lists no funding source as funding_source_id names it"},
		"no balance":                    {&double{sources: withBank("active", "api_orders")[1:]}, same, fault.NotFound, "lists no funding source"},
		"none at all":                   {&double{sources: []any{}}, same, fault.NotFound, "lists no funding source"},
		"a source that failed":          {&double{sources: withBank("failed", "api_orders")}, bank, fault.Declined, "it is failed"},
		"a source for the balance only": {&double{sources: withBank("active", "balance_funding")}, bank, fault.Declined, "orders that come over the API"},
		"no such campaign": {
			&double{}, func(c *tremendous.Config) { c.CampaignID = "CAMPAIGN9999" }, fault.NotFound,
			"Tremendous does not know the campaign of campaign_id (HTTP 404)",
		},
		"another key":             {&double{}, func(c *tremendous.Config) { c.APIKey = "PROD_another" }, fault.Denied, "does not accept the API key"},
		"a key that may not read": {&double{unreadable: true}, same, fault.Denied, "does not allow this API key to read"},
	} {
		words, err := check(t, row.double, row.change)
		require.Equal(t, row.kind, fault.KindOf(err), "%s: %v", name, err)
		if err != nil {
			words = fault.Message(err)
		}
		require.Contains(t, words, row.words, name)
	}
}

func TestCheckOfSomethingElseThanTremendous(t *testing.T) {
	t.Parallel()

	for body, status := range map[string]int{
		`{}`: 200, `{"funding_sources":null}`: 200, `<html>`: 200, ``: 200, `<html>404</html>`: 404, `{"ok":true}`: 204,
	} {
		s := newStub(t, status, body)
		_, err := newProvider(t, config(s.url)).Check(t.Context(), nil)
		require.True(t, fault.Is(err, fault.Invalid), "%d %s: %v", status, body, err)
		require.Equal(t, apiPath+"/funding_sources", s.only(t).uri)
	}
}
