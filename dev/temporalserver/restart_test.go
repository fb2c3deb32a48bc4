package temporalserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/server/common/headers"

	"github.com/silquetech/silque-notifications/dev/temporalserver"
	"github.com/silquetech/silque-notifications/dev/temporalserver/servertest"
)

// These turn the test binary into a program that serves the folder they name until its
// input ends. Only a process of its own can be killed, and only a process's end closes the
// server's files.
const (
	dirVariable       = "TEMPORALSERVER_TEST_DIR"
	retentionVariable = "TEMPORALSERVER_TEST_RETENTION"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(dirVariable); dir != "" {
		os.Exit(serve(dir, os.Getenv(retentionVariable)))
	}
	os.Exit(m.Run())
}

func serve(dir, retention string) int {
	keep, err := time.ParseDuration(retention)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	server, err := temporalserver.Start(context.Background(), temporalserver.Options{
		Addr: "127.0.0.1:0", Dir: dir, Retention: keep,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(server.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	server.Stop()
	return 0
}

// process is a server that runs in a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	input  io.Closer
	errors strings.Builder
	client client.Client
}

func startProcess(t *testing.T, dir string, retention time.Duration) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), dirVariable+"="+dir, retentionVariable+"="+retention.String())
	p.cmd.Stderr = &p.errors
	input, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.input = input
	output, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	addr, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		p.kill()
		t.Fatalf("server process did not start: %v\n%s", err, p.errors.String())
	}
	p.client, err = client.Dial(client.Options{
		HostPort: strings.TrimSpace(addr), Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.client.Close)
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// stop ends the process in the orderly way, which must succeed, and without what a server
// always complains of while it starts and stops.
func (p *process) stop() {
	p.t.Helper()
	p.client.Close()
	_ = p.input.Close()
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("server process ended with %v and said:\n%s", err, p.errors.String())
	}
	for _, noise := range []string{"HTTP API port has not been set", "Failed to poll for task"} {
		if strings.Contains(p.errors.String(), noise) {
			p.t.Errorf("server process said:\n%s", p.errors.String())
		}
	}
}

func TestFinishedWorkflowsSurviveAStopAndAKill(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data 100%41 #1") // characters that mean something in a SQLite URI
	leaveHalfMadeFile(t, dir)

	first := startProcess(t, dir, 24*time.Hour)
	runGreet(t, first.client, client.StartWorkflowOptions{ID: "before-stop"})
	first.stop()

	second := startProcess(t, dir, 24*time.Hour)
	completed(t, second.client, "before-stop")
	runGreet(t, second.client, client.StartWorkflowOptions{ID: "before-kill"})
	second.kill()

	third := startProcess(t, dir, 48*time.Hour)
	for _, id := range []string{"before-stop", "before-kill"} {
		completed(t, third.client, id)
		within(t, 5*time.Second, func() error {
			return foundAlone(t.Context(), third.client, id, "ExecutionStatus = 'Completed' AND WorkflowId = '"+id+"'")
		})
	}
	retentionIs(t, third.client, 48*time.Hour)
	refusedWhileInUse(t, dir)
	third.stop()
}

func TestAServerCanFollowAnotherOnTheSameFilesInOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, id := range []string{"one", "two"} {
		server, err := temporalserver.Start(t.Context(), temporalserver.Options{Addr: "127.0.0.1:0", Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		c := servertest.Dial(t, server)
		runGreet(t, c, client.StartWorkflowOptions{ID: id})
		completed(t, c, "one")
		refusedWhileInUse(t, dir)
		server.Stop()
		server.Stop() // must do nothing
	}
	third := startProcess(t, dir, temporalserver.DefaultRetention) // the files are free for others, too
	completed(t, third.client, "two")
}

// leaveHalfMadeFile leaves what a process leaves that is killed while it sets up.
func leaveHalfMadeFile(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "temporal-"+headers.ServerVersion+".db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func refusedWhileInUse(t *testing.T, dir string) {
	t.Helper()
	server, err := temporalserver.Start(t.Context(), temporalserver.Options{Addr: "127.0.0.1:0", Dir: dir})
	if err == nil {
		server.Stop()
		t.Fatal("two servers on the same files")
	}
	if !strings.Contains(err.Error(), "another server is using it") {
		t.Fatalf("error %v", err)
	}
}

func completed(t *testing.T, c client.Client, id string) {
	t.Helper()
	got, err := c.DescribeWorkflowExecution(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	if status := got.GetWorkflowExecutionInfo().GetStatus(); status != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		t.Fatalf("workflow %s is %s", id, status)
	}
}

func retentionIs(t *testing.T, c client.Client, want time.Duration) {
	t.Helper()
	got, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	if err != nil {
		t.Fatal(err)
	}
	if ttl := got.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(); ttl != want {
		t.Fatalf("retention %s, want %s", ttl, want)
	}
}

// foundAlone says what is wrong unless the query finds the one workflow with the ID.
func foundAlone(ctx context.Context, c client.Client, id, query string) error {
	list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query})
	if err != nil {
		return err
	}
	if len(list.GetExecutions()) != 1 {
		return fmt.Errorf("%d workflows for %s", len(list.GetExecutions()), query)
	}
	if got := list.GetExecutions()[0].GetExecution().GetWorkflowId(); got != id {
		return errors.New("found " + got)
	}
	return nil
}
