package engine

// LockKey is the advisory lock's, for tests that take it away.
const LockKey = lockKey
