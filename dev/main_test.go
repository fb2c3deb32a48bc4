package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/dev/apiclient"
)

// childVariable makes the test's own binary be the development stack: real processes can be killed.
const childVariable = "SILQUE_DEV_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

const (
	token    = "a-token-for-the-tests"
	patience = 2 * time.Minute
)

// process is a running stack of its own process.
type process struct {
	apiclient.Client
	command *exec.Cmd
	output  *lockedBuffer
	ended   chan error
}

type lockedBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

var consolePage = regexp.MustCompile(`Console +(http://\S+)/`)

// launch starts the stack on a data folder and waits until it says that it is up.
func launch(t *testing.T, data string, environ ...string) *process {
	t.Helper()
	p := &process{output: new(lockedBuffer), ended: make(chan error, 1)}
	p.command = exec.Command(os.Args[0], "-addr", "127.0.0.1:0", "-ui-addr", "127.0.0.1:0", "-temporal-addr", "127.0.0.1:0",
		"-data", data, "-token", token)
	p.command.Env = append(append(os.Environ(), childVariable+"=1"), environ...)
	p.command.Stderr = p.output
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	up := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(io.TeeReader(stdout, p.output))
		for lines.Scan() {
			if found := consolePage.FindStringSubmatch(lines.Text()); found != nil {
				up <- found[1]
			}
		}
		p.ended <- p.command.Wait()
	}()
	t.Cleanup(func() { _ = p.command.Process.Kill() })
	select {
	case url := <-up:
		p.Client = apiclient.Client{URL: url, Token: token}
	case err := <-p.ended:
		t.Fatalf("the stack ended (%v):\n%s", err, p.output)
	case <-time.After(patience):
		t.Fatalf("the stack is not up:\n%s", p.output)
	}
	return p
}

// end sends a signal and waits for the end.
func (p *process) end(t *testing.T, signal os.Signal) error {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		return err
	case <-time.After(patience):
		t.Fatalf("the stack did not end:\n%s", p.output)
		return nil
	}
}

func waiting(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAMessageWhoseRetryIsPendingSurvivesAKill(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := launch(t, data, "NOTIFY_RETRY_INTERVAL=2s")
	must(t, first.SetFault(waiting(t), "email", "temporary", 1))
	key, err := first.Save(waiting(t), "customers", map[string]any{"name": "Survivor", "email": "survivor@example.com"})
	must(t, err)
	event, err := first.EventOf(waiting(t), "customers", key)
	must(t, err)
	must(t, apiclient.Until(waiting(t), func() (bool, error) {
		deliveries, err := first.Deliveries(t.Context(), event.ID)
		return len(deliveries) > 0 && deliveries[0].Status == "pending" && deliveries[0].Attempts == 1, err
	}))
	_ = first.end(t, syscall.SIGKILL)

	second := launch(t, data, "NOTIFY_RETRY_INTERVAL=2s")
	_, err = second.Settled(waiting(t), event.ID)
	must(t, err)
	inbox, err := second.Inbox(waiting(t), "survivor@example.com")
	must(t, err)
	if len(inbox) != 1 {
		t.Errorf("%d emails after the restart, want one", len(inbox))
	}
	var customer struct{ Name string }
	must(t, second.Call(waiting(t), http.MethodGet, "/demo/api/customers/"+key, nil, &customer))
	if customer.Name != "Survivor" {
		t.Errorf("the customer is %q after the restart", customer.Name)
	}
	if err := second.end(t, syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM ended the stack with %v:\n%s", err, second.output)
	}
}

func TestAStopCutsOffNoSend(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := launch(t, data)
	must(t, first.SetFault(waiting(t), "email", "slow", 1))
	key, err := first.Save(waiting(t), "customers", map[string]any{"name": "Slow", "email": "slow@example.com"})
	must(t, err)
	event, err := first.EventOf(waiting(t), "customers", key)
	must(t, err)
	must(t, apiclient.Until(waiting(t), func() (bool, error) {
		deliveries, err := first.Deliveries(t.Context(), event.ID)
		return len(deliveries) > 0 && deliveries[0].Status == "sending", err
	}))
	if err := first.end(t, syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM ended the stack with %v:\n%s", err, first.output)
	}

	second := launch(t, data)
	_, err = second.Settled(waiting(t), event.ID)
	must(t, err)
	deliveries, err := second.Deliveries(waiting(t), event.ID)
	must(t, err)
	inbox, err := second.Inbox(waiting(t), "slow@example.com")
	must(t, err)
	if len(deliveries) != 1 || deliveries[0].Attempts != 1 || deliveries[0].Status != "sent" || len(inbox) != 1 {
		t.Errorf("deliveries %+v and %d emails, want one sent at its first attempt", deliveries, len(inbox))
	}
	must(t, ignoreExit(second.end(t, syscall.SIGKILL)))
}

// ignoreExit forgets that a killed process did not end by itself.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

func TestKillsAtAnyMomentLoseNothing(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	const rounds, each = 3, 5
	var keys []string
	for round := range rounds {
		p := launch(t, data, "NOTIFY_RETRY_INTERVAL=1s")
		for i := range each {
			row := map[string]any{"name": "Kill", "email": fmt.Sprintf("kill%d-%d@example.com", round, i)}
			key, err := p.Save(waiting(t), "customers", row)
			must(t, err)
			keys = append(keys, key)
		}
		_ = p.end(t, syscall.SIGKILL) // in the middle of whatever happens after the last commit
	}
	p := launch(t, data, "NOTIFY_RETRY_INTERVAL=1s")
	for _, key := range keys {
		event, err := p.EventOf(waiting(t), "customers", key)
		must(t, err)
		_, err = p.Settled(waiting(t), event.ID)
		must(t, err)
	}
	for round := range rounds {
		for i := range each {
			to := fmt.Sprintf("kill%d-%d@example.com", round, i)
			inbox, err := p.Inbox(waiting(t), to)
			must(t, err)
			// A kill between the server's yes and its note sends again, with the same Message-ID: the documented window.
			if len(inbox) == 0 {
				t.Errorf("%s got no email", to)
			}
		}
	}
	if err := p.end(t, os.Interrupt); err != nil {
		t.Errorf("Ctrl-C ended the stack with %v:\n%s", err, p.output)
	}
}

func TestAPortThatIsTakenIsNamedInOneLine(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	for _, flag := range []string{"-addr", "-ui-addr", "-temporal-addr"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			arguments := map[string]string{"-addr": "127.0.0.1:0", "-ui-addr": "127.0.0.1:0", "-temporal-addr": "127.0.0.1:0"}
			arguments[flag] = taken.Addr().String()
			var list []string
			for name, value := range arguments {
				list = append(list, name, value)
			}
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), append(list, "-data", t.TempDir()), nil, &stdout, &stderr)
			if code != 1 || strings.Count(strings.TrimSpace(stderr.String()), "\n") != 0 || !strings.Contains(stderr.String(), taken.Addr().String()) {
				t.Errorf("exit %d with %q, want 1 and one line that names %s", code, stderr.String(), taken.Addr())
			}
		})
	}
}

func TestEveryPortThatIsTakenIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	arguments := []string{"-addr", "127.0.0.1:0", "-data", t.TempDir()}
	var taken []string
	for _, flag := range []string{"-ui-addr", "-temporal-addr"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		t.Cleanup(func() { _ = listener.Close() })
		arguments = append(arguments, flag, listener.Addr().String())
		taken = append(taken, listener.Addr().String()+": bind: address already in use; choose another with "+flag)
	}
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), arguments, nil, &stdout, &stderr)
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	if code != 1 || len(lines) != 2 {
		t.Fatalf("exit %d with %q, want 1 and a line a port", code, stderr.String())
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, "dev: ") || !strings.Contains(line, taken[i]) {
			t.Errorf("line %q does not say %q", line, taken[i])
		}
	}
}

func TestAStopWhileStartingIsNoFailure(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, 300 * time.Millisecond, time.Second, 2 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), after)
			t.Cleanup(cancel)
			var stderr bytes.Buffer
			code := run(ctx, []string{"-addr", "127.0.0.1:0", "-ui-addr", "127.0.0.1:0", "-temporal-addr", "127.0.0.1:0",
				"-data", t.TempDir()}, nil, io.Discard, &stderr)
			if code != 0 || strings.Contains(stderr.String(), "dev: ") {
				t.Errorf("exit %d with %q, want a clean stop", code, stderr.String())
			}
		})
	}
}

func TestWrongUsageIsExitCode2AndHelpIs0(t *testing.T) {
	t.Parallel()
	for argument, want := range map[string]int{"-nonsense": 2, "word": 2, "-help": 0} {
		if code := run(t.Context(), []string{argument}, nil, io.Discard, io.Discard); code != want {
			t.Errorf("%s: exit %d, want %d", argument, code, want)
		}
	}
}

func TestWrongSettingsAreNamedAndNothingStaysUp(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"-addr", "127.0.0.1:0", "-ui-addr", "127.0.0.1:0", "-temporal-addr", "127.0.0.1:0", "-data", t.TempDir(), "-token", "short"},
		[]string{"NOTIFY_RETRY_ATTEMPTS=many", "NOTIFY_DEFAULT_REGION=nowhere"}, io.Discard, &stderr)
	for _, wrong := range []string{"NOTIFY_RETRY_ATTEMPTS", "-token must have 16 characters or more"} {
		if code != 1 || !strings.Contains(stderr.String(), wrong) {
			t.Errorf("exit %d with %q, want 1 and %q", code, stderr.String(), wrong)
		}
	}
}
