package contest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rewardflow/rewardflow/bench/internal/peers"
)

// patience is how long a process may take to serve, and to stop.
const patience = 90 * time.Second

// process is one life of a contender.
type process struct {
	peers.Ready

	// startedIn is how long it took from its start until it served.
	startedIn time.Duration

	cmd *exec.Cmd
	log string
	// ended is closed when it has ended, with what Wait said in err.
	ended chan struct{}
	err   error
}

// start starts a process and waits until it serves. The error wraps errRefused
// when the process ended before.
func (w *world) start(ctx context.Context) (*process, error) {
	p := &process{log: filepath.Join(w.dir, "log"), ended: make(chan struct{})}
	program := w.contest.Programs.of(w.contender)
	if w.contender.Peer == "" {
		p.cmd = exec.CommandContext(ctx, program, "serve", "--config", w.config(),
			"--temporal-port", strconv.Itoa(w.temporal), "--ui-port", "-1")
		p.cmd.Env = withoutOurs(os.Environ())
	} else {
		spec, err := w.spec()
		if err != nil {
			return nil, err
		}
		p.cmd = exec.CommandContext(ctx, program)
		p.cmd.Env = append(os.Environ(), peers.Variable+"="+spec)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Stderr = log
	if _, err := p.cmd.StdinPipe(); err != nil { // Its end tells an orphan to go.
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	said := make(chan peers.Ready, 1)
	go p.follow(out, said)
	if w.contender.Peer == "" {
		p.Ready = peers.Ready{URL: fmt.Sprintf("http://127.0.0.1:%d", w.listen), Temporal: fmt.Sprintf("127.0.0.1:%d", w.temporal)}
		said = nil
	}
	if err := p.await(ctx, w.http, said); err != nil {
		p.kill()
		return nil, err
	}
	p.startedIn = time.Since(began)
	w.url.Store(p.URL)
	return p, nil
}

// withoutOurs leaves out what would configure rewardflow from the outside.
func withoutOurs(environ []string) []string {
	var kept []string
	for _, variable := range environ {
		if !strings.HasPrefix(variable, "REWARDFLOW_") && !strings.HasPrefix(variable, "TEMPORAL_") && !strings.HasPrefix(variable, "OTEL_") {
			kept = append(kept, variable)
		}
	}
	return kept
}

// follow reads what the process says, and then waits for its end.
func (p *process) follow(out io.Reader, said chan<- peers.Ready) {
	var r peers.Ready
	reader := bufio.NewReader(out)
	if line, err := reader.ReadBytes('\n'); err == nil && json.Unmarshal(line, &r) == nil {
		said <- r
	}
	_, _ = io.Copy(io.Discard, reader)
	p.err = p.cmd.Wait()
	close(p.ended)
}

// await returns when the process says that it is ready; a peer says where it
// is first.
func (p *process) await(ctx context.Context, client *http.Client, said <-chan peers.Ready) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case p.Ready = <-said:
			said = nil
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("%w: %s", errRefused, p.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("it does not serve within %s: %s", patience, p.lastWords())
		}
		if said == nil && ready(ctx, client, p.URL) {
			return nil
		}
	}
}

func ready(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// kill ends the process without giving it a chance to do anything. It may be
// called on one that has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop ends the process as an operator would.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("it did not stop well: %w: %s", p.err, p.lastWords())
		}
		return nil
	case <-timer.C:
		p.kill()
		return errors.New("it did not stop: " + p.lastWords())
	}
}

// lastWords is the last line of the process's log, without the directory's name.
func (p *process) lastWords() string {
	log, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	words := string(bytes.TrimSpace(lines[len(lines)-1]))
	return strings.ReplaceAll(words, filepath.Dir(p.log)+string(filepath.Separator), "")
}

// memory is the most resident memory that the process had, in bytes; zero where
// the system does not say.
func (p *process) memory() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			if err == nil {
				return kilobytes << 10
			}
		}
	}
	return 0
}
