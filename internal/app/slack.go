package app

import (
	"context"
	"fmt"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/slackapproval"
)

// slackClient builds what calls Slack for approvals; nil where they are not
// shown there.
func slackClient(cfg *config.Config) (*slackapproval.Client, error) {
	if !cfg.Slack.Enabled() {
		return nil, nil //nolint:nilnil // Nothing is configured, and nothing is wrong.
	}
	people := map[string]slackapproval.Person{}
	for _, o := range cfg.Operators {
		if o.SlackUser != "" {
			people[o.SlackUser] = slackapproval.Person{Name: o.Name, Roles: o.Roles}
		}
	}
	client, err := slackapproval.NewClient(slackapproval.Config{
		BotToken: cfg.Slack.BotToken.Reveal(), SigningSecret: cfg.Slack.SigningSecret.Reveal(),
		Channel: cfg.Slack.Channel, TeamID: cfg.Slack.TeamID, AppID: cfg.Slack.AppID,
		ShowEmail: cfg.Slack.ShowEmail, BaseURL: cfg.Slack.BaseURL, Link: link(cfg), People: people,
	})
	if err != nil {
		return nil, fmt.Errorf("setting up Slack: %w", err)
	}
	return client, nil
}

// link returns where people see a reward; nil without a public URL.
func link(cfg *config.Config) func(reward.ID) string {
	if cfg.PublicURL == "" {
		return nil
	}
	return func(id reward.ID) string { return cfg.PublicURL + "/console/rewards/" + id.String() }
}

// interactions builds what takes clicks, and lets them finish at the end.
func (a *App) interactions(client *slackapproval.Client, follower *slackapproval.Follower) *slackapproval.Interactions {
	taken := slackapproval.NewInteractions(client, a.ledger, a.desk, follower, a.log)
	a.cleanups.add("slack", func(ctx context.Context) error {
		done := make(chan struct{})
		go func() {
			taken.Wait()
			close(done)
		}()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return taken
}
