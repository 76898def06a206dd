// Package firstpromoter reads FirstPromoter's v1 webhooks and speaks its v1
// API.
//
// A webhook carries secrets: it can log in as the promoter, and it echoes our
// own webhook URL. Decode therefore keeps a list of what it wants and drops
// the rest, so that a secret field that is added tomorrow is dropped too.
//
// A webhook is unsigned, so what it says is a hint. Client reads the same
// record back from the API, and marks it as completed there. FirstPromoter's
// own reference is https://docs.firstpromoter.com (webhooks, API v1). That the
// record of a fulfilment_pending event is a payout of the API is inferred from
// their equal fields and numbers; the reference does not say it.
//
// The package simulator beneath this one is FirstPromoter's double. It shares
// no code with this package.
package firstpromoter
