package separate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/dev/apiclient"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	gin.SetMode(gin.ReleaseMode)
	defer func() { _ = os.RemoveAll(built.folder) }()
	return testdb.Run(m)
}

const (
	token    = "a-token-for-the-tests"
	patience = 2 * time.Minute
)

// built are the programs that the package's tests share. It is a variable of the package because Go gives the tests of
// one package no other common owner; run removes them.
var built struct {
	once   sync.Once
	folder string
	err    error
}

// programs gives the folder of the programs, made as the Dockerfile makes them: the root module alone, static.
func programs(t testing.TB) (folder string) {
	t.Helper()
	built.once.Do(func() {
		if built.folder, built.err = os.MkdirTemp("", "silque-programs-"); built.err != nil {
			return
		}
		command := exec.Command("go", "build", "-trimpath", "-tags", "timetzdata", "-ldflags", "-s -w",
			"-o", built.folder+string(filepath.Separator), "./web", "./worker", "./starter")
		command.Dir = filepath.Join("..", "..")
		command.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
		if output, err := command.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build: %w\n%s", err, output)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.folder
}

// free gives a loopback address that nobody listens at.
func free(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// output is what a program has said so far.
type output struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.String()
}

// running is a program of its own process.
type running struct {
	command *exec.Cmd
	output  *output
	began   time.Time
}

func start(t testing.TB, environ []string, program string) *running {
	t.Helper()
	r := &running{command: exec.Command(program), output: new(output), began: time.Now().UTC()}
	r.command.Env, r.command.Stderr, r.command.Stdout = environ, r.output, r.output
	if err := r.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(program), last(r.output.String()))
		}
	})
	return r
}

// last cuts what a program has said to a length that one reads.
func last(text string) string {
	const most = 6000
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}

// kill ends it at whatever instruction it is, and returns when it is gone.
func (r *running) kill() {
	_ = r.command.Process.Kill()
	_ = r.command.Wait()
}

// stop asks it to end, and wants exit code 0.
func (r *running) stop(t testing.TB) {
	t.Helper()
	if err := r.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = r.command.Process.Kill() })
	defer timer.Stop()
	if err := r.command.Wait(); err != nil {
		t.Errorf("%s ended with %v", filepath.Base(r.command.Path), err)
	}
}

func untilHealthy(t testing.TB, environ []string, program string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := apiclient.Until(ctx, func() (bool, error) {
		code, _ := runOnce(t, environ, program, "-healthcheck")
		return code == 0, nil
	})
	if err != nil {
		t.Fatalf("%s is not healthy", program)
	}
}

func runOnce(t testing.TB, environ []string, program string, arguments ...string) (code int, output string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Env = environ
	text, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), string(text)
}
