package firstpromoter_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const canary = "CANARY"

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	require.NoError(t, err)
	return body
}

func decode(t *testing.T, body string) firstpromoter.Event {
	t.Helper()
	ev, err := firstpromoter.Decode([]byte(body))
	require.NoError(t, err)
	return ev
}

// The bodies are literals: they are what a consumer finds in the inbox.
func TestDecodeKeepsTheAllowedFieldsOnly(t *testing.T) {
	t.Parallel()

	const (
		created  = `"created_at":"2025-03-02T08:00:00.301Z"`
		ines     = `"promoter":{"id":6100033,"status":"active","cust_id":"cus_0042","email":"ines@example.net"}`
		inesBare = `"promoter":{"id":6100033,"status":"active","email":"ines@example.net"}`
		spring   = `"campaign":{"id":4711,"name":"Spring"}`
	)
	for name, want := range map[string]string{
		"fulfilment_pending": `{"event":{"id":"31000417","type":"fulfilment_pending",` + created + `},` + ines + `,` + spring +
			`,"reward":{"id":3150771,"status":"pending","amount":40,"unit":"credits","created_at":"2025-03-02T08:00:00.25Z"}}`,
		"lead_signup": `{"event":{"id":"31000500","type":"lead_signup",` + created + `},` + inesBare +
			`,"lead":{"id":24000815,"state":"signup","email":"lead@example.org"},` + spring + `}`,
		"new_customer": `{"event":{"id":"31000501","type":"lead_becomes_referral",` + created + `},` + inesBare +
			`,"lead":{"id":24000815,"state":"active","email":"lead@example.org"},` + spring + `}`,
		"promoter_accepted": `{"event":{"id":"31000502","type":"promoter_accepted",` + created +
			`},"promoter":{"id":6100034,"status":"active","email":"tomas@example.net"},` + spring + `}`,
		"promoter_signs_up": `{"event":{"id":"31000503","type":"promoter_signed_up",` + created +
			`},"promoter":{"id":6100034,"status":"pending","email":"tomas@example.net"},"campaign":{"id":0,"name":""}}`,
		"reward_created": `{"event":{"id":"31000504","type":"reward_created",` + created + `},` + ines +
			`,"lead":{"id":24000815,"state":"active","email":"lead@example.org"},` + spring +
			`,"reward":{"id":12000333,"status":"approved","amount":-450,"unit":"cash","created_at":"2025-03-02T08:00:00.29Z"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			body := fixture(t, name)
			require.Contains(t, string(body), canary)
			ev, err := firstpromoter.Decode(body)
			require.NoError(t, err)
			require.True(t, ev.Known)
			require.Equal(t, strings.Replace(want, `,"campaign":{"id":0,"name":""}`, "", 1), string(ev.Body()))
			require.NotContains(t, string(ev.Body()), canary)

			var fields firstpromoter.Fields
			require.NoError(t, json.Unmarshal(ev.Body(), &fields))
			require.Equal(t, ev.Fields, fields)
		})
	}
}

func TestDecodeReadsWhatAFulfilmentClaims(t *testing.T) {
	t.Parallel()

	ev, err := firstpromoter.Decode(fixture(t, "fulfilment_pending"))
	require.NoError(t, err)
	require.Equal(t, "31000417", ev.ID)
	require.Equal(t, firstpromoter.FulfilmentPending, ev.Type)
	require.Equal(t, time.Date(2025, 3, 2, 8, 0, 0, 301e6, time.UTC), ev.CreatedAt)
	require.Empty(t, ev.Reward.Defect)
	require.Equal(t, reward.Reward{
		ID:       3150771,
		Quantity: reward.Quantity{Amount: 40, Unit: reward.Credits},
		Promoter: reward.Promoter{ID: 6100033, CustID: "cus_0042", Email: "ines@example.net"},
		Campaign: reward.Campaign{ID: 4711, Name: "Spring"},
	}, ev.Reward.Reward)
}

func TestDecodeToleratesWhatDoesNotMatter(t *testing.T) {
	t.Parallel()

	for name, body := range map[string]string{
		"IDsAsStrings": `{"event":{"id":"9","type":"fulfilment_pending"},"data":{"id":"71","amount":"3","unit":"points",
			"promoter":{"id":"5"},"campaign":{"id":"6"}}}`,
		"NamesOfOtherTypes": `{"event":{"id":9,"type":"fulfilment_pending","created_at":17},"data":{"id":71,"amount":3,"unit":"points",
			"status":{},"has_issues":"maybe","created_at":false,"promoter":{"id":5,"cust_id":[1],"email":{},"status":1.5},"campaign":{"id":6,"name":{}}}}`,
		"NullsAndUnknownKeys": `{"x":1,"event":{"id":9,"type":" fulfilment_pending ","created_at":null,"y":[]},"data":{"id":71,"amount":3,"unit":"points",
			"status":null,"promoter":{"id":5,"cust_id":null,"email":null},"campaign":{"id":6,"name":null},"z":{"id":8}}}`,
		"WholeAmountAsFraction": `{"event":{"id":9,"type":"fulfilment_pending"},"data":{"id":71,"amount":3.0,"unit":"points","promoter":{"id":5},"campaign":{"id":6}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			ev := decode(t, body)
			require.Equal(t, "9", ev.ID)
			require.True(t, ev.CreatedAt.IsZero())
			require.Empty(t, ev.Reward.Defect)
			require.Equal(t, reward.ID(71), ev.Reward.Reward.ID)
			require.Equal(t, reward.Quantity{Amount: 3, Unit: reward.Points}, ev.Reward.Reward.Quantity)
			require.Equal(t, int64(5), ev.Reward.Reward.Promoter.ID)
			require.Empty(t, ev.Reward.Reward.Promoter.CustID)
			require.Equal(t, int64(6), ev.Reward.Reward.Campaign.ID)
		})
	}
}

