// Package process runs the programs that a system needs beside itself, such as a broker, as children of the system: their
// processor time and memory are counted with it, and they end with it.
package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// patience is how long a program may take to end when it is asked to, before it is killed.
const patience = 10 * time.Second

// Process is a running program.
type Process struct {
	command *exec.Cmd
	ended   chan struct{}
	err     error
}

// Start runs the command. It is killed when this process ends, where the system can do that.
func Start(command *exec.Cmd) (*Process, error) {
	endWithParent(command)
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &Process{command: command, ended: make(chan struct{})}
	go func() {
		p.err = command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Ended is closed when the program has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Stop asks the program to end, with SIGTERM, and waits until it has. Being ended by that signal is no error.
func (p *Process) Stop(ctx context.Context) error {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.kill()
	case <-time.After(patience):
		p.kill()
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) && !exit.Exited() {
		return nil
	}
	return p.err
}

func (p *Process) kill() {
	_ = p.command.Process.Kill()
	<-p.ended
}

// Find gives the path of a program on the PATH or in the folders, and "" if it is in none of them.
func Find(name string, folders ...string) string {
	for _, folder := range append(filepath.SplitList(os.Getenv("PATH")), folders...) {
		path := filepath.Join(folder, name)
		info, err := os.Stat(path) //nolint:gosec // whoever sets the PATH says where programs are
		if err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
