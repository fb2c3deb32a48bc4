// Package postgres runs a Postgres server for a benchmark, with the durability that it has by default: a commit is on the
// disk when it returns.
package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/silquetech/silque-notifications/bench/system"
)

// Server is a running server on loopback.
type Server struct {
	process *exec.Cmd
	folder  string
	port    int
}

const patience = 60 * time.Second

// Start makes a cluster in a temporary folder and runs it. It gives system.ErrNotInstalled when there is no Postgres.
func Start(ctx context.Context) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "silque-bench-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{folder: folder}
	if err := s.run(ctx, bin); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) run(ctx context.Context, bin string) (err error) {
	owner, err := unprivileged(s.folder)
	if err != nil {
		return err
	}
	if s.port, err = freePort(); err != nil {
		return err
	}
	data := filepath.Join(s.folder, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale") //nolint:gosec // found on the PATH
	initdb.SysProcAttr, initdb.Dir = owner, s.folder
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, output)
	}
	// The settings are Postgres's own but for the memory and the connections, which every installation sets.
	//nolint:gosec // found on the PATH
	s.process = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", s.folder,
		"-c", "listen_addresses=127.0.0.1", "-p", strconv.Itoa(s.port),
		"-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB", "-c", "max_connections=300")
	s.process.SysProcAttr, s.process.Dir = owner, s.folder
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	db, err := sql.Open("pgx", s.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for db.PingContext(ctx) != nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres did not come up: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// URL addresses a database.
func (s *Server) URL(name string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, name)
}

// Create makes an empty database and gives its URL.
func (s *Server) Create(ctx context.Context, name string) (string, error) {
	db, err := sql.Open("pgx", s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(ctx, "CREATE DATABASE "+name)
	return s.URL(name), err
}

// PID is the postmaster's: the other processes are its children.
func (s *Server) PID() int { return s.process.Process.Pid }

// Stop ends the server and removes its data.
func (s *Server) Stop() {
	if s.process != nil && s.process.Process != nil {
		_ = s.process.Process.Signal(syscall.SIGINT) // the "fast" shutdown
		_ = s.process.Wait()
	}
	_ = os.RemoveAll(s.folder)
}

func programs() (string, error) {
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	folders := filepath.SplitList(os.Getenv("PATH"))
	for i := len(debian) - 1; i >= 0; i-- {
		folders = append(folders, debian[i])
	}
	for _, folder := range folders {
		_, noInitdb := os.Stat(filepath.Join(folder, "initdb"))   //nolint:gosec // a look at the PATH
		_, noServer := os.Stat(filepath.Join(folder, "postgres")) //nolint:gosec // a look at the PATH
		if noInitdb == nil && noServer == nil {
			return folder, nil
		}
	}
	return "", fmt.Errorf("postgres: %w", system.ErrNotInstalled)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// unprivileged gives the folder to the user postgres when root runs this: Postgres refuses to run as root.
func unprivileged(folder string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("the Postgres server does not run as root, and there is no user postgres: %w", err)
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	if err := os.Chown(folder, uid, gid); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil //nolint:gosec // a user's numbers
}