func TestDecodeKnowsStateAndStatus(t *testing.T) {
	t.Parallel()

	for _, key := range []string{"state", "status"} {
		ev := decode(t, `{"event":{"id":1,"type":"lead_cancelled"},"data":{"id":2,"`+key+`":"cancelled"}}`)
		require.Equal(t, firstpromoter.Lead{ID: 2, State: "cancelled"}, ev.Fields.Lead)
	}
}

func TestDecodeSaysWhatCannotBePaid(t *testing.T) {
	t.Parallel()

	const sound = `"promoter":{"id":5},"campaign":{"id":6}`
	for data, defect := range map[string]string{
		`"amount":3.5,"unit":"cash",` + sound:                    `the amount "3.5" is not a whole number of at most 63 bits`,
		`"amount":1e3,"unit":"cash",` + sound:                    `the amount "1e3" is not a whole number of at most 63 bits`,
		`"amount":92233720368547758080,"unit":"cash",` + sound:   `the amount "92233720368547758080" is not a whole number of at most 63 bits`,
		`"amount":"forty","unit":"cash",` + sound:                `the amount "forty" is not a whole number of at most 63 bits`,
		`"amount":null,"unit":"cash",` + sound:                   `the amount is missing`,
		`"unit":"cash",` + sound:                                 `the amount is missing`,
		`"amount":3,"unit":"credits","campaign":{"id":6}`:        `promoter.id is not a whole number above zero`,
		`"amount":3,"unit":"credits","promoter":{"id":5}`:        `campaign.id is not a whole number above zero`,
		`"amount":3,"promoter":{"id":-5},"campaign":{"id":"6a"}`: `promoter.id is not a whole number above zero; campaign.id is not a whole number above zero`,
		// Whether these can be paid is for the quantity to say, later.
		`"amount":0,"unit":"credits",` + sound:  "",
		`"amount":-3,"unit":"credits",` + sound: "",
		`"amount":3,` + sound:                   "",
	} {
		ev := decode(t, `{"event":{"id":9,"type":"fulfilment_pending"},"data":{"id":71,`+data+`}}`)
		require.Equal(t, defect, ev.Reward.Defect, data)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()

	fulfilment := func(id string) string {
		return `{"event":{"id":9,"type":"fulfilment_pending"},"data":{"id":` + id + `,"secret":"` + canary + `"}}`
	}
	for body, words := range map[string]string{
		``:                                   "not JSON",
		`hello ` + canary:                    "not JSON",
		`{"event":{"type":"x"}`:              "not JSON",
		`{"event":{"type":"x"}} {}`:          "not JSON",
		`{"event":{"type":"x"}}tail`:         "not JSON",
		"\ufeff{}":                           "not JSON",
		`[{"event":{}}]`:                     "not an object",
		`null`:                               "not an object",
		`"` + canary + `"`:                   "not an object",
		`{}`:                                 "event.type",
		`{"event":null}`:                     "event.type",
		`{"event":"lead_signup"}`:            "event.type",
		`{"event":{"type":""}}`:              "event.type",
		`{"event":{"type":7.5e9}}`:           "event.type",
		`{"event":{"type":["lead_signup"]}}`: "event.type",
		`{"event":{"type":"two words"}}`:     "event.type",
		`{"event":{"type":"` + strings.Repeat("a", 65) + `"}}`:    "event.type",
		`{"Event":{"Type":"lead_signup"}}`:                        "event.type",
		`{"event":{"id":9,"type":"fulfilment_pending"}}`:          "data.id",
		`{"event":{"type":"fulfilment_pending"},"data":[71]}`:     "data.id",
		`{"event":{"type":"fulfilment_pending"},"data":{"ID":1}}`: "data.id",
		fulfilment(`null`):                           "data.id",
		fulfilment(`0`):                              "data.id",
		fulfilment(`-71`):                            "data.id",
		fulfilment(`71.0`):                           "data.id",
		fulfilment(`1e3`):                            "data.id",
		fulfilment(`"1e3"`):                          "data.id",
		fulfilment(`"+71"`):                          "data.id",
		fulfilment(`" 71"`):                          "data.id",
		fulfilment(`"071"`):                          "data.id",
		fulfilment(`""`):                             "data.id",
		fulfilment(`"71/../72"`):                     "data.id",
		fulfilment(`9223372036854775808`):            "data.id",
		fulfilment(`{"id":71}`):                      "data.id",
		fulfilment(`9223372036854775807`):            "",
		`{"event":{"type":"lead_signup"}}`:           "",
		`{"event":{"type":"lead_signup"},"data":[]}`: "",
	} {
		_, err := firstpromoter.Decode([]byte(body))
		if words == "" {
			require.NoError(t, err, body)
			continue
		}
		require.Equal(t, fault.Invalid, fault.KindOf(err), body)
		require.ErrorContains(t, err, words, body)
		require.NotContains(t, err.Error(), canary)
	}
}

func TestDecodeAcceptsUnknownTypesAndKeepsNothingOfThem(t *testing.T) {
	t.Parallel()

	ev := decode(t, `{"event":{"id":9,"type":"promoter.balance_moved"},"data":{"id":1,"email":"`+canary+`","promoter":{"id":5}}}`)
	require.False(t, ev.Known)
	require.Nil(t, ev.Reward)
	require.Equal(t, "promoter.balance_moved", ev.Type)
	require.JSONEq(t, `{"event":{"id":"9","type":"promoter.balance_moved"}}`, string(ev.Body()))
	require.Equal(t, "9", ev.Dedupe())
}

func TestDecodeSpellsTypesOneWay(t *testing.T) {
	t.Parallel()

	for raw, canonical := range map[string]string{
		"promoter_signed_up":    firstpromoter.PromoterSignedUp,
		"promoter_signs_up":     firstpromoter.PromoterSignedUp,
		"new_customer":          firstpromoter.LeadBecomesReferral,
		"lead_becomes_referral": firstpromoter.LeadBecomesReferral,
		"lead_subscribed":       firstpromoter.LeadSubscribed,
	} {
		ev := decode(t, `{"event":{"id":22,"type":"`+raw+`"},"data":{"id":4}}`)
		require.True(t, ev.Known)
		require.Equal(t, canonical, ev.Type)
		require.Equal(t, raw, ev.RawType)
		require.Equal(t, "22", ev.Dedupe())
	}
	// The same event under its two names is one event, with an ID and without.
	without := func(kind string) string {
		return decode(t, `{"event":{"type":"`+kind+`"},"data":{"id":4}}`).Dedupe()
	}
	require.Equal(t, without("new_customer"), without("lead_becomes_referral"))
	require.NotEqual(t, without("new_customer"), without("lead_signup"))
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, without("new_customer"))
}

