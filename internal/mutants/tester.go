package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tester runs tests, on the program as it is and on its mutants.
type tester struct {
	root string
	// timeout bounds the tests of one package.
	timeout time.Duration
}

// result is what became of one mutant.
type result struct {
	// trouble says in a few words why it was not caught; empty when it was.
	trouble string
	// output is what there is to know about the trouble.
	output string
	took   time.Duration
}

// clean shows that the tests of the mutants are there, and pass while the
// program is whole. It runs each package once; the go command's cache makes
// the second time short.
func (t tester) clean(ctx context.Context, mutants []mutant) error {
	var all []test
	for _, m := range mutants {
		all = append(all, m.tests...)
	}
	var broken []error
	for _, pkg := range packages(all) {
		names := namesIn(pkg, all)
		o, err := goTest(ctx, t.root, pkg, "", t.timeout, names)
		if err != nil {
			return err
		}
		if o.trouble != "" || len(o.failed) > 0 {
			broken = append(broken, fmt.Errorf("the tests of %s fail without any mutant\n%s", pkg, excerpt(o.output)))
			continue
		}
		for _, name := range names {
			if !o.passed[name] {
				broken = append(broken, fmt.Errorf("%s has no test %s, or it was skipped: bring the mutants that name it up to date", pkg, name))
			}
		}
	}
	return errors.Join(broken...)
}

// tryAll tries the mutants, a few at once, and returns a channel for the
// result of each.
func (t tester) tryAll(ctx context.Context, mutants []mutant, atOnce int) []chan result {
	results := make([]chan result, len(mutants))
	next := make(chan int, len(mutants))
	for i := range mutants {
		results[i] = make(chan result, 1)
		next <- i
	}
	close(next)
	for range atOnce {
		go func() {
			for i := range next {
				began := time.Now()
				r := t.try(ctx, mutants[i])
				r.took = time.Since(began)
				results[i] <- r
			}
		}()
	}
	return results
}

// try shows that every test of the mutant fails because of it.
func (t tester) try(ctx context.Context, m mutant) result {
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return result{trouble: "not tried", output: err.Error()}
	}
	defer os.RemoveAll(dir)
	overlay, err := t.overlay(dir, m)
	if err != nil {
		return result{trouble: "not tried", output: err.Error()}
	}
	for _, pkg := range packages(m.tests) {
		names := namesIn(pkg, m.tests)
		o, err := goTest(ctx, t.root, pkg, overlay, t.timeout, names)
		if err != nil {
			return result{trouble: "not tried", output: err.Error()}
		}
		if o.trouble != "" {
			return result{trouble: o.trouble, output: excerpt(o.output)}
		}
		for _, name := range names {
			if !o.failed[name] {
				return result{trouble: "SURVIVED", output: fmt.Sprintf("%s %s passes all the same", pkg, name)}
			}
		}
	}
	return result{}
}

// overlay writes the changed file and the go command's overlay into dir.
func (t tester) overlay(dir string, m mutant) (string, error) {
	changed, err := m.mutate(t.root)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(file, changed, 0o600); err != nil {
		return "", err
	}
	replace := map[string]string{filepath.Join(t.root, filepath.FromSlash(m.file)): file}
	description, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, description, 0o600)
}

// excerpt returns of an output what says most: its end, or the beginning of a
// panic.
func excerpt(output string) string {
	const most = 40
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	if strings.HasPrefix(output, "panic: ") {
		return strings.Join(lines[:min(most, len(lines))], "\n")
	}
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
