package contest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rewardflow/rewardflow/bench/internal/disk"
)

// module is rewardflow's, which this module replaces by the directory above.
const module = "github.com/rewardflow/rewardflow"

// Programs are what the contenders' processes run.
type Programs struct {
	// Standalone is rewardflow, Plain the plain workflow, Peer all others.
	Standalone, Plain, Peer string
}

// Build builds the programs into a directory, rewardflow by its own go.mod as
// its users do. The working directory is in the module bench.
func Build(ctx context.Context, dir string) (Programs, error) {
	p := Programs{
		Standalone: filepath.Join(dir, "standalone"), Plain: filepath.Join(dir, "plain"), Peer: filepath.Join(dir, "peer"),
	}
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return p, fmt.Errorf("looking for rewardflow's module (run this in the directory bench): %w", err)
	}
	for _, program := range []struct{ dir, out, pkg string }{
		{strings.TrimSpace(string(root)), p.Standalone, module + "/cmd/standalone"},
		{"", p.Plain, module + "/bench/cmd/plain"},
		{"", p.Peer, module + "/bench/cmd/peer"},
	} {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", program.out, program.pkg)
		cmd.Dir, cmd.Stderr = program.dir, os.Stderr
		if err := cmd.Run(); err != nil {
			return p, fmt.Errorf("building %s: %w", program.pkg, err)
		}
	}
	disk.Flush() // What is measured does not wait for what was built.
	return p, nil
}

// of returns the program that a contender's processes run.
func (p Programs) of(c Contender) string {
	switch c.Peer {
	case "":
		return p.Standalone
	case "plain":
		return p.Plain
	}
	return p.Peer
}
