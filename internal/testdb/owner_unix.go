//go:build unix

package testdb

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// unprivileged gives the folder to a user that may run Postgres, which refuses root: the tests' own user, or when that
// is root, postgres or nobody.
func unprivileged(folder string) (*syscall.SysProcAttr, error) {
	// A process group of its own: a Ctrl-C at the tests must not stop the server before them.
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return attributes, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(account.Uid, 10, 32)
		gid, _ := strconv.ParseUint(account.Gid, 10, 32)
		attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return attributes, os.Chown(folder, int(uid), int(gid))
	}
	return nil, fmt.Errorf("postgres refuses root, and there is no user postgres or nobody to run it as")
}
