package engine

import (
	"context"

	"go.temporal.io/server/common/config"
)

// storage is where a server keeps everything.
type storage struct {
	// main holds workflows, visibility what lists of them are made from. They
	// are one database with SQLite.
	main, visibility *config.SQL
	// shards is how many parts the workflows are split into; it never changes.
	shards int32
	// clusterID is what the database knows the server by; it never changes.
	clusterID string
	// oneWriter is true where all writes share one connection.
	oneWriter bool
}

// openStorage opens what the options name, and creates it when it is missing.
// The ports are reserved on the way: before a database is made for nothing, and
// not long before they are used, because others pick free ones meanwhile.
func (e *Engine) openStorage(ctx context.Context, o Options) (*storage, error) {
	var err error
	if o.Database != "" {
		if _, err = reservePorts(o); err != nil {
			return nil, err
		}
		st, err := e.openPostgres(ctx, o)
		if err != nil {
			return nil, err
		}
		e.ports, err = reservePorts(o)
		return st, err
	}
	dir, err := openDir(o.Dir)
	if err != nil {
		return nil, err
	}
	e.onStop(dir.close)
	if e.ports, err = reservePorts(o); err != nil {
		return nil, err
	}
	clusterID, err := dir.clusterID()
	if err != nil {
		return nil, err
	}
	db, err := dir.openDatabase(ctx, o)
	if err != nil {
		return nil, err
	}
	return &storage{main: db, visibility: db, shards: 1, clusterID: clusterID, oneWriter: true}, nil
}
