//go:build unix

package silque_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// createSecrets runs a copy of deploy/secrets/create.sh, and gives what it wrote.
func createSecrets(t *testing.T, folder string) map[string]string {
	t.Helper()
	script := filepath.Join(folder, "create.sh")
	if err := os.WriteFile(script, []byte(read(t, "deploy/secrets/create.sh")), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), "bash", script).CombinedOutput(); err != nil {
		t.Fatalf("create.sh: %v\n%s", err, output)
	}
	secrets := map[string]string{}
	for name := range compose(t).Secrets {
		secrets[name] = read(t, filepath.Join(folder, "values", name))
	}
	return secrets
}

func TestTheScriptMakesEverySecretOfTheComposeFileAndKeepsThem(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	made := createSecrets(t, folder)
	values, err := os.ReadDir(filepath.Join(folder, "values"))
	if err != nil {
		t.Fatal(err)
	}
	if len(values) != len(made) {
		t.Errorf("%d secrets are made, docker-compose.yml has %d", len(values), len(made))
	}
	seen := map[string]string{}
	for _, name := range []string{"postgres_password", "notifications_db_password", "temporal_db_password", "api_token"} {
		if len(made[name]) != 64 || strings.Trim(made[name], "0123456789abcdef") != "" {
			t.Errorf("%s is not 64 hexadecimal digits", name)
		}
		if other := seen[made[name]]; other != "" {
			t.Errorf("%s and %s are the same", name, other)
		}
		seen[made[name]] = name
	}
	if !strings.Contains(made["database_url"], ":"+made["notifications_db_password"]+"@postgres:5432/notifications") {
		t.Error("database_url does not carry the password of the role notifications")
	}
	for name, value := range createSecrets(t, folder) {
		if value != made[name] {
			t.Errorf("a second run changed %s", name)
		}
	}
}

func TestOtherUsersMayNotEnterTheFolderOfTheSecrets(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	createSecrets(t, folder)
	values := filepath.Join(folder, "values")
	for path, want := range map[string]os.FileMode{values: 0o700, filepath.Join(values, "api_token"): 0o444} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
		}
	}
}
