//go:build unix

package browser

import (
	"os/exec"
	"syscall"
)

// processGroup is Chromium with everything that it starts.
type processGroup struct{ command *exec.Cmd }

// adopt makes the command the first of a group of its own.
func (g *processGroup) adopt(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	g.command = command
}

// kill ends what is left of the group.
func (g *processGroup) kill() {
	if g.command != nil && g.command.Process != nil {
		_ = syscall.Kill(-g.command.Process.Pid, syscall.SIGKILL)
	}
}

// id is the group's number; 0 before the start.
func (g *processGroup) id() int {
	if g.command == nil || g.command.Process == nil {
		return 0
	}
	return g.command.Process.Pid
}
