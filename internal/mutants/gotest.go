package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// outcome is what became of the tests of one package.
type outcome struct {
	// passed and failed are the tests by name.
	passed, failed map[string]bool
	// trouble says why the tests say nothing: they could not be built, hung,
	// panicked, or failed outside every test. It is empty when they do.
	trouble string
	// output is all that was printed.
	output string
}

// event is one line of go test -json (go doc cmd/test2json).
type event struct {
	Action string
	Test   string
	Output string
}

// goTest runs the named tests of one package. overlay is the path of an
// overlay for the go command, or empty. The error says that the go command
// itself could not be run.
func goTest(ctx context.Context, root, pkg, overlay string, timeout time.Duration, names []string) (outcome, error) {
	args := []string{"test", "-json", "-vet=off", "-timeout", timeout.String(), "-run", pattern(names)}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = root
	// The go command stops its tests before it ends itself.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return outcome{}, ctx.Err()
	}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return outcome{}, fmt.Errorf("running go test: %w", err)
	}
	return judge(stdout.Bytes(), stderr.String(), err != nil), nil
}

// pattern selects exactly the named tests.
func pattern(names []string) string {
	var alternatives []string
	for _, name := range names {
		levels := strings.Split(name, "/")
		for i, level := range levels {
			levels[i] = "^" + regexp.QuoteMeta(level) + "$"
		}
		alternatives = append(alternatives, strings.Join(levels, "/"))
	}
	return strings.Join(alternatives, "|")
}

// judge reads the events of one go test.
func judge(stdout []byte, stderr string, failed bool) outcome {
	o := outcome{passed: map[string]bool{}, failed: map[string]bool{}}
	built, hung, panicked := true, false, false
	var text strings.Builder
	lines := bufio.NewScanner(bytes.NewReader(stdout))
	lines.Buffer(nil, len(stdout)+1)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			text.Write(append(lines.Bytes(), '\n'))
			continue
		}
		text.WriteString(e.Output)
		switch {
		case e.Action == "build-fail":
			built = false
		case e.Action == "pass" && e.Test != "":
			o.passed[e.Test] = true
		case e.Action == "fail" && e.Test != "":
			o.failed[e.Test] = true
		}
		hung = hung || strings.HasPrefix(e.Output, "panic: test timed out")
		panicked = panicked || strings.HasPrefix(e.Output, "panic: ") || strings.HasPrefix(e.Output, "fatal error: ")
	}
	o.output = text.String() + stderr
	if _, after, ok := strings.Cut(o.output, "\npanic: "); ok && (hung || panicked) {
		o.output = "panic: " + after
	}
	switch {
	case !failed:
	case !built:
		o.trouble = "does not compile"
	case hung:
		o.trouble = "timed out"
	case panicked:
		o.trouble = "panicked"
	case len(o.failed) == 0:
		o.trouble = "failed outside every test"
	}
	return o
}
