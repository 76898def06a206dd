package nemesis

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// slot is the place of one process, which may die and be started again many
// times.
type slot struct {
	name string
	// command returns the command of the next start.
	command func() *exec.Cmd
	// logs is a directory with one file for everything that its processes said.
	logs string
	note func(what string, more map[string]any)

	mu      sync.Mutex
	process *process
	// up says that the slot shall run: a process that ends by itself is started
	// again.
	up bool
	// armed says that the present process may end itself.
	armed bool
	// pause is how long an end that nobody asked for is left as it is.
	pause  time.Duration
	keeper sync.WaitGroup
}

// process is one life in a slot.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

const restartPause = 500 * time.Millisecond

// start runs the slot's process, armed by more lines for its environment.
func (s *slot) start(environ ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = true
	return s.run(environ)
}

// run starts a process and watches it. The caller holds mu.
func (s *slot) run(environ []string) error {
	if s.process != nil {
		select {
		case <-s.process.ended:
		default:
			return nil // It runs.
		}
	}
	cmd := s.command()
	cmd.Env = append(cmd.Env, environ...)
	log, err := os.OpenFile(filepath.Join(s.logs, s.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	cmd.Stderr = log
	if err := launch(cmd); err != nil {
		return fmt.Errorf("starting %s: %w", s.name, err)
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	s.process, s.armed = p, len(environ) > 0
	s.note("started", map[string]any{"slot": s.name, "pid": cmd.Process.Pid, "armed": environ})
	s.keeper.Go(func() { s.watch(p) })
	return nil
}

// watch waits for a process's end, and starts the next one where the slot
// shall run.
func (s *slot) watch(p *process) {
	err := p.cmd.Wait()
	close(p.ended)
	s.note("ended", map[string]any{"slot": s.name, "pid": p.cmd.Process.Pid, "how": fmt.Sprint(err)})
	s.mu.Lock()
	pause := max(s.pause, restartPause)
	s.mu.Unlock()
	time.Sleep(pause)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause = 0
	if s.up && s.process == p {
		if err := s.run(nil); err != nil {
			s.note("not_started", map[string]any{"slot": s.name, "error": err.Error()})
		}
	}
}

// kill ends the slot's process, which comes back after the pause.
func (s *slot) kill(pause time.Duration) {
	s.mu.Lock()
	s.pause = pause
	p := s.process
	s.mu.Unlock()
	if p != nil {
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// down ends the slot's process for good, or until start.
func (s *slot) down() {
	s.mu.Lock()
	s.up = false
	p := s.process
	s.mu.Unlock()
	if p != nil {
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// arm kills the slot's process and starts one that acts at a point.
func (s *slot) arm(setting string, pause time.Duration) error {
	s.down()
	if err := s.start(setting); err != nil {
		return err
	}
	s.mu.Lock()
	s.pause = pause
	s.mu.Unlock()
	return nil
}

// ended is closed when the slot's present process has ended.
func (s *slot) ended() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.ended
}

func (s *slot) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	select {
	case <-s.process.ended:
		return 0
	default:
		return s.process.cmd.Process.Pid
	}
}

// say is what a child of our own binary tells on its first line.
type say struct {
	Address string `json:"address"`
	Control string `json:"control"`
}

// role starts this binary in another role, which lives for as long as it is
// wanted, and returns what it said.
func role(cmd *exec.Cmd, log io.Writer) (*process, say, error) {
	cmd.Stderr = log
	var said say
	if _, err := cmd.StdinPipe(); err != nil { // Its end tells an orphan to go.
		return nil, said, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, said, err
	}
	if err := launch(cmd); err != nil {
		return nil, said, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	line := make(chan []byte, 1)
	go func() {
		first, _ := bufio.NewReader(out).ReadBytes('\n')
		line <- first
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		close(p.ended)
	}()
	select {
	case first := <-line:
		if err := json.Unmarshal(first, &said); err != nil {
			_ = cmd.Process.Kill()
			return nil, said, errors.New("it ended before it was ready; its log says why")
		}
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		return nil, said, errors.New("it was not ready within a minute")
	}
	return p, said, nil
}

// untilOrphaned ends this process when whoever started it is gone.
func untilOrphaned() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(3)
}
