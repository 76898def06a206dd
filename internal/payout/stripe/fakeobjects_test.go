package stripe_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func (f *fakeStripe) id(prefix string) string {
	f.serial++
	return prefix + "_" + strconv.Itoa(f.serial)
}

// read answers GET.
func (f *fakeStripe) read(path string, query url.Values) (int, object) {
	parts := strings.Split(strings.TrimPrefix(path, "/v1/"), "/")
	switch {
	case path == "/v1/balance":
		available := []object{}
		for code, amount := range f.balance {
			available = append(available, object{"amount": amount, "currency": code})
		}
		return 200, object{"object": "balance", "available": available}
	case path == "/v1/transfers":
		return page(query, f.transfers, "transfer_group")
	case path == "/v1/subscriptions":
		return page(query, f.subs, "customer")
	case path == "/v1/customers":
		return page(query, everything(f.customers), "")
	case path == "/v1/accounts":
		return page(query, everything(f.accounts), "")
	case path == "/v1/coupons":
		return page(query, everything(f.coupons), "")
	case len(parts) == 3 && parts[2] == "balance_transactions":
		if _, ok := f.customers[parts[1]]; !ok {
			return missing(parts[1])
		}
		return page(query, f.txns, "")
	case len(parts) == 2 && parts[0] == "customers":
		return known(f.customers, parts[1])
	case len(parts) == 2 && parts[0] == "accounts":
		return known(f.accounts, parts[1])
	case len(parts) == 2 && parts[0] == "coupons":
		return known(f.coupons, parts[1])
	case len(parts) == 2 && parts[0] == "subscriptions":
		for _, sub := range f.subs {
			if sub["id"] == parts[1] {
				return 200, sub
			}
		}
	}
	return missing(path)
}

func everything(all map[string]object) []object { return slices.Collect(maps.Values(all)) }

func known(all map[string]object, id string) (int, object) {
	if o, ok := all[id]; ok {
		return 200, o
	}
	return missing(id)
}

func missing(what string) (int, object) {
	return 404, failure("invalid_request_error", "resource_missing", "No such object: '"+what+"'")
}

