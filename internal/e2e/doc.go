// Package e2e holds the end-to-end tests: whole processes of rewardflow with
// an embedded Temporal server, between doubles of FirstPromoter and of a
// provider, over real HTTP.
//
// The processes are children of the test, so that they can be killed; the
// doubles live in the test itself, so that their books do not die with a
// child. Whatever a child believes, the books say what was paid and what was
// completed.
package e2e
