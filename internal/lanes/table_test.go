package lanes_test

// cell is what one lane makes of one rule.
type cell struct {
	// none says why the lane has no such thing; everything else is empty then.
	none string

	// code is the HTTP status or the exit code; zero for a lane that has none.
	code int
	// says is part of what the person is told; empty tells nothing.
	says string
	// keeps is what the ledger holds of the attempt.
	keeps entry
}

// entry is the ledger's last decision.
type entry struct {
	// refusal is part of the ledger's words; empty when the decision counts.
	refusal string
	// nothing says why there is no entry at all: the attempt was no decision.
	nothing string
	// earlier is how many decisions there were before.
	earlier int
	// effects is how often the provider was made to pay.
	effects int
}

// refused is an attempt that the ledger keeps, and that does not count.
func refused(words string) entry { return entry{refusal: words} }

// after is an entry with others before it.
func after(earlier int, e entry) entry {
	e.earlier = earlier
	return e
}

// table is every rule on every lane.
func table() map[string]map[string]cell {
	var (
		counts   = entry{effects: 1}
		noPerson = entry{nothing: "it is by nobody, or by nobody who decides: the access log has it"}
		noClick  = entry{nothing: "nobody decided"}
		theFirst = entry{nothing: "it is the first decision, which the ledger has", earlier: 1}

		wrong   = refused("the role approver or finance is needed")
		finance = refused("the policy asks for the role finance")
		nobody  = refused("an unverified decision does not count here: decide with a signed-in identity")
		twice   = refused("alice has decided already: approved on 20")
		maker   = refused("bob may not decide about this reward: the policy leaves it to others")
		stale   = refused("the reward is not what was shown any more: look again and decide on the current digest")
		late    = entry{refusal: "the reward is settling: alice approved it on 20", earlier: 1, effects: 1}
		early   = refused("the reward is verifying and waits for no decision")
	)
	const (
		noRoles   = "a name that comes by Temporal proves nothing and so has no role; approvals.unverified: accept lets it count all the same"
		noBrowser = "no browser is in it"
		unsigned  = "only Slack signs its requests"
	)
	return map[string]map[string]cell{
		itCounts: {
			console: {code: 303, says: "?note=approved", keeps: counts},
			overAPI: {code: 200, says: `"approved":true`, keeps: counts},
			command: {code: 0, says: "approved, 1 of 1 approvals", keeps: counts},
			inSlack: {code: 200, keeps: counts},
			update:  {keeps: counts},
			signal:  {keeps: counts},
		},
		noRole: {
			console: {code: 403, says: "Nothing was done: this needs one of the roles approver, finance, admin", keeps: noPerson},
			overAPI: {code: 403, says: "this needs one of the roles approver, finance, admin", keeps: noPerson},
			command: {code: 4, says: "this needs one of the roles approver, finance, admin", keeps: noPerson},
			inSlack: {code: 200, says: "recorded and does not count: the role approver or finance is needed", keeps: wrong},
			update:  {none: noRoles},
			signal:  {none: noRoles},
		},
		otherRole: {
			console: {code: 409, says: "recorded and does not count: the policy asks for the role finance", keeps: finance},
			overAPI: {code: 409, says: "does not count: the policy asks for the role finance", keeps: finance},
			command: {code: 6, says: "does not count: the policy asks for the role finance", keeps: finance},
			inSlack: {code: 200, says: "does not count: the policy asks for the role finance", keeps: finance},
			update:  {none: noRoles},
			signal:  {none: noRoles},
		},
		unproven: {
			console: {code: 401, says: "You are not signed in (any more), and nothing was done", keeps: noPerson},
			overAPI: {code: 401, says: "the request brings no token", keeps: noPerson},
			command: {code: 4, says: "set $REWARDFLOW_TOKEN to your operator token", keeps: noPerson},
			inSlack: {code: 200, says: "Nothing was decided: rewardflow does not know who you are", keeps: noPerson},
			update:  {says: "an unverified decision does not count here", keeps: nobody},
			signal:  {keeps: nobody},
		},
		samePerson: {
			console: {code: 409, says: "does not count: alice has decided already", keeps: after(1, twice)},
			overAPI: {code: 409, says: "does not count: alice has decided already", keeps: after(1, twice)},
			command: {code: 6, says: "does not count: alice has decided already", keeps: after(1, twice)},
			inSlack: {code: 200, says: "does not count: alice has decided already", keeps: after(1, twice)},
			update:  {says: "alice has decided already", keeps: after(1, twice)},
			signal:  {keeps: after(1, twice)},
		},
		sameRequest: {
			console: {code: 303, says: "?note=approved", keeps: theFirst},
			overAPI: {code: 200, says: `"repeated":true`, keeps: theFirst},
			command: {code: 6, says: "does not count: alice has decided already", keeps: after(1, twice)},
			inSlack: {code: 200, keeps: theFirst},
			update:  {keeps: theFirst},
			signal:  {keeps: after(1, twice)},
		},
		makerApproves: {
			console: {code: 409, says: "does not count: bob may not decide about this reward", keeps: maker},
			overAPI: {code: 409, says: "does not count: bob may not decide about this reward", keeps: maker},
			command: {code: 6, says: "does not count: bob may not decide about this reward", keeps: maker},
			inSlack: {code: 200, says: "does not count: bob may not decide about this reward", keeps: maker},
			update:  {says: "bob may not decide about this reward", keeps: maker},
			signal:  {keeps: maker},
		},
		staleDigest: {
			console: {code: 409, says: "does not count: the reward is not what was shown any more", keeps: stale},
			overAPI: {code: 409, says: "does not count: the reward is not what was shown any more", keeps: stale},
			command: {code: 6, says: "the digest that you gave is not the digest of this; it has changed since", keeps: stale},
			inSlack: {code: 200, says: "does not count: the reward is not what was shown any more", keeps: stale},
			update:  {says: "the reward is not what was shown any more", keeps: stale},
			signal:  {keeps: stale},
		},
		alreadyDecided: {
			console: {code: 409, says: "does not count: the reward is settling: alice approved it on", keeps: late},
			overAPI: {code: 409, says: "does not count: the reward is settling: alice approved it on", keeps: late},
			command: {code: 6, says: "does not count: the reward is settling: alice approved it on", keeps: late},
			inSlack: {code: 200, says: "does not count: the reward is settling: alice approved it on", keeps: late},
			update:  {says: "the reward is settling: alice approved it on", keeps: late},
			signal:  {keeps: late},
		},
		afterHold: {
			console: {code: 303, says: "?note=approved", keeps: counts},
			overAPI: {code: 200, says: `"approved":true`, keeps: counts},
			command: {code: 0, says: "approved, 1 of 1 approvals", keeps: counts},
			inSlack: {code: 200, keeps: counts},
			update:  {keeps: counts},
			signal:  {keeps: counts},
		},
		beforeWaiting: {
			console: {code: 409, says: "does not count: the reward is verifying and waits for no decision", keeps: early},
			overAPI: {code: 409, says: "does not count: the reward is verifying and waits for no decision", keeps: early},
			command: {code: 6, says: "does not count: the reward is verifying and waits for no decision", keeps: early},
			inSlack: {none: "a message is posted when the reward waits for people, and not before"},
			update:  {says: "the reward is verifying and waits for no decision", keeps: early},
			signal:  {keeps: early},
		},
		forged: {
			console: {none: unsigned}, overAPI: {none: unsigned}, command: {none: unsigned},
			inSlack: {code: 401, says: "the request is not one that Slack signed for this app", keeps: noClick},
			update:  {none: unsigned}, signal: {none: unsigned},
		},
		replayed: {
			console: {none: unsigned}, overAPI: {none: unsigned}, command: {none: unsigned},
			inSlack: {code: 401, says: "the request is not one that Slack signed for this app", keeps: theFirst},
			update:  {none: unsigned}, signal: {none: unsigned},
		},
		prefetched: {
			console: {code: 404, says: "There is no such page", keeps: noClick},
			overAPI: {code: 405, says: "", keeps: noClick},
			command: {none: noBrowser + ": a terminal fetches nothing that it shows"},
			inSlack: {code: 405, says: "", keeps: noClick},
			update:  {none: noBrowser}, signal: {none: noBrowser},
		},
		crossSite: {
			console: {code: 403, says: "a page of another origin", keeps: noClick},
			overAPI: {code: 403, says: "a page of another origin", keeps: noClick},
			command: {none: noBrowser},
			inSlack: {code: 403, says: "a page of another origin", keeps: noClick},
			update:  {none: noBrowser}, signal: {none: noBrowser},
		},
	}
}
