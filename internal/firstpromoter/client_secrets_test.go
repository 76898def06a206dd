package firstpromoter_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
)

func TestNobodySeesTheKey(t *testing.T) {
	t.Parallel()

	cfg := firstpromoter.Config{BaseURL: "https://fp.example.net/api/v1", APIKey: testKey}
	client := firstpromoter.NewClient(cfg)
	nested := struct {
		Config firstpromoter.Config
		client *firstpromoter.Client
		value  firstpromoter.Client
	}{cfg, client, *client}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, strings.Repeat(verb+" ", 5), cfg, &cfg, client, *client, nested)
	}
	for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
		logger.Info("x", "config", cfg, "pointer", &cfg, "client", client, "nested", nested)
	}
	require.NotContains(t, out.String(), testKey)
	require.NotContains(t, out.String(), fmt.Sprintf("%x", testKey))
	require.Contains(t, out.String(), "fp.example.net")
}

// An error quotes FirstPromoter only where that is surely harmless.
func TestErrorsQuoteNothingDelicate(t *testing.T) {
	t.Parallel()

	for name, body := range map[string]string{
		"Key":      `{"error":"no account for ` + strings.ToUpper(testKey) + `"}`,
		"Email":    `{"error":"no promoter ines@example.net"}`,
		"URL":      `{"message":"see https://firstpromoter.com/x?auth_token=CANARY"}`,
		"Token":    `"token CANARY-0123456789abcdef0123456789 expired"`,
		"Markup":   `<b>CANARY</b>`,
		"Fields":   `{"promoter":{"auth_token":"CANARY"}}`,
		"Nested":   `{"error":{"auth_token":"CANARY"}}`,
		"LongText": strings.Repeat("CANARY ", 200),
		"Binary":   "\xff\xfeCANARY",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			server := newFake(t, answers(http.StatusUnauthorized, body))
			err := server.client().Check(t.Context())
			require.Equal(t, "firstpromoter.check: FirstPromoter refuses the API key: check firstpromoter.api_key (status 401)", err.Error())
		})
	}

	server := newFake(t, answers(422, `{"error":"a\u0000\n\u202eb `+strings.Repeat("word ", 60)+`"}`))
	err := server.client().Check(t.Context())
	require.ErrorContains(t, err, `"a b word word`)
	require.Less(t, len(err.Error()), 230)
}

func TestRedirectNeverCarriesTheKey(t *testing.T) {
	t.Parallel()

	elsewhere := newFake(t, answers(http.StatusOK, `[]`))
	server := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	// Even a caller's own client, which would follow, does not.
	client := firstpromoter.NewClient(firstpromoter.Config{BaseURL: server.URL, APIKey: testKey, HTTP: server.Client()})
	require.Equal(t, fault.Invalid, fault.KindOf(client.Check(t.Context())))
	_, err := client.Complete(t.Context(), 1)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	require.Empty(t, elsewhere.requests())
}

func TestWrongConfigurationIsTheErrorOfEveryCall(t *testing.T) {
	t.Parallel()

	for words, cfg := range map[string]firstpromoter.Config{
		"api_key is empty":        {BaseURL: "https://fp.example.net", APIKey: " "},
		"not ASCII":               {BaseURL: "https://fp.example.net", APIKey: "a\nb"},
		"is not a URL":            {BaseURL: "https://fp.example.net:CANARY", APIKey: testKey},
		"needs https":             {BaseURL: "fp.example.net", APIKey: testKey},
		"no user, query or fragm": {BaseURL: "https://me:CANARY@fp.example.net", APIKey: testKey},
	} {
		client := firstpromoter.NewClient(cfg)
		_, payoutErr := client.Payout(t.Context(), 1, 1)
		_, completeErr := client.Complete(t.Context(), 1)
		for _, err := range []error{payoutErr, completeErr, client.Check(t.Context())} {
			require.Equal(t, fault.Invalid, fault.KindOf(err))
			require.ErrorContains(t, err, words)
			require.NotContains(t, err.Error(), canary)
		}
	}
}