func TestDedupeOfAFulfilmentBindsRewardAndContent(t *testing.T) {
	t.Parallel()

	of := func(event, id, amount, secret string) string {
		return decode(t, `{"event":{"id":`+event+`,"type":"fulfilment_pending"},"data":{"id":`+id+`,"amount":`+amount+
			`,"promoter":{"id":5,"auth_token":"`+secret+`"},"campaign":{"id":6}}}`).Dedupe()
	}
	first := of(`9`, `71`, `3`, "a")
	require.Regexp(t, `^9/71/[0-9a-f]{16}$`, first)
	require.Equal(t, first, of(`"9"`, `"71"`, `"3"`, "b"), "the same content in another dress")
	require.NotEqual(t, first, of(`9`, `71`, `4`, "a"), "another amount")
	require.NotEqual(t, first, of(`9`, `72`, `3`, "a"), "another reward")
	require.NotEqual(t, first, of(`10`, `71`, `3`, "a"), "another event")
	require.Regexp(t, `^/71/[0-9a-f]{16}$`, of(`null`, `71`, `3`, "a"))
}

func TestEventIDFitsIntoAWorkflowID(t *testing.T) {
	t.Parallel()

	for raw, want := range map[string]string{
		`7`: "7", `"7"`: "7", `" 7 "`: "7", `"evt_7-a"`: "evt_7-a", `null`: "", `""`: "", `{}`: "", `true`: "",
	} {
		require.Equal(t, want, decode(t, `{"event":{"id":`+raw+`,"type":"lead_signup"}}`).ID, raw)
	}
	long := decode(t, `{"event":{"id":"`+strings.Repeat("x", 2000)+`","type":"lead_signup"}}`).ID
	other := decode(t, `{"event":{"id":"`+strings.Repeat("x", 2001)+`","type":"lead_signup"}}`).ID
	require.Regexp(t, `^sha256-[0-9a-f]{32}$`, long)
	require.NotEqual(t, long, other)
	require.Regexp(t, `^sha256-`, decode(t, `{"event":{"id":"a\nb","type":"lead_signup"}}`).ID)
}

