// Command notes prints what CHANGELOG.md says about a version, and fails where
// the repository is not ready to be tagged with it: go run ./notes v1.2.3.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/rewardflow/rewardflow/release"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: go run ./notes v1.2.3, in release/")
	}
	notes, err := release.Notes("..", args[0])
	if err != nil {
		return err
	}
	_, err = fmt.Print(notes) //nolint:forbidigo // What the command is for.
	return err
}
