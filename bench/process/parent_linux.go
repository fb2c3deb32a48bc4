package process

import (
	"os/exec"
	"syscall"
)

// endWithParent lets the kernel kill the program when this process is killed before it could stop it.
func endWithParent(command *exec.Cmd) {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