// A key that stands twice must not show one reward to the reader of the first
// and another to the reader of the last: the last one counts as a whole.
func TestDecodeTakesTheLastOfDuplicateKeys(t *testing.T) {
	t.Parallel()

	ev := decode(t, `{"event":{"id":1,"type":"lead_signup"},"event":{"type":"fulfilment_pending"},
		"data":{"id":70,"amount":9000,"unit":"cash"},"data":{"id":71,"id":72,"amount":3,"promoter":{"id":5,"email":"a@b.example"},"promoter":{"id":6}}}`)
	require.Empty(t, ev.ID)
	require.Equal(t, firstpromoter.FulfilmentPending, ev.Type)
	require.Equal(t, reward.ID(72), ev.Reward.Reward.ID)
	require.Equal(t, reward.Quantity{Amount: 3}, ev.Reward.Reward.Quantity)
	require.Equal(t, reward.Promoter{ID: 6}, ev.Reward.Reward.Promoter)
}

func TestDecodeSurvivesDeepNesting(t *testing.T) {
	t.Parallel()

	deep := func(n int) string { return strings.Repeat(`{"promoter":`, n) + "1" + strings.Repeat("}", n) }
	ev := decode(t, `{"event":{"id":1,"type":"lead_signup"},"data":`+deep(5000)+`}`)
	require.Equal(t, `{"event":{"id":"1","type":"lead_signup"}}`, string(ev.Body()))

	_, err := firstpromoter.Decode([]byte(`{"event":{"id":1,"type":"lead_signup"},"data":` + deep(100_000) + `}`))
	require.Equal(t, fault.Invalid, fault.KindOf(err))
}

// Half an ID would name somebody else, and a control character may be refused
// by a database or start a new line in a mail.
func TestDecodeDropsTextsThatCannotBeUsed(t *testing.T) {
	t.Parallel()

	ev := decode(t, `{"event":{"id":1,"type":"fulfilment_pending"},"data":{"id":2,"amount":1,"unit":"cr\u0000edits",
		"promoter":{"id":5,"cust_id":"`+strings.Repeat("c", 513)+`","email":"a@b.example\r\nBcc: all"},
		"campaign":{"id":6,"name":" Spring\n\u0000sale `+strings.Repeat("!", 400)+`"}}}`)
	got := ev.Reward.Reward
	require.Empty(t, got.Quantity.Unit)
	require.Equal(t, reward.Promoter{ID: 5}, got.Promoter)
	require.Len(t, got.Campaign.Name, 200)
	require.True(t, strings.HasPrefix(got.Campaign.Name, "Spring sale !!"))
}

func TestBodyIsACopy(t *testing.T) {
	t.Parallel()

	ev := decode(t, `{"event":{"id":1,"type":"lead_signup"}}`)
	ev.Body()[0] = 'x'
	require.True(t, bytes.HasPrefix(ev.Body(), []byte("{")))
}
