package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// cleanups is a stack of named things to undo, the newest first.
type cleanups struct {
	mu    sync.Mutex
	stack []cleanup
	log   *slog.Logger
}

type cleanup struct {
	name string
	undo func(ctx context.Context) error
}

func (c *cleanups) add(name string, undo func(ctx context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stack = append(c.stack, cleanup{name, undo})
}

// run undoes everything once; a second call does nothing.
func (c *cleanups) run(ctx context.Context) error {
	c.mu.Lock()
	stack := c.stack
	c.stack = nil
	c.mu.Unlock()

	var errs []error
	for i := len(stack) - 1; i >= 0; i-- {
		c.log.DebugContext(ctx, "app.stopping", "part", stack[i].name)
		if err := stack[i].undo(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stopping %s: %w", stack[i].name, err))
		}
	}
	return errors.Join(errs...)
}
