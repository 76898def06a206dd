package peers_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/bench/internal/doubles"
	"github.com/rewardflow/rewardflow/bench/internal/peers"
)

func TestReadEvent(t *testing.T) {
	t.Parallel()

	r, err := peers.ReadEvent(doubles.Event(doubles.FirstReward))
	require.NoError(t, err)
	require.Equal(t, peers.Reward{ID: doubles.FirstReward, PromoterID: 5_400_001, CampaignID: 17_476, Amount: 3, Unit: "free_months"}, r)
	for _, body := range []string{"", "{}", `{"event":{"type":"lead_signup"},"data":{"id":4}}`, `{"event":{"type":"fulfilment_pending"},"data":{}}`} {
		_, err := peers.ReadEvent([]byte(body))
		require.Error(t, err, body)
	}
}

// TestVerify sees to it that no peer pays what FirstPromoter does not owe: they
// are compared as what a careful team would build.
func TestVerify(t *testing.T) {
	t.Parallel()

	d, err := doubles.Start(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	genuine, err := peers.ReadEvent(doubles.Event(d.Owe(1)[0]))
	require.NoError(t, err)
	p := peers.NewPipeline(d.FirstPromoterURL, d.ProviderURL)

	completed, err := p.Verify(t.Context(), genuine)
	require.NoError(t, err)
	require.False(t, completed)
	for name, forge := range map[string]func(*peers.Reward){
		"amount":   func(r *peers.Reward) { r.Amount++ },
		"unit":     func(r *peers.Reward) { r.Unit = "cash" },
		"campaign": func(r *peers.Reward) { r.CampaignID++ },
		"promoter": func(r *peers.Reward) { r.PromoterID++ },
		"reward":   func(r *peers.Reward) { r.ID++ },
	} {
		forged := genuine
		forge(&forged)
		_, err := p.Verify(t.Context(), forged)
		require.ErrorIs(t, err, peers.ErrDiffers, name)
	}

	reference, err := p.Pay(t.Context(), genuine)
	require.NoError(t, err)
	require.Equal(t, "ref-"+genuine.Key(), reference)
	require.NoError(t, p.Finish(t.Context(), genuine))
	completed, err = p.Verify(t.Context(), genuine)
	require.NoError(t, err)
	require.True(t, completed)
}

// TestPipelineHearsFailure shows that an answer that is none is no success.
func TestPipelineHearsFailure(t *testing.T) {
	t.Parallel()

	for name, answer := range map[string]http.HandlerFunc{
		"an error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"another status": func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]string{"status": "pending"})
		},
		"no JSON":         func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) },
		"nothing to hear": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			server := httptest.NewServer(answer)
			t.Cleanup(server.Close)
			p := peers.NewPipeline(server.URL, server.URL)
			_, err := p.Pay(t.Context(), peers.Reward{ID: 1})
			require.ErrorContains(t, err, "paying: ")
			require.ErrorContains(t, p.Finish(t.Context(), peers.Reward{ID: 1}), "closing: ")
		})
	}
}
