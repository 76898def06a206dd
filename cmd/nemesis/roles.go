package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/nemesis"
)

// The roles are what the nemesis starts itself as.

func doubleCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "double firstpromoter|provider [URL...]", Short: "Run a double (the nemesis starts it itself)", Hidden: true,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return nemesis.RunDouble(args[0], dir, args[1:]) },
	}
	c.Flags().StringVar(&dir, "dir", ".", "where its books are")
	return c
}

func engineCommand() *cobra.Command {
	var dir string
	var port int
	var faults bool
	var seed int64
	c := &cobra.Command{
		Use: "engine", Short: "Run a Temporal server (the nemesis starts it itself)", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return nemesis.RunEngine(dir, port, faults, seed) },
	}
	c.Flags().StringVar(&dir, "dir", ".", "where its database is")
	c.Flags().IntVar(&port, "port", 0, "where it listens")
	c.Flags().BoolVar(&faults, "store-faults", false, "let its database fail now and then")
	c.Flags().Int64Var(&seed, "seed", 1, "which calls fail")
	return c
}

// smallDisk is how long a file may grow, in bytes, where the disk is full.
const smallDisk = 16 << 10

func limitedCommand() *cobra.Command {
	return &cobra.Command{
		Use: "limited -- PROGRAM [ARG...]", Short: "Run a program whose files cannot grow (the nemesis starts it itself)", Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("limited needs a program")
			}
			return nemesis.Limited(smallDisk, args, os.Environ())
		},
	}
}
