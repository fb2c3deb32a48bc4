package separate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/dev/apiclient"
	"github.com/silquetech/silque-notifications/dev/sandbox"
	"github.com/silquetech/silque-notifications/dev/temporalserver/servertest"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

const (
	token    = "a-token-for-the-tests"
	patience = time.Minute
)

// build makes the programs as the Dockerfile does: the root module alone, static.
func build(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	command := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "timetzdata", "-ldflags", "-s -w",
		"-o", folder+string(filepath.Separator), "./web", "./worker", "./starter")
	command.Dir = filepath.Join("..", "..")
	command.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	return folder
}

// free gives a loopback address that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// running is a program of its own process.
type running struct {
	command *exec.Cmd
	output  *bytes.Buffer
}

func start(t *testing.T, environ []string, program string) *running {
	t.Helper()
	r := &running{command: exec.Command(program), output: new(bytes.Buffer)}
	r.command.Env, r.command.Stderr, r.command.Stdout = environ, r.output, r.output
	if err := r.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.command.Process.Kill() })
	return r
}

// stop asks it to end, and wants exit code 0.
func (r *running) stop(t *testing.T) {
	t.Helper()
	if err := r.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = r.command.Process.Kill() })
	defer timer.Stop()
	if err := r.command.Wait(); err != nil {
		t.Errorf("%s ended with %v:\n%s", filepath.Base(r.command.Path), err, r.output)
	}
}

func TestTheProgramsWorkAsProcessesOfTheirOwn(t *testing.T) {
	t.Parallel()
	programs := build(t)
	server := servertest.Start(t)
	box, err := sandbox.Start(t.Context(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close(context.Background()) })
	host, port, _ := net.SplitHostPort(box.SMTPAddr())
	webAddr, healthAddr := free(t), free(t)
	environ := []string{
		"DATABASE_URL=" + testdb.PostgresURL(t), "TEMPORAL_ADDRESS=" + server.Addr(), "HOME=" + t.TempDir(),
		"SMTP_HOST=" + host, "SMTP_PORT=" + port, "SMTP_TLS=none", "SMTP_FROM=Shop <shop@example.com>",
		"NOTIFY_ADDR=" + webAddr, "NOTIFY_HEALTH_ADDR=" + healthAddr, "NOTIFY_API_TOKEN=" + token, "NOTIFY_RETRY_INTERVAL=1s",
	}
	web := start(t, environ, filepath.Join(programs, "web"))
	worker := start(t, environ, filepath.Join(programs, "worker"))
	for _, program := range []string{"web", "worker"} {
		untilHealthy(t, environ, filepath.Join(programs, program), web, worker)
	}
	client := apiclient.Client{URL: "http://" + webAddr, Token: token}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var accepted struct {
		EventID string `json:"event_id"`
	}
	if err := client.Call(ctx, http.MethodPost, "/api/v1/test", map[string]any{"channel": "email", "to": "api@example.com"}, &accepted); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Settled(ctx, accepted.EventID); err != nil {
		t.Fatalf("the event is not settled: %v\nweb:\n%s\nworker:\n%s", err, web.output, worker.output)
	}

	for _, test := range []struct {
		name      string
		arguments []string
		code      int
		says      string
	}{
		{"a test email is sent", []string{"--email", "--to", "starter@example.com"}, 0, "see it:"},
		{"a channel without settings fails with its reason", []string{"--sms", "--to", "+12025550123"}, 1, "channel_not_configured"},
		{"wrong usage is code 2", []string{"--email"}, 2, "--to"},
		{"without waiting it only starts", []string{"--email", "--to", "soon@example.com", "--wait=false"}, 0, "workflow:"},
	} {
		code, output := runOnce(t, environ, filepath.Join(programs, "starter"), test.arguments...)
		if code != test.code || !strings.Contains(output, test.says) {
			t.Errorf("%s: exit %d, want %d and %q in:\n%s", test.name, code, test.code, test.says, output)
		}
	}
	web.stop(t)
	worker.stop(t)
}

func untilHealthy(t *testing.T, environ []string, program string, all ...*running) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := apiclient.Until(ctx, func() (bool, error) {
		code, _ := runOnce(t, environ, program, "-healthcheck")
		return code == 0, nil
	})
	if err != nil {
		var logs string
		for _, r := range all {
			logs += fmt.Sprintf("%s:\n%s\n", r.command.Path, r.output)
		}
		t.Fatalf("%s is not healthy\n%s", program, logs)
	}
}

func runOnce(t *testing.T, environ []string, program string, arguments ...string) (code int, output string) {
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
