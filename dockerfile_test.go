package silque_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// version gives what the pattern's group matches in the file.
func version(t *testing.T, file, pattern string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(read(t, file))
	if match == nil {
		t.Fatalf("%s has nothing like %s", file, pattern)
	}
	return match[1]
}

func TestPinnedVersionsFollowTheGoModules(t *testing.T) {
	t.Parallel()
	goVersion := version(t, "go.mod", `(?m)^go (\S+)$`)
	server := version(t, "dev/go.mod", `\sgo\.temporal\.io/server v(\S+)`)
	ui := version(t, "dev/go.mod", `\sgithub\.com/temporalio/ui-server/v2 v(\S+)`)
	for _, pin := range []struct{ file, pattern, want string }{
		{"Dockerfile", `FROM \S+ golang:(\S+) AS build`, goVersion},
		{"dev/go.mod", `(?m)^go (\S+)$`, goVersion},
		{"docker-compose.yml", `temporalio/server:(\S+)`, server},
		{"docker-compose.yml", `temporalio/ui:(\S+)`, ui},
	} {
		if got := version(t, pin.file, pin.pattern); got != pin.want {
			t.Errorf("%s: %s is %s, want %s", pin.file, pin.pattern, got, pin.want)
		}
	}
	for _, tools := range regexp.MustCompile(`temporalio/admin-tools:(\S+)`).FindAllStringSubmatch(read(t, "docker-compose.yml"), -1) {
		if tools[1] != server {
			t.Errorf("the tables are made for Temporal %s, the server is %s", tools[1], server)
		}
	}
}

func TestTheImageIsBuiltForAnOrdinaryUserAndStatically(t *testing.T) {
	t.Parallel()
	dockerfile := read(t, "Dockerfile")
	for _, line := range []string{`CGO_ENABLED=0`, `-tags timetzdata`, `ca-certificates.crt`, `(?m)^FROM scratch$`, `(?m)^USER 65532:65532$`} {
		if !regexp.MustCompile(line).MatchString(dockerfile) {
			t.Errorf("Dockerfile has no %s", line)
		}
	}
}

// The image's build sees only what .dockerignore lets through: a folder that is missing there breaks it.
func TestTheImagesBuildSeesEveryPackageOfOurPrograms(t *testing.T) {
	t.Parallel()
	ignored := strings.Fields(read(t, ".dockerignore"))
	if !slices.Contains(ignored, "*") {
		t.Fatal(".dockerignore no longer begins with nothing at all: look at this test anew")
	}
	for _, line := range ignored {
		// Read, so that the go command runs this test anew when a package changes: what "go list" reads it does not see.
		if folder, ok := strings.CutPrefix(line, "!"); ok {
			if err := filepath.WalkDir(folder, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
				t.Fatalf(".dockerignore: %v", err)
			}
		}
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.ImportPath}}{{end}}{{end}}", "./web", "./worker", "./starter")
	list.Env = append(os.Environ(), "GOWORK=off")
	output, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	const module = "github.com/silquetech/silque-notifications/"
	for _, path := range strings.Fields(string(output)) {
		folder, _, _ := strings.Cut(strings.TrimPrefix(path, module), "/")
		if !slices.Contains(ignored, "!"+folder) {
			t.Errorf("%s is needed, but .dockerignore leaves %s out", path, folder)
		}
	}
}
