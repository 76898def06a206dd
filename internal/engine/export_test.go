package engine

// LockKey is the advisory lock's, for tests that take it away.
const LockKey = lockKey

// KeptIndexes are those that a list of workflows can use.
var KeptIndexes = keptIndexes
