package nemesis

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rewardflow/rewardflow/internal/crashpoint"
	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/postgrestest"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The nemesis's own books.
const (
	happenedFile = "nemesis.jsonl"
	spokenFile   = "decisions.jsonl"
	shownFile    = "shown.jsonl"
	probesFile   = "probes.jsonl"
)

// world is everything that runs.
type world struct {
	o   Options
	s   Schedule
	dir string
	bin binaries

	happened, spoken, shown, probes *book
	wires                           *wires
	slots                           map[string]*slot
	engine                          *slot
	doubles                         []*process
	control                         string // Of FirstPromoter's double.
	http                            *http.Client
	// urls are the APIs behind the people's wires, direct the APIs themselves.
	urls, direct []string
	temporal     string
	enginePort   int
	// said counts decisions, so that each has a key of its own.
	said atomic.Int64
	// faulty is set while the engine's store shall fail.
	faulty bool
	// deployed is the binary that workers run, and ids the rewards by their
	// position in the schedule.
	mu       sync.Mutex
	deployed string
	limited  map[string]bool
	ids      map[int]reward.ID
	digests  map[string]reward.Digest
	// engineMu keeps disasters with Temporal apart.
	engineMu sync.Mutex
	// postgres is the run's own server; nil where it has none.
	postgres    *postgrestest.Server
	databaseURL string
}

// binaries are the programs under attack: the lean one, and one with a workflow
// that does not replay.
type binaries struct{ good, bad string }

func (w *world) books(name string) string { return filepath.Join(w.dir, "books", name) }
func (w *world) dataDir() string          { return filepath.Join(w.dir, "data") }
func (w *world) ledgerFile() string       { return filepath.Join(w.dataDir(), "ledger.db") }
func (w *world) temporalDir() string      { return filepath.Join(w.dir, "temporal") }

// note writes into the nemesis's book what it did.
func (w *world) note(what string, more map[string]any) {
	_ = w.happened.write(happening{At: time.Now().UTC(), What: what, More: more})
}

// newWorld starts everything and returns when it serves.
func newWorld(ctx context.Context, o Options, s Schedule, dir string, bin binaries) (*world, error) {
	w := &world{
		o: o, s: s, dir: dir, bin: bin, deployed: bin.good, limited: map[string]bool{},
		wires: newWires(), slots: map[string]*slot{}, ids: map[int]reward.ID{}, digests: map[string]reward.Digest{},
		http: &http.Client{Timeout: 8 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8, DisableKeepAlives: true}},
	}
	for _, sub := range []string{"books", "logs", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return w, err
		}
	}
	for name, b := range map[string]**book{happenedFile: &w.happened, spokenFile: &w.spoken, shownFile: &w.shown, probesFile: &w.probes} {
		var err error
		if *b, err = openBook(w.books(name)); err != nil {
			return w, err
		}
	}
	if err := w.build(ctx); err != nil {
		return w, err
	}
	return w, w.awaitReady(ctx, 2*time.Minute)
}

// build lays the wires and starts the processes: the doubles first, then the
// engine, then the processes under attack.
func (w *world) build(ctx context.Context) error {
	if err := w.startPostgres(ctx); err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	w.temporal = address
	w.enginePort, _ = strconv.Atoi(address[strings.LastIndexByte(address, ':')+1:])
	w.engine = w.newSlot("engine", w.engineCommand)

	addresses := map[string]string{}
	var hooks []string
	for _, name := range w.s.slots() {
		if addresses[name], err = freeAddress(); err != nil {
			return err
		}
		if isWorker(name) {
			continue
		}
		hook, err := w.wires.lay("firstpromoter>"+name, addresses[name])
		if err != nil {
			return err
		}
		people, err := w.wires.lay("people>"+name, addresses[name])
		if err != nil {
			return err
		}
		hooks, w.urls = append(hooks, "http://"+hook), append(w.urls, "http://"+people)
		w.direct = append(w.direct, "http://"+addresses[name])
	}
	fp, err := w.double("firstpromoter", hooks...)
	if err != nil {
		return err
	}
	w.control = "http://" + fp.Control
	provider, err := w.double("provider")
	if err != nil {
		return err
	}
	if err := w.engine.start(); err != nil {
		return err
	}
	for _, name := range w.s.slots() {
		if err := w.addSlot(ctx, name, addresses[name], fp.Address, provider.Address); err != nil {
			return err
		}
	}
	return nil
}

