package intake_test

import (
	"fmt"
	"sync/atomic"
)

// numbers gives every event and workflow of the process its own number.
var numbers atomic.Int64

// event is a fulfilment_pending delivery in the documented shape, as long as a
// usual one.
func event(n int64) []byte {
	return fmt.Appendf(nil, `{
  "event": {"id": %d, "type": "fulfilment_pending", "created_at": "2026-11-23T11:06:02.663Z"},
  "data": {
    "id": %d, "status": "pending", "amount": 3, "date_paid": null, "due_date": null, "unit": "free_months",
    "created_at": "2026-11-23T11:06:02.607Z", "has_issues": false,
    "reward": {"id": 109465, "amount": null, "type": "per_promotion", "unit": "free_months", "name": "Free months", "per_of_sale": 0},
    "promoter": {"id": 5272969, "status": "active", "cust_id": "cus_1", "email": "promoter@example.com",
      "temp_password": "secret", "auth_token": "secret", "w8_form_url": null, "w9_form_url": null,
      "earnings_balance": {"cash": 882, "free_months": 3}, "current_balance": {"cash": 882}, "paid_balance": null,
      "profile": {"id": 1, "first_name": "Pro", "last_name": "Moter", "website": "", "country": "AT", "paypal_email": null,
        "social_accounts": {"twitter": {"url": ""}, "youtube": {"url": ""}}},
      "promotions": [{"id": 5680057, "status": "offer_inactive", "ref_id": "ref18", "promoter_id": 5272969, "campaign_id": 17476,
        "referral_link": "https://www.example.com/?fpr=ref18", "visitors_count": 4, "leads_count": 3, "sales_total": 2522}]},
    "campaign": {"id": 17476, "name": "Spring", "landing_url": "https://www.example.com", "private": false,
      "default_webhook_url": "https://hooks.example.com/secret", "auto_approve_rewards": true}
  }
}`, 13_000_000+n, 2_000_000+n)
}
