package peers

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

const (
	// riverWorkers is the number of River's own examples.
	riverWorkers = 100
	// River's defaults (100 ms, 1 s) are for many processes on one database; on
	// one machine a shorter pause costs nothing and answers sooner.
	riverCooldown = 20 * time.Millisecond
	riverPoll     = 100 * time.Millisecond
)

// riverPeer is a River job of three resumable steps, unique by the reward's ID
// (https://riverqueue.com/docs/unique-jobs, https://riverqueue.com/docs/resumable-jobs).
// That the payout was made is committed before the close is tried. A job whose
// process died is found by River's rescuer, which runs twice a minute.
type riverPeer[TTx any] struct {
	client *river.Client[TTx]
	close  func() error
}

type rewardJob struct {
	Reward Reward `json:"reward"`
	// RewardID is what makes it unique.
	RewardID int64 `json:"reward_id" river:"unique"`
}

func (rewardJob) Kind() string { return "reward" }

func (rewardJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

func openRiverSQLite(ctx context.Context, s Setting) (Peer, error) {
	// One connection, as the driver's documentation advises.
	db, err := openSQLite(ctx, s.Dir, "river.db", 1)
	if err != nil {
		return nil, err
	}
	return openRiver(ctx, s, riversqlite.New(db), db.Close, func(ctx context.Context, job *river.Job[rewardJob]) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := river.ResumableSetStepTx[*riversqlite.Driver, *sql.Tx](ctx, tx, job); err != nil {
			return err
		}
		return tx.Commit()
	})
}

func openRiverPostgres(ctx context.Context, s Setting) (Peer, error) {
	config, err := pgxpool.ParseConfig(s.Database)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 20 // What DBOS gives itself; the default is 4.
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	end := func() error { pool.Close(); return nil }
	return openRiver(ctx, s, riverpgxv5.New(pool), end, func(ctx context.Context, job *river.Job[rewardJob]) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			_, err := river.ResumableSetStepTx[*riverpgxv5.Driver, pgx.Tx](ctx, tx, job)
			return err
		})
	})
}

func openRiver[TTx any](ctx context.Context, s Setting, driver riverdriver.Driver[TTx], end func() error, checkpoint checkpoint) (Peer, error) {
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: s.Logger})
	if err == nil {
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	}
	if err != nil {
		return nil, errors.Join(err, end())
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &rewardWorker{pipeline: s.Pipeline, checkpoint: checkpoint})
	client, err := river.NewClient(driver, &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {
			MaxWorkers: riverWorkers, FetchCooldown: riverCooldown, FetchPollInterval: riverPoll,
		}},
		Workers: workers, Logger: s.Logger,
		// A job of a dead process may be taken up no sooner than it could still
		// be running.
		JobTimeout: TryFor, RescueStuckJobsAfter: TryFor + time.Second, RetryPolicy: soon{},
	})
	if err == nil {
		err = client.Start(context.WithoutCancel(ctx))
	}
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return &riverPeer[TTx]{client: client, close: end}, nil
}

func (p *riverPeer[TTx]) Accept(ctx context.Context, r Reward) error {
	_, err := p.client.Insert(ctx, rewardJob{Reward: r, RewardID: r.ID}, nil)
	return err
}

func (p *riverPeer[TTx]) Address() string { return "" }

func (p *riverPeer[TTx]) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), TryFor)
	defer cancel()
	return errors.Join(p.client.Stop(ctx), p.close())
}

// checkpoint commits that the step that runs is done.
type checkpoint func(ctx context.Context, job *river.Job[rewardJob]) error

type rewardWorker struct {
	river.WorkerDefaults[rewardJob]

	pipeline   *Pipeline
	checkpoint checkpoint
}

func (w *rewardWorker) Work(ctx context.Context, job *river.Job[rewardJob]) error {
	r, done := job.Args.Reward, false
	river.ResumableStep(ctx, "verify", nil, func(ctx context.Context) (err error) {
		done, err = w.pipeline.Verify(ctx, r)
		return err
	})
	river.ResumableStep(ctx, "pay", nil, func(ctx context.Context) error {
		if done {
			return nil
		}
		if _, err := w.pipeline.Pay(ctx, r); err != nil {
			return err
		}
		return w.checkpoint(ctx, job)
	})
	river.ResumableStep(ctx, "close", nil, func(ctx context.Context) error {
		if done {
			return nil
		}
		return w.pipeline.Finish(ctx, r)
	})
	return nil
}

// soon tries again after a second. River's own policy waits for minutes after a
// few tries, and a job that was killed a few times would look lost.
type soon struct{}

func (soon) NextRetry(*rivertype.JobRow) time.Time { return time.Now().Add(time.Second) }

var _ river.ClientRetryPolicy = soon{}
