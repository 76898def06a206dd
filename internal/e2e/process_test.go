package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startWithin is how long a child may take until it serves, on a machine that
// is busy with other tests.
const startWithin = time.Minute

// process is a child.
type process struct {
	ready

	cmd *exec.Cmd
	log *tail
	// serves gets the child's word that it serves, and is closed when the
	// child can say nothing more.
	serves chan ready
	// ended is closed when the child has ended, with what Wait said in err.
	ended chan struct{}
	err   error
}

// launch starts a child and does not wait for it. It is killed when the test
// ends.
func launch(t *testing.T, s spec, environ ...string) *process {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	encoded, err := json.Marshal(s)
	require.NoError(t, err)

	p := &process{
		cmd:    exec.CommandContext(context.WithoutCancel(t.Context()), self),
		log:    &tail{},
		serves: make(chan ready, 1),
		ended:  make(chan struct{}),
	}
	p.cmd.Env = append(slices.Concat(os.Environ(), environ), childVariable+"="+string(encoded))
	p.cmd.Stderr = p.log
	_, err = p.cmd.StdinPipe() // Its end tells an orphan to go.
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go p.follow(out)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the log of process %d:\n%s", p.cmd.Process.Pid, p.log.last(200))
		}
	})
	return p
}

// follow reads what the child says, and then waits for its end.
func (p *process) follow(out io.Reader) {
	var r ready
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil && json.Unmarshal(line, &r) == nil {
		p.serves <- r
	}
	close(p.serves)
	_, _ = io.Copy(io.Discard, out)
	p.err = p.cmd.Wait()
	close(p.ended)
}

// start starts a child and waits until it serves.
func start(t *testing.T, s spec, environ ...string) *process {
	t.Helper()
	p := launch(t, s, environ...)
	p.awaitReady(t)
	return p
}

func (p *process) awaitReady(t *testing.T) {
	t.Helper()
	timer := time.NewTimer(startWithin)
	defer timer.Stop()
	select {
	case r, serves := <-p.serves:
		if !serves {
			<-p.ended
			require.FailNow(t, "the process ended before it served", "%v\n%s", p.err, p.log.last(20))
		}
		p.ready = r
	case <-timer.C:
		require.FailNow(t, "the process does not serve", p.log.last(20))
	}
}

// refuses starts a child that must not come up, and returns its last words.
func refuses(t *testing.T, s spec) string {
	t.Helper()
	p := launch(t, s)
	timer := time.NewTimer(startWithin)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		require.FailNow(t, "the process has not ended", p.log.last(20))
	}
	require.Error(t, p.err, "it must end with an error")
	_, words, found := strings.Cut(p.log.String(), "child: ")
	require.True(t, found, p.log.String())
	return strings.TrimSpace(words)
}

// kill ends the child without giving it a chance to do anything. It may be
// called on one that has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop ends the child as an operator would.
func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	timer := time.NewTimer(startWithin)
	defer timer.Stop()
	select {
	case <-p.ended:
		require.NoError(t, p.err, p.log.last(20))
	case <-timer.C:
		require.FailNow(t, "the process has not stopped", p.log.last(20))
	}
}

// tail keeps what a child logs.
type tail struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write implements io.Writer.
func (l *tail) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(b)
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// last returns the last n lines.
func (l *tail) last(n int) string {
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}
