//go:build unix

package silque_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// checkout makes a folder with a copy of worker/start.sh and the files given. Without Go on its PATH, the script runs
// the bin/worker that is there.
func checkout(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	files["worker/start.sh"] = read(t, "worker/start.sh")
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// startScript prepares the script with a PATH on which there is no Go, and with the variables given alone.
func startScript(ctx context.Context, t *testing.T, root string, environment ...string) *exec.Cmd {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	script := exec.CommandContext(ctx, bash, "worker/start.sh", "-flag")
	script.Dir = root
	script.Env = append([]string{"PATH=" + t.TempDir()}, environment...)
	return script
}

const showSettings = "#!/bin/sh\necho \"$1|$SMTP_HOST|$SMTP_FROM|$SMTP_USERNAME|$SMTP_PASSWORD|$NOTIFY_LOG_LEVEL\"\n"

func TestTheStartScriptReadsSettingsFromAFileAndTheEnvironmentWins(t *testing.T) {
	t.Parallel()
	root := checkout(t, map[string]string{
		"bin/worker": showSettings,
		".env": "# mail\r\nSMTP_HOST=mail.example.com\r\n\n export SMTP_FROM=\"Shop <shop@example.com>\"\n" +
			"SMTP_USERNAME='it''s'\nSMTP_PASSWORD=a$(touch ran)=`touch ran` b\nNOTIFY_LOG_LEVEL=info",
	})
	output, err := startScript(t.Context(), t, root, "NOTIFY_LOG_LEVEL=debug").CombinedOutput()
	want := "-flag|mail.example.com|Shop <shop@example.com>|it''s|a$(touch ran)=`touch ran` b|debug\n"
	if err != nil || string(output) != want {
		t.Errorf("got %q (%v)\nwant %q", output, err, want)
	}
	if _, err := os.Stat(filepath.Join(root, "ran")); err == nil {
		t.Error("a command in the file was run")
	}
}

func TestTheStartScriptSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, want  string
		files       map[string]string
		environment []string
	}{
		{"neither Go nor a worker", "Install Go", map[string]string{}, nil},
		{"a settings file that is not there", "nowhere.env, which is not there", map[string]string{"bin/worker": showSettings}, []string{"ENV_FILE=nowhere.env"}},
		{"a line that is no setting", ".env, line 2: not NAME=value", map[string]string{"bin/worker": showSettings, ".env": "A=b\nSMTP HOST\n"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			output, err := startScript(t.Context(), t, checkout(t, test.files), test.environment...).CombinedOutput()
			if err == nil || !strings.Contains(string(output), test.want) {
				t.Errorf("got %q (%v), want %q", output, err, test.want)
			}
		})
	}
}

func TestASignalToTheStartScriptReachesTheWorker(t *testing.T) {
	t.Parallel()
	root := checkout(t, map[string]string{
		"bin/worker": "#!/bin/sh\ntrap 'echo stopped; exit 7' TERM\necho ready\nwhile :; do :; done\n",
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	script := startScript(ctx, t, root)
	output, err := script.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("the worker did not start: %q", lines.Text())
	}
	if err := script.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "stopped" {
		t.Errorf("the worker did not get the signal: %q", lines.Text())
	}
	if err := script.Wait(); err == nil || script.ProcessState.ExitCode() != 7 {
		t.Errorf("the worker's exit code is lost: %v", err)
	}
}
