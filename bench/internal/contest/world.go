package contest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // The driver "sqlite".

	"github.com/rewardflow/rewardflow/bench/internal/doubles"
	"github.com/rewardflow/rewardflow/bench/internal/peers"
)

// world is one run of one contender: its files, its databases, and the doubles,
// which outlive each of its processes.
type world struct {
	contender Contender
	contest   *contest
	dir       string
	doubles   *doubles.Doubles
	// secret is the last part of the webhook's path.
	secret string
	// ledger and engine are databases, empty on SQLite. A peer uses the first.
	ledger, engine string
	// listen and temporal are rewardflow's ports, the same for each process.
	listen, temporal int

	// url is where the newest process serves.
	url  atomic.Value
	http *http.Client
}

func (c *contest) newWorld(ctx context.Context, contender Contender) (_ *world, err error) {
	w := &world{contender: contender, contest: c, secret: rand.Text() + rand.Text()}
	w.http = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute}}
	if w.dir, err = c.directory(contender); err != nil {
		return nil, err
	}
	if contender.Postgres {
		name := fmt.Sprintf("bench_%02d", c.worlds)
		if w.ledger, err = c.postgres.Create(ctx, name); err == nil {
			w.engine, err = c.postgres.Create(ctx, name+"_engine")
		}
		if err != nil {
			return nil, fmt.Errorf("making a database: %w", err)
		}
	}
	if w.doubles, err = doubles.Start(w.dir); err != nil {
		return nil, err
	}
	if contender.Peer == "" {
		err = w.configure()
	}
	return w, err
}

// close ends the doubles and removes what the contender kept.
func (w *world) close() error {
	w.http.CloseIdleConnections()
	return errors.Join(w.doubles.Close(), os.RemoveAll(w.dir))
}

func (w *world) data() string   { return filepath.Join(w.dir, "data") }
func (w *world) config() string { return filepath.Join(w.dir, "rewardflow.yaml") }

// configure writes rewardflow's configuration: everything is paid at once, by
// the double. The rate limit is as high as it goes, because the double has none.
func (w *world) configure() error {
	var err error
	if w.listen, err = freePort(); err == nil {
		w.temporal, err = freePort()
	}
	if err != nil {
		return err
	}
	text := fmt.Sprintf(configuration, w.listen, w.data(), w.doubles.FirstPromoterURL, rand.Text(), w.secret, w.doubles.ProviderURL, rand.Text())
	if w.ledger != "" {
		text += fmt.Sprintf("database: %q\nengine: {database: %q}\n", w.ledger, w.engine)
	}
	return os.WriteFile(w.config(), []byte(text), 0o600)
}

const configuration = `listen: 127.0.0.1:%d
data_dir: %q
firstpromoter:
  base_url: %s
  api_key: %s
  webhook_secret: %s
  requests_per_minute: 60000
providers:
  team: {type: webhook, url: %s, secret: %s, allow_private_networks: true}
routes:
  - {provider: team}
policy:
  - {then: pay}
`

// spec is what a peer's process is told.
func (w *world) spec() (string, error) {
	spec, err := json.Marshal(peers.Spec{
		Peer: w.contender.Peer, Dir: w.data(), Database: w.ledger,
		FirstPromoter: w.doubles.FirstPromoterURL, Provider: w.doubles.ProviderURL, Secret: w.secret,
	})
	return string(spec), err
}

// size is how many bytes the contender's databases have, while no process of it
// runs.
func (w *world) size(ctx context.Context) (int64, error) {
	if !w.contender.Postgres {
		if err := w.checkpoint(ctx); err != nil {
			return 0, err
		}
		return directorySize(w.data())
	}
	conn, err := pgx.Connect(ctx, w.ledger)
	if err != nil {
		return 0, err
	}
	var total int64
	// The engine has a database of its own and one for its visibility.
	err = conn.QueryRow(ctx, `SELECT sum(pg_database_size(datname))::bigint FROM pg_database WHERE datname = $1 OR starts_with(datname, $1 || '_')`,
		conn.Config().Database).Scan(&total)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		return 0, fmt.Errorf("asking for the size of the databases: %w", err)
	}
	return total, nil
}

// checkpoint moves what stands in write-ahead logs into the databases. Not every
// process does so when it stops, and a log has the same size for any content.
func (w *world) checkpoint(ctx context.Context) error {
	return filepath.WalkDir(w.data(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".db" || !entry.Type().IsRegular() {
			return err
		}
		db, err := sql.Open("sqlite", "file:"+url.PathEscape(path))
		if err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
		if err := errors.Join(err, db.Close()); err != nil {
			return fmt.Errorf("checkpointing %s: %w", filepath.Base(path), err)
		}
		return nil
	})
}

func directorySize(dir string) (int64, error) {
	total := int64(0)
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// webhook is where events go now; empty while no process serves.
func (w *world) webhook() string {
	url, _ := w.url.Load().(string)
	if url == "" {
		return ""
	}
	return url + "/webhooks/firstpromoter/" + w.secret
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return 0, errors.Join(err, listener.Close())
	}
	number, err := strconv.Atoi(port)
	return number, errors.Join(err, listener.Close())
}
