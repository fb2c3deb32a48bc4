// Package celery is the way of Python: a Django application saves the customer in SQLite, and when that is committed a
// Celery task is put in Redis, which a worker of two processes takes. This is what the application does that this project
// succeeds. A crash between the commit and the task loses the email.
package celery

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/silquetech/silque-notifications/bench/process"
	"github.com/silquetech/silque-notifications/bench/redis"
	"github.com/silquetech/silque-notifications/bench/system"
)

// shop is the Django application.
//
//go:embed shop.py
var shop []byte

const (
	// python is the system's own: the packages that are needed are Debian's.
	python = "/usr/bin/python3"
	// workers are the processes that run tasks, one for each processor: Celery's default.
	workers = "2"
)

// Celery is the application that saves, the worker and Redis: three children of this process.
type Celery struct {
	system.Stops

	requests *json.Encoder
	answers  *bufio.Reader
}

// Open starts everything. It gives system.ErrNotInstalled when a program or a package of Python's is missing.
func Open(ctx context.Context, setup system.Setup) (system.System, error) {
	c := &Celery{}
	if err := c.start(ctx, setup); err != nil {
		return nil, errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}
	return c, nil
}

func (c *Celery) start(ctx context.Context, setup system.Setup) error {
	if err := exec.CommandContext(ctx, python, "-c", "import celery, django, redis").Run(); err != nil {
		return fmt.Errorf("Celery, Django and redis-py for %s (Debian: apt-get install python3-celery python3-django python3-redis): %w",
			python, system.ErrNotInstalled)
	}
	if err := os.WriteFile(filepath.Join(setup.Dir, "shop.py"), shop, 0o600); err != nil {
		return fmt.Errorf("celery: %w", err)
	}
	broker, err := redis.Start(ctx, setup.Dir)
	if err != nil {
		return err
	}
	c.Add(broker.Stop)
	// What only a cluster of workers needs is off, as an application with one worker runs it.
	worker := command(setup, broker, "-m", "celery", "--app=shop", "--quiet", "worker", "--pool=prefork", "--concurrency="+workers,
		"--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat")
	if _, err := c.run(worker); err != nil {
		return fmt.Errorf("celery: start the worker: %w", err)
	}
	saver := command(setup, broker, "-c", "import shop; shop.save()")
	input, err := saver.StdinPipe()
	if err != nil {
		return fmt.Errorf("celery: %w", err)
	}
	if c.answers, err = c.run(saver); err != nil {
		return fmt.Errorf("celery: start the application: %w", err)
	}
	c.requests = json.NewEncoder(input)
	return nil
}

// command is Python with the application's settings and nothing else that this process's environment may hold.
func command(setup system.Setup, broker *redis.Server, arguments ...string) *exec.Cmd {
	cmd := exec.Command(python, arguments...) //nolint:gosec // the arguments are this file's own
	cmd.Dir, cmd.Stderr = setup.Dir, os.Stderr
	cmd.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + setup.Dir, "LANG=C.UTF-8", "PYTHONPATH=" + setup.Dir,
		"PYTHONWARNINGS=ignore", // Celery does not like to run as root, which a container does
		"BENCH_REDIS_SOCKET=" + broker.Socket(),
		"BENCH_SMTP_ADDR=" + setup.SMTPAddr,
		"BENCH_DATABASE=" + strings.TrimPrefix(setup.DatabaseURL, "sqlite://"),
		"BENCH_FROM=" + system.From,
	}
	return cmd
}

// run starts a process, waits until it says that it is ready, and gives what it says from then on.
func (c *Celery) run(command *exec.Cmd) (*bufio.Reader, error) {
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	running, err := process.Start(command)
	if err != nil {
		return nil, err
	}
	c.Add(running.Stop)
	said := bufio.NewReader(output)
	if err := expect(said, "ready"); err != nil {
		return nil, err
	}
	return said, nil
}

// expect reads a line, and fails when it is another.
func expect(said *bufio.Reader, line string) error {
	text, err := said.ReadString('\n')
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
		return errors.New("the process has ended")
	}
	if err != nil {
		return err
	}
	if text = strings.TrimSpace(text); text != line {
		return fmt.Errorf("the process said: %s", text)
	}
	return nil
}

// Save lets the application save customer i, whose signal puts a task in Redis.
func (c *Celery) Save(_ context.Context, i int) error {
	customer := system.NewCustomer(i)
	err := c.requests.Encode(map[string]string{"name": customer.Name, "email": customer.Email, "phone": customer.Phone})
	if err != nil {
		return fmt.Errorf("celery: %w", err)
	}
	if err := expect(c.answers, "saved"); err != nil {
		return fmt.Errorf("celery: save: %w", err)
	}
	return nil
}
