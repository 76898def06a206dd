package nemesis

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rewardflow/rewardflow/internal/sources"
)

// Edit replaces a text that stands once in a file of the module.
type Edit struct {
	File, Old, New string
	// Imports are paths that the file needs in addition.
	Imports []string
}

// badWorkflow makes every fulfilment sleep first, which no history of the good
// code says.
var badWorkflow = Edit{
	File: "workflows/fulfilment.go",
	Old:  "	run := newRun(ctx, in)\n",
	New:  "	_ = workflow.Sleep(ctx, time.Millisecond)\n	run := newRun(ctx, in)\n",
}

// buildPrograms builds the lean binary, changed by the options' edits, and the
// bad deployment where the schedule has one.
func buildPrograms(ctx context.Context, o Options, s Schedule, dir string) (b binaries, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return b, err
	}
	if b.good = o.Program; b.good == "" || len(o.Edits) > 0 {
		b.good = filepath.Join(dir, "rewardflow")
		if err := build(ctx, o.Module, b.good, o.Edits); err != nil {
			return b, err
		}
	}
	if slices.ContainsFunc(s.Acts, func(a Act) bool { return a.Kind == BadDeploy }) {
		b.bad = filepath.Join(dir, "rewardflow-bad")
		err = build(ctx, o.Module, b.bad, append(slices.Clone(o.Edits), badWorkflow))
	}
	return b, err
}

// build builds the lean binary from the module's sources, with edits laid over
// them. Nothing in the work tree is touched.
func build(ctx context.Context, module, target string, edits []Edit) error {
	args := []string{"build", "-o", target}
	if len(edits) > 0 {
		overlay, err := overlay(module, target, edits)
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/rewardflow")...)
	cmd.Dir = module
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building the program under attack: %w\n%s", err, said.String())
	}
	return nil
}

// overlay writes the changed files beside the target.
func overlay(module, target string, edits []Edit) (string, error) {
	changed := map[string]string{}
	for _, e := range edits {
		text, ok := changed[e.File]
		if !ok {
			data, err := os.ReadFile(filepath.Join(module, filepath.FromSlash(e.File)))
			if err != nil {
				return "", err
			}
			text = string(data)
		}
		after, err := e.apply(text)
		if err != nil {
			return "", err
		}
		changed[e.File] = after
	}
	replace := map[string]string{}
	for file, text := range changed {
		draft := target + "-" + strings.ReplaceAll(file, "/", "-")
		if err := os.WriteFile(draft, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(module, filepath.FromSlash(file))] = draft
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := target + "-overlay.json"
	return name, os.WriteFile(name, data, 0o600)
}

func (e Edit) apply(text string) (string, error) {
	return sources.Apply(e.File, text, []sources.Edit{{Old: e.Old, New: e.New}}, e.Imports)
}
