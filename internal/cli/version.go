package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/buildinfo"
)

// versionDocument says what this program was built from.
type versionDocument struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (p *Program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			v := versionDocument{
				Version:  p.env.Version,
				Commit:   buildinfo.Commit(),
				Go:       runtime.Version(),
				Platform: runtime.GOOS + "/" + runtime.GOARCH,
			}
			raw, err := json.Marshal(v)
			if err != nil {
				return fmt.Errorf("writing the version: %w", err)
			}
			return p.emit(raw, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "rewardflow %s (%s, %s)\n", v.Version, v.Go, v.Platform)
				return err
			})
		},
	}
}
