package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx", for creating databases
)

var errNotInstalled = errors.New("postgres is not installed")

// server is the test process's Postgres. It is a variable of the package because Go gives the tests of one package no
// other common owner; Run stops it.
var server struct {
	sync.Mutex
	process   *exec.Cmd
	folder    string
	owner     *syscall.SysProcAttr
	binary    string
	err       error
	databases int
}

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 20 * time.Second
)

// createDatabase starts the server at the first call, and gives the URL of a new empty database.
func createDatabase() (string, error) {
	server.Lock()
	defer server.Unlock()
	if server.process == nil && server.err == nil {
		server.err = startServer()
	}
	if server.err != nil {
		return "", server.err
	}
	server.databases++
	name := fmt.Sprintf("test_%d", server.databases)
	admin, err := sql.Open("pgx", databaseURL("postgres"))
	if err != nil {
		return "", err
	}
	defer func() { _ = admin.Close() }()
	if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
		return "", fmt.Errorf("create %s: %w", name, err)
	}
	return databaseURL(name), nil
}

func databaseURL(name string) string {
	return "postgres:///" + name + "?user=postgres&host=" + server.folder
}

// installed says whether there is a Postgres to start.
func installed() bool {
	_, _, err := programs()
	return err == nil
}

// startServer makes a cluster in a temporary folder and runs it on a socket in that folder: no port is needed.
func startServer() error {
	initdb, postgres, err := programs()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "silque-postgres-")
	if err != nil {
		return err
	}
	server.folder = folder
	owner, err := unprivileged(folder)
	if err != nil {
		return err
	}
	server.owner, server.binary = owner, postgres
	data := filepath.Join(folder, "data")
	setup := exec.Command(initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-locale")
	setup.SysProcAttr, setup.Dir = owner, folder
	if output, err := setup.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, output)
	}
	return runServer()
}

// runServer runs Postgres on the cluster that there is.
func runServer() error {
	run := exec.Command(server.binary, "-D", filepath.Join(server.folder, "data"), "-k", server.folder, "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=600")
	run.SysProcAttr, run.Dir = server.owner, server.folder
	if err := run.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	server.process = run
	return waitUntilReady()
}

func waitUntilReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	db, err := sql.Open("pgx", databaseURL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres did not come up: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// programs finds initdb and postgres on the PATH, or where Debian puts them.
func programs() (initdb, postgres string, err error) {
	folders := filepath.SplitList(os.Getenv("PATH"))
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	for i := len(debian) - 1; i >= 0; i-- {
		folders = append(folders, debian[i])
	}
	for _, folder := range folders {
		initdb, postgres = filepath.Join(folder, "initdb"), filepath.Join(folder, "postgres")
		if executable(initdb) && executable(postgres) {
			return initdb, postgres, nil
		}
	}
	return "", "", errNotInstalled
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}

// RestartPostgres stops the test process's server, lets away happen while it is down, and starts it again with all that was
// committed. Every database of the process is away meanwhile: a test that uses it must not be parallel.
func RestartPostgres(t testing.TB, away func()) {
	t.Helper()
	server.Lock()
	defer server.Unlock()
	if server.process == nil {
		t.Fatal("no Postgres runs")
	}
	endServer()
	away()
	if server.err = runServer(); server.err != nil {
		t.Fatal(server.err)
	}
}

// endServer ends the server at once (SIGINT, the "fast" shutdown).
func endServer() {
	ended := make(chan struct{})
	go func() { _ = server.process.Wait(); close(ended) }()
	_ = server.process.Process.Signal(os.Interrupt)
	select {
	case <-ended:
	case <-time.After(stopTimeout):
		_ = server.process.Process.Kill()
		<-ended
	}
}

// stopServer ends the server and removes its folder.
func stopServer() {
	server.Lock()
	defer server.Unlock()
	if server.process != nil {
		endServer()
	}
	if server.folder != "" {
		_ = os.RemoveAll(server.folder)
	}
}