// page answers a list, newest first, as Stripe does.
func page(query url.Values, all []object, filter string) (int, object) {
	var items []object
	since, _ := strconv.ParseInt(query.Get("created[gt]"), 10, 64)
	for _, item := range slices.Backward(all) {
		if made, _ := item["created"].(int64); since > 0 && made <= since {
			continue
		}
		if filter == "" || !query.Has(filter) || item[filter] == query.Get(filter) {
			items = append(items, item)
		}
	}
	if after := query.Get("starting_after"); after != "" {
		at := slices.IndexFunc(items, func(o object) bool { return o["id"] == after })
		items = items[at+1:]
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit > 100 {
		return 400, failure("invalid_request_error", "parameter_invalid", "limit")
	}
	more := len(items) > limit
	return 200, object{"object": "list", "has_more": more, "data": append([]object{}, items[:min(limit, len(items))]...)}
}

// write answers POST.
func (f *fakeStripe) write(path string, form url.Values) (int, object) {
	parts := strings.Split(strings.TrimPrefix(path, "/v1/"), "/")
	switch {
	case path == "/v1/coupons":
		return f.makeCoupon(form)
	case path == "/v1/transfers":
		return f.makeTransfer(form)
	case len(parts) == 3 && parts[2] == "balance_transactions":
		return f.makeCredit(parts[1], form)
	case len(parts) == 2 && parts[0] == "subscriptions":
		return f.updateSubscription(parts[1], form)
	}
	return missing(path)
}

func metadata(form url.Values) map[string]string {
	m := map[string]string{}
	for name := range form {
		if inner, ok := strings.CutPrefix(name, "metadata["); ok {
			m[strings.TrimSuffix(inner, "]")] = form.Get(name)
		}
	}
	return m
}

func number(form url.Values, name string) int64 {
	n, err := strconv.ParseInt(form.Get(name), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%s is %q", name, form.Get(name)))
	}
	return n
}

func (f *fakeStripe) makeCredit(customer string, form url.Values) (int, object) {
	if currency := f.customers[customer]["currency"]; currency != nil && currency != form.Get("currency") {
		return 400, failure("invalid_request_error", "", "the currency is not the customer's")
	}
	txn := object{
		"id": f.id("cbtxn"), "object": "customer_balance_transaction", "customer": customer,
		"amount": number(form, "amount"), "currency": form.Get("currency"), "metadata": metadata(form),
		"description": form.Get("description"),
	}
	f.txns = append(f.txns, txn)
	f.effects[metadata(form)["rewardflow"]]++
	return 200, txn
}

func (f *fakeStripe) makeTransfer(form url.Values) (int, object) {
	currency, amount := form.Get("currency"), number(form, "amount")
	if f.balance[currency] < amount {
		return 400, failure("invalid_request_error", "balance_insufficient", "You have insufficient funds")
	}
	f.balance[currency] -= amount
	t := object{
		"id": f.id("tr"), "object": "transfer", "amount": amount, "currency": currency, "destination": form.Get("destination"),
		"transfer_group": form.Get("transfer_group"), "metadata": metadata(form), "amount_reversed": 0, "reversed": false,
	}
	f.transfers = append(f.transfers, t)
	f.effects[form.Get("transfer_group")]++
	return 200, t
}

func (f *fakeStripe) makeCoupon(form url.Values) (int, object) {
	id := form.Get("id")
	if _, ok := f.coupons[id]; ok {
		return 400, failure("invalid_request_error", "resource_already_exists", "Coupon already exists")
	}
	coupon := object{
		"id": id, "object": "coupon", "duration": form.Get("duration"), "metadata": metadata(form), "times_redeemed": int64(0),
		"max_redemptions": number(form, "max_redemptions"), "name": form.Get("name"),
	}
	if form.Has("percent_off") {
		percent, err := strconv.ParseFloat(form.Get("percent_off"), 64)
		if err != nil {
			panic(err)
		}
		coupon["percent_off"] = percent
	} else {
		coupon["amount_off"], coupon["currency"] = number(form, "amount_off"), form.Get("currency")
	}
	f.coupons[id] = coupon
	return 200, coupon
}

func (f *fakeStripe) updateSubscription(id string, form url.Values) (int, object) {
	at := slices.IndexFunc(f.subs, func(o object) bool { return o["id"] == id })
	if at < 0 {
		return missing(id)
	}
	sub := f.subs[at]
	if form.Has("discounts[0][coupon]") || form.Has("discounts[0][discount]") {
		if status, answer := f.setDiscounts(sub, form); status != 200 {
			return status, answer
		}
	}
	changed := map[string]string{}
	for name, value := range sub["metadata"].(map[string]string) {
		changed[name] = value
	}
	for name, value := range metadata(form) {
		if changed[name] = value; value == "" {
			delete(changed, name)
		}
	}
	if len(changed) > 50 {
		return 400, failure("invalid_request_error", "", "Metadata is limited to 50 keys")
	}
	sub["metadata"] = changed
	if form.Has("trial_end") {
		if form.Get("proration_behavior") != "none" {
			return 400, failure("invalid_request_error", "", "the test wants no proration")
		}
		end := number(form, "trial_end")
		sub["trial_end"], sub["status"] = end, "trialing"
		sub["items"] = object{"object": "list", "has_more": false, "data": []object{
			{"id": "si_1", "object": "subscription_item", "current_period_end": end},
		}}
		for name, value := range metadata(form) {
			if strings.HasPrefix(name, "rf_") && value != "" {
				f.effects[name]++
			}
		}
	}
	return 200, sub
}

// setDiscounts replaces the discounts by those that are named, as Stripe does.
func (f *fakeStripe) setDiscounts(sub object, form url.Values) (int, object) {
	var next []object
	for i := 0; ; i++ {
		prefix := fmt.Sprintf("discounts[%d]", i)
		if id := form.Get(prefix + "[discount]"); id != "" {
			old := sub["discounts"].([]object)
			at := slices.IndexFunc(old, func(o object) bool { return o["id"] == id })
			if at < 0 {
				return missing(id)
			}
			next = append(next, old[at])
			continue
		}
		id := form.Get(prefix + "[coupon]")
		if id == "" {
			break
		}
		coupon, ok := f.coupons[id]
		if !ok {
			return missing(id)
		}
		if limit, ok := coupon["max_redemptions"].(int64); ok && coupon["times_redeemed"].(int64) >= limit {
			return 400, failure("invalid_request_error", "coupon_expired", "This coupon has been used up")
		}
		coupon["times_redeemed"] = coupon["times_redeemed"].(int64) + 1
		next = append(next, attached(f.id("di"), id))
		f.effects[id]++
	}
	sub["discounts"] = next
	return 200, nil
}

func attached(id, coupon string) object {
	return object{"id": id, "object": "discount", "source": object{"type": "coupon", "coupon": coupon}}
}

func failure(kind, code, message string) object {
	inner := object{"type": kind, "message": message}
	if code != "" {
		inner["code"] = code
	}
	return object{"error": inner}
}

func write(w http.ResponseWriter, status int, answer object) {
	body, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	writeBytes(w, status, body)
}

func writeBytes(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "req_1")
	w.WriteHeader(status)
	_, _ = bytes.NewReader(body).WriteTo(w)
}
