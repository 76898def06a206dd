// Package intaketest holds the tests of intake that mutants name. They are
// apart from intake's own, whose benchmark links the Temporal server: a mutant
// of intake is built in seconds here, and in minutes there.
package intaketest
