package slackapproval

import (
	"encoding/json"
	"net/http"
	"net/url"

	slackapi "github.com/slack-go/slack"

	"github.com/rewardflow/rewardflow/internal/fault"
)

const opTake = "slackapproval.take"

// The interactions that mean something here.
const (
	kindActions    = "block_actions"
	kindSubmission = "view_submission"
)

// interaction is what is read of a payload, and nothing else
// (https://docs.slack.dev/reference/interaction-payloads).
type interaction struct {
	Type      string `json:"type"`
	TriggerID string `json:"trigger_id"`
	AppID     string `json:"api_app_id"`
	Team      struct {
		ID string `json:"id"`
	} `json:"team"`
	User struct {
		ID     string `json:"id"`
		TeamID string `json:"team_id"`
	} `json:"user"`
	Container struct {
		Channel   string `json:"channel_id"`
		Timestamp string `json:"message_ts"`
	} `json:"container"`
	Actions []struct {
		ID    string `json:"action_id"`
		Value string `json:"value"`
		At    string `json:"action_ts"`
	} `json:"actions"`
	View struct {
		ID         string `json:"id"`
		CallbackID string `json:"callback_id"`
		Metadata   string `json:"private_metadata"`
		State      struct {
			Values map[string]map[string]struct {
				Value string `json:"value"`
			} `json:"values"`
		} `json:"state"`
	} `json:"view"`
}

// genuine reads a request that Slack signed within the last five minutes, for
// our workspace and app. Everything else is fault.Denied, without saying why to
// the caller. The signature covers the raw body, so the payload is taken from
// there and never from the query.
func (c Config) genuine(header http.Header, body []byte) (interaction, error) {
	var in interaction
	verifier, err := slackapi.NewSecretsVerifier(header, c.SigningSecret)
	if err == nil {
		_, err = verifier.Write(body)
	}
	if err == nil {
		err = verifier.Ensure()
	}
	if err != nil {
		return in, fault.Wrap(fault.Denied, opTake, "Slack did not sign this, or not now", err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["payload"]) != 1 {
		return in, fault.New(fault.Invalid, opTake, "the body has no payload")
	}
	if json.Unmarshal([]byte(form.Get("payload")), &in) != nil {
		return in, fault.New(fault.Invalid, opTake, "the payload is not an interaction")
	}
	// In a shared channel people of other workspaces can press our buttons.
	foreign := in.Team.ID != c.TeamID || (in.User.TeamID != "" && in.User.TeamID != c.TeamID)
	if foreign || (c.AppID != "" && in.AppID != c.AppID) {
		return in, fault.New(fault.Denied, opTake, "it comes from another workspace or app")
	}
	return in, nil
}
