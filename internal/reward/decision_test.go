package reward_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/reward"
)

func shown() reward.Shown {
	return reward.Shown{Reward: sample(), Provider: "billing", PolicyVersion: "v1", Rule: "rule 2"}
}

// A digest is stored beside decisions for years, so it never changes: these
// were computed by another program, from the fields with their lengths.
func TestDigestIsWireFormat(t *testing.T) {
	t.Parallel()

	require.Equal(t, reward.Digest("c8c5c345ed0b7cf922caba78e610545d"), shown().Digest())
	require.Equal(t, reward.Digest("b89cec26f743e04de6ff672f7c9436a0"), reward.Shown{}.Digest())
}

func TestDigestChangesWithWhateverAPersonWasShown(t *testing.T) {
	t.Parallel()

	seen := map[reward.Digest]string{shown().Digest(): "unchanged"}
	for name, change := range map[string]func(*reward.Shown){
		"reward ID":      func(s *reward.Shown) { s.Reward.ID++ },
		"amount":         func(s *reward.Shown) { s.Reward.Quantity.Amount++ },
		"unit":           func(s *reward.Shown) { s.Reward.Quantity.Unit = reward.Credits },
		"currency":       func(s *reward.Shown) { s.Reward.Quantity.Currency = "USD" },
		"promoter ID":    func(s *reward.Shown) { s.Reward.Promoter.ID++ },
		"customer ID":    func(s *reward.Shown) { s.Reward.Promoter.CustID = "cus_10" },
		"email":          func(s *reward.Shown) { s.Reward.Promoter.Email = "q@example.com" },
		"campaign ID":    func(s *reward.Shown) { s.Reward.Campaign.ID++ },
		"provider":       func(s *reward.Shown) { s.Provider = "team" },
		"policy version": func(s *reward.Shown) { s.PolicyVersion = "v2" },
		"rule":           func(s *reward.Shown) { s.Rule = "rule 3" },
		"a boundary between fields": func(s *reward.Shown) {
			s.Provider, s.PolicyVersion = "billingv", "1"
		},
	} {
		s := shown()
		change(&s)
		before, again := seen[s.Digest()]
		require.False(t, again, "%s gives the digest of %s", name, before)
		seen[s.Digest()] = name
	}
}

func TestDigestIgnoresTheCampaignsName(t *testing.T) {
	t.Parallel()

	s := shown()
	s.Reward.Campaign.Name = "renamed while it waits"
	require.Equal(t, shown().Digest(), s.Digest())
}

func TestDecisionsAndResolutionsAreWireFormat(t *testing.T) {
	t.Parallel()

	require.Equal(t, []string{"approve", "reject"}, []string{string(reward.Approve), string(reward.Reject)})
	require.Equal(t, []reward.Lane{"api", "console", "slack", "temporal"}, reward.Lanes())
	require.Equal(t, []reward.Action{"retry", "reroute", "paid", "reject", "abandon"}, reward.Actions())
}
