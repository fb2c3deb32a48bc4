//go:build !unix

package browser

import "os/exec"

// processGroup is Chromium; where there are no process groups, it ends its children itself.
type processGroup struct{}

func (*processGroup) adopt(*exec.Cmd) {}

func (*processGroup) kill() {}

func (*processGroup) id() int { return 0 }
