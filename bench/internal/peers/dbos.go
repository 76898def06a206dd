package peers

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	_ "github.com/dbos-inc/dbos-transact-golang/dbos/driver/sqlite" // What its SQLite support asks for.
)

// dbosConnections is how many connections DBOS gives itself on SQLite.
const dbosConnections = 8

// dbosPeer is a DBOS workflow of three steps. The workflow's ID is the reward's,
// so a repeated event finds the first one; each step's result is recorded, and a
// start takes up what an earlier process left pending
// (https://docs.dbos.dev/golang/tutorials/workflow-tutorial).
type dbosPeer struct {
	ctx      dbos.Context
	pipeline *Pipeline
	database *sql.DB // nil on PostgreSQL
}

func openDBOS(ctx context.Context, s Setting) (Peer, error) {
	p := &dbosPeer{pipeline: s.Pipeline}
	config := dbos.Config{
		AppName: "rewards", DatabaseURL: s.Database, Logger: s.Logger,
		// The default is a digest of the program. Said here, so that a second
		// start is the same version, and takes up what the first one left.
		ApplicationVersion: "1",
	}
	if s.Database == "" {
		// Its own handle commits without a sync (synchronous=NORMAL).
		db, err := openSQLite(ctx, s.Dir, "dbos.db", dbosConnections)
		if err != nil {
			return nil, err
		}
		p.database, config.SQLiteSystemDB = db, db
	}
	var err error
	if p.ctx, err = dbos.NewContext(context.WithoutCancel(ctx), config); err != nil {
		return nil, err
	}
	dbos.RegisterWorkflow(p.ctx, p.fulfil, dbos.WithWorkflowName("fulfil"))
	return p, dbos.Launch(p.ctx)
}

func (p *dbosPeer) Accept(_ context.Context, r Reward) error {
	_, err := dbos.RunWorkflow(p.ctx, p.fulfil, r, dbos.WithWorkflowID(r.Key()))
	return err
}

func (p *dbosPeer) fulfil(ctx dbos.Context, r Reward) (string, error) {
	completed, err := step(ctx, "verify", func(ctx context.Context) (bool, error) { return p.pipeline.Verify(ctx, r) })
	if err != nil || completed {
		return "", err
	}
	reference, err := step(ctx, "pay", func(ctx context.Context) (string, error) { return p.pipeline.Pay(ctx, r) })
	if err != nil {
		return "", err
	}
	_, err = step(ctx, "close", func(ctx context.Context) (bool, error) { return true, p.pipeline.Finish(ctx, r) })
	return reference, err
}

// step runs a step that is tried again when it fails.
func step[R any](ctx dbos.Context, name string, run func(context.Context) (R, error)) (R, error) {
	return dbos.RunAsStep(ctx, func(ctx context.Context) (R, error) {
		ctx, cancel := context.WithTimeout(ctx, TryFor)
		defer cancel()
		return run(ctx)
	}, dbos.WithStepName(name), dbos.WithStepMaxRetries(10), dbos.WithStepBaseInterval(time.Second))
}

func (p *dbosPeer) Address() string { return "" }

func (p *dbosPeer) Close() error {
	err := dbos.Shutdown(p.ctx, TryFor)
	if p.database != nil {
		err = errors.Join(err, p.database.Close())
	}
	return err
}
