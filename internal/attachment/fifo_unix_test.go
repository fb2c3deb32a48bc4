//go:build unix

package attachment_test

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/attachment"
	"github.com/silquetech/silque-notifications/internal/channel"
)

func TestWhatIsNoRegularFileIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "fifo") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	f := fetcher(t, func(c *attachment.Config) { c.Dirs = []string{dir, "/dev"} })
	for _, location := range []string{"fifo", "socket", "/dev/zero"} {
		begun := time.Now()
		_, _, err := f.Fetch(t.Context(), location)
		wantRefusal(t, err, channel.Permanent, attachment.CodeNotAllowed, location)
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("%s: it took %s", location, took)
		}
	}
}

func TestAFileThatMayNotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Log("root may read everything: only a directory that is none can be tried")
		return
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "locked.txt"), "x")
	if err := os.Chmod(filepath.Join(dir, "locked.txt"), 0); err != nil {
		t.Fatal(err)
	}
	_, _, err := fetcher(t, func(c *attachment.Config) { c.Dirs = []string{dir} }).Fetch(t.Context(), "locked.txt")
	wantRefusal(t, err, channel.Permanent, attachment.CodeNotReadable, "locked.txt")
}
