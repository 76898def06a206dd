package paypal

import "github.com/rewardflow/rewardflow/internal/payout"

// JudgeForTest classifies an answer to a POST as if the provider's own base
// URL had given it: tests cannot listen at PayPal's.
func (p *Provider) JudgeForTest(key string, status int, body string) payout.Outcome {
	return p.judge(key, answer{status: status, body: []byte(body)})
}
