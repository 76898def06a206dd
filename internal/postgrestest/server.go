// Package postgrestest runs a PostgreSQL server of its own, from the programs
// that the machine has (Debian: the package postgresql), in a new directory and
// on a free port of the loopback address. It belongs to tests, to the nemesis and
// to benchmarks; nothing that it keeps is meant to last.
package postgrestest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNotInstalled says that the machine has no PostgreSQL server.
var ErrNotInstalled = errors.New("PostgreSQL is not installed: initdb and postgres are neither in PATH nor under /usr/lib/postgresql (Debian: apt-get install postgresql)")

const (
	superuser = "rewardflow"
	// patience is how long a server may take to start or to stop.
	patience = 60 * time.Second
	// starts is how often another port is tried when somebody took the first.
	starts = 5
)

// Options are what Start may be told. The zero value is ready for use.
type Options struct {
	// Fsync makes a commit wait for the disk, as a real server does. Without it
	// a commit survives the death of the server's processes, and not of the machine.
	Fsync bool
	// Settings are further lines of postgresql.conf, as name to value.
	Settings map[string]string
}

// Server is a running PostgreSQL server. Start makes one.
type Server struct {
	programs string
	dir      string
	password string
	port     int

	mu      sync.Mutex
	process *process // nil while the server is down
	made    int      // databases of tests
}

// Start makes a new cluster in a new temporary directory and starts a server
// on it; Close ends it and removes the directory. It takes one to two seconds.
// Without PostgreSQL on the machine the error is ErrNotInstalled.
func Start(ctx context.Context, opts Options) (_ *Server, failed error) {
	programs, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "rewardflow-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{programs: programs, dir: dir, password: rand.Text()}
	defer func() {
		if failed != nil {
			failed = errors.Join(failed, s.Close())
		}
	}()
	if err := s.create(ctx, opts); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		if s.port, err = freePort(); err != nil {
			return nil, err
		}
		err = s.Up(ctx)
		if err == nil || try == starts || ctx.Err() != nil {
			return s, err
		}
	}
}

// find returns the directory of the server's programs.
func find() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if _, err := exec.LookPath("postgres"); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", ErrNotInstalled
	}
	return filepath.Dir(found[len(found)-1]), nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// create runs initdb.
func (s *Server) create(ctx context.Context, opts Options) error {
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(s.password), 0o600); err != nil {
		return err
	}
	if err := give(s.dir, secret); err != nil {
		return err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(s.programs, "initdb"), "--pgdata", s.data(), "--username", superuser,
		"--auth", "scram-sha-256", "--pwfile", secret, "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	initdb.SysProcAttr = unprivileged()
	initdb.Dir = s.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	lines := []string{"max_connections = 200", "unix_socket_directories = ''", "listen_addresses = '127.0.0.1'"}
	if !opts.Fsync {
		lines = append(lines, "fsync = off", "full_page_writes = off")
	}
	for name, value := range opts.Settings {
		lines = append(lines, fmt.Sprintf("%s = '%s'", name, strings.ReplaceAll(value, "'", "''")))
	}
	file, err := os.OpenFile(filepath.Join(s.data(), "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(strings.Join(lines, "\n") + "\n")
	return errors.Join(err, file.Close())
}

// Up starts the server again after Down or Kill, on the same port and with the
// same data, and returns when it answers.
func (s *Server) Up(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return errors.New("the PostgreSQL server is up already")
	}
	p, err := run(filepath.Join(s.programs, "postgres"), "-D", s.data(), "-p", strconv.Itoa(s.port))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			s.process = p
			return conn.Close(ctx)
		}
		select {
		case <-p.ended:
			return fmt.Errorf("the PostgreSQL server did not start: %s", p.tail())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the PostgreSQL server does not answer: %w", err), p.end(syscall.SIGKILL))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Down stops the server as an administrator would who does not wait for
// clients: their connections are cut, what is committed is kept.
func (s *Server) Down() error { return s.stop(syscall.SIGINT) }

// Kill ends the server and all its connections at once, as a crash does; the
// next Up recovers.
func (s *Server) Kill() error { return s.stop(syscall.SIGQUIT) }

func (s *Server) stop(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	err := s.process.end(sig)
	s.process = nil
	return err
}

// Close ends the server and removes everything that it kept.
func (s *Server) Close() error {
	return errors.Join(s.stop(syscall.SIGQUIT), os.RemoveAll(s.dir))
}

// Address returns the host and the port on which the server listens.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL returns the connection URL of a database, with a user who may do everything.
func (s *Server) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(superuser, s.password), Host: s.Address(), Path: "/" + database}
	u.RawQuery = "sslmode=disable"
	return u.String()
}

// Create makes an empty database and returns its URL.
func (s *Server) Create(ctx context.Context, database string) (string, error) {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{database}.Sanitize())
	return s.URL(database), errors.Join(err, conn.Close(ctx))
}

// process is a postmaster.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

// Write keeps what the server says.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

// tail returns the last that the server said.
func (p *process) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.log.Bytes()
	return string(out[max(0, len(out)-2000):])
}

func run(program string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.SysProcAttr = unprivileged()
	p.cmd.Dir = "/"
	started := make(chan error, 1)
	go func() {
		// The kernel ends the server with the thread that started it, so that
		// nothing is left of a test that was killed.
		release := holdThread()
		defer release()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
		close(p.ended)
	}()
	return p, <-started
}

// end sends a signal, and SIGKILL where that does not help, and returns when
// the server has ended.
func (p *process) end(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
	}
	err := p.cmd.Process.Kill()
	<-p.ended
	return errors.Join(fmt.Errorf("the PostgreSQL server did not end within %s of %s", patience, sig), err)
}
