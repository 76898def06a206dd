package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is one mistake in a configuration. No part of it repeats a secret.
type Problem struct {
	// File is the name that was given for the file. It is empty when the
	// mistake is in the environment.
	File string
	// Line counts from 1; zero when the mistake has no line.
	Line int
	// Key is the path of the key, "firstpromoter.api_key" or "routes[0].unit".
	// Empty for a mistake that belongs to no key.
	Key string
	// Variable is the environment variable that sets the key.
	Variable string
	// Message says what is wrong, Allowed what would be right; the latter may
	// be empty.
	Message string
	Allowed string
}

// Error returns the whole mistake in one line:
// "rewardflow.yaml:4: listen: is not host:port; allowed: ... (REWARDFLOW_LISTEN)".
func (p Problem) Error() string {
	place := p.File
	switch {
	case p.File == "" && p.Variable != "":
		place = p.Variable
	case p.File == "":
		place = "environment"
	case p.Line > 0:
		place += ":" + strconv.Itoa(p.Line)
	}
	parts := []string{place}
	if p.Key != "" {
		parts = append(parts, p.Key)
	}
	text := strings.Join(append(parts, p.Message), ": ")
	if p.Allowed != "" {
		text += "; allowed: " + p.Allowed
	}
	if p.Variable != "" && p.Variable != place {
		text += " (" + p.Variable + ")"
	}
	return text
}

// Problems are all mistakes of a configuration, in the order of the file's
// lines, those without a line last.
type Problems []Problem

// Error lists the mistakes, each in a line of its own.
func (ps Problems) Error() string {
	var b strings.Builder
	if len(ps) == 1 {
		b.WriteString("the configuration has 1 mistake:")
	} else {
		fmt.Fprintf(&b, "the configuration has %d mistakes:", len(ps))
	}
	for _, p := range ps {
		b.WriteString("\n  " + p.Error())
	}
	return b.String()
}

// Unwrap returns the mistakes one by one, for errors.As.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

// err returns nil when there are no problems, so that no caller meets a
// non-nil error without content.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(-cmp.Compare(a.File, b.File), cmp.Compare(lineOrLast(a), lineOrLast(b)))
	})
	return ps
}

func lineOrLast(p Problem) int {
	if p.Line == 0 {
		return int(^uint(0) >> 1)
	}
	return p.Line
}