// addSlot lays what the process dials, configures it and starts it.
func (w *world) addSlot(ctx context.Context, name, listen, firstPromoter, provider string) error {
	temporal, err := w.wires.lay(name+">engine", w.temporal)
	if err == nil && isWorker(name) {
		if firstPromoter, err = w.wires.lay(name+">firstpromoter", firstPromoter); err == nil {
			provider, err = w.wires.lay(name+">provider", provider)
		}
	}
	if err != nil {
		return err
	}
	database, err := w.wirePostgres(name)
	if err != nil {
		return err
	}
	file := filepath.Join(w.dir, name+".yaml")
	text := fmt.Sprintf(configuration, listen, w.dataDir(), database, "http://"+firstPromoter+simulator.BasePath, apiKey, webhookSecret,
		"http://"+provider+"/rewards", providerSecret, policyYAML, capsYAML, operatorsYAML())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	command := "api"
	if isWorker(name) {
		command = "worker"
	}
	w.slots[name] = w.newSlot(name, func() *exec.Cmd {
		w.mu.Lock()
		defer w.mu.Unlock()
		program := w.bin.good
		if isWorker(name) {
			program = w.deployed
		}
		argv := []string{program, command, "--config", file}
		if w.limited[name] {
			argv = append([]string{w.o.Self, "limited", "--"}, argv...)
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TEMPORAL_ADDRESS=" + temporal}
		return cmd
	})
	if len(w.slots) > 1 {
		return w.slots[name].start()
	}
	return w.startFirst(ctx, w.slots[name], file)
}

// startFirst starts the process that makes the ledger's schema, has it killed
// in the middle of that, and waits until it has died of it.
func (w *world) startFirst(ctx context.Context, s *slot, config string) error {
	if w.s.Postgres {
		if err := w.migrate(ctx, config); err != nil {
			return err
		}
		return s.start()
	}
	if w.s.Migration == 0 {
		return s.start()
	}
	if err := s.start(crashpoint.Setting(crashpoint.InMigration, w.s.Migration, crashpoint.Kill)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	select {
	case <-s.ended():
	case <-ctx.Done():
		// It has fewer steps than that, or a slow disk.
	}
	return nil
}

// configuration is that of one process.
const configuration = `
listen: %s
data_dir: %q
database: %q
drain_for: 0s
firstpromoter:
  base_url: %s
  api_key: %s
  webhook_secret: %s
  requests_per_minute: 6000
  close_by_answer_after: 3s
providers:
  team: {type: webhook, url: %q, secret: %s, allow_private_networks: true, timeout: 2s}
routes:
  - {unit: cash, provider: team, currency: USD}
  - {provider: team}
policy:%s
brake: %s
approvals: {unverified: ignore}
operators:
%s
notifications:
  - {events: [lead_signup], channel: {type: log}}
`

func (w *world) newSlot(name string, command func() *exec.Cmd) *slot {
	return &slot{name: name, command: command, logs: filepath.Join(w.dir, "logs"), note: w.note}
}

func (w *world) engineCommand() *exec.Cmd {
	args := []string{"engine", "--dir", w.temporalDir(), "--port", strconv.Itoa(w.enginePort), "--seed", strconv.FormatUint(w.s.Seed%1000, 10)}
	w.mu.Lock()
	if w.faulty {
		args = append(args, "--store-faults")
	}
	w.mu.Unlock()
	cmd := exec.Command(w.o.Self, args...)
	cmd.Env = os.Environ()
	// Its end tells an orphan to go; the pipe is held for as long as it lives.
	_, _ = cmd.StdinPipe()
	return cmd
}

// double starts one of the doubles.
func (w *world) double(name string, urls ...string) (say, error) {
	log, err := os.OpenFile(filepath.Join(w.dir, "logs", name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return say{}, err
	}
	defer log.Close()
	cmd := exec.Command(w.o.Self, append([]string{"double", name, "--dir", filepath.Join(w.dir, "books")}, urls...)...)
	cmd.Env = os.Environ()
	if w.o.ProviderMemory > 0 {
		cmd.Env = append(cmd.Env, MemoryVariable+"="+w.o.ProviderMemory.String())
	}
	p, said, err := role(cmd, log)
	if err != nil {
		return said, fmt.Errorf("starting the double %s: %w", name, err)
	}
	w.doubles = append(w.doubles, p)
	return said, nil
}

// close ends everything.
func (w *world) close() {
	for _, s := range w.slots {
		wake(s.pid())
		s.down()
	}
	if w.engine != nil {
		w.engine.down()
	}
	for _, p := range w.doubles {
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	w.wires.close()
	for _, s := range w.slots {
		s.keeper.Wait()
	}
	if w.engine != nil {
		w.engine.keeper.Wait()
	}
	if w.postgres != nil {
		_ = w.postgres.Close()
		w.postgres = nil
	}
	for _, b := range []*book{w.happened, w.spoken, w.shown, w.probes} {
		if b != nil {
			_ = b.close()
		}
	}
}
