package architecture_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readFolders has the go command run the test anew after a change to a package. It remembers a result for as long as
// what the test read is the same, and does not see what a command reads that the test runs.
func readFolders(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// list gives every package of this module, its tests included.
func list(t *testing.T) []listed {
	t.Helper()
	readFolders(t, filepath.Join("..", ".."))
	command := exec.CommandContext(t.Context(), "go", "list", "-e", "-test",
		"-json=ImportPath,Name,ForTest,Imports,Deps,Module", module+"/...")
	command.Env = append(os.Environ(), "GOWORK=off") // this module alone, whatever the workspace has
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &complaints)
	}
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestNobodyImportsWhatItMayNot(t *testing.T) {
	t.Parallel()
	packages := list(t)
	for _, folder := range []string{"internal/rule", "workflows", "activities", "internal/channel/email", "notify", "web", "worker", "starter"} {
		found := slices.ContainsFunc(packages, func(p listed) bool { return p.ImportPath == module+"/"+folder && len(p.Deps) > 0 })
		if !found {
			t.Errorf("%s is not there: a rule about it would hold for ever", folder)
		}
	}
	for _, violation := range violations(packages) {
		t.Error(violation)
	}
}

// fabricated is one package of this module that imports one other.
func fabricated(importer, imported string) listed {
	p := listed{ImportPath: module + "/" + importer, Name: "x", Imports: []string{imported}, Deps: []string{"errors", imported}}
	p.Module = &struct{ Main bool }{Main: true}
	if slices.Contains([]string{"web", "worker", "starter"}, importer) {
		p.Name = "main"
	}
	return p
}

func TestEachRuleFindsWhatBreaksIt(t *testing.T) {
	t.Parallel()
	const ours = module + "/"
	for _, test := range []struct{ importer, imported, promise string }{
		{"internal/rule", "gorm.io/gorm", "internal/rule imports only"},
		{"internal/rule", ours + "internal/catalog", "internal/rule imports only"},
		{"workflows", ours + "internal/store", "workflows never import"},
		{"workflows", ours + "internal/channel/email", "workflows never import"},
		{"workflows", ours + "internal/config", "workflows never import"},
		{"workflows", "gorm.io/gorm/clause", "workflows never import"},
		{"activities", ours + "internal/store", "activities never import"},
		{"activities", ours + "internal/channel", "activities never import"},
		{"internal/channel/sms", ours + "internal/channel/email", "channel adapters never"},
		{"internal/channel/whatsapp", ours + "internal/channel/sms", "channel adapters never"},
		{"internal/channel/email", "go.temporal.io/sdk/temporal", "channel adapters never"},
		{"notify", ours + "workflows", "notify and rules never import"},
		{"notify", "go.temporal.io/sdk/client", "notify and rules never import"},
		{"notify", "github.com/gin-gonic/gin", "notify and rules never import"},
		{"internal/relay", "github.com/gin-gonic/gin", "gin is only under"},
		{"worker", "github.com/gin-gonic/gin/binding", "gin is only under"},
		{"internal/store", ours + "internal/config", "only mains, and wiring"},
		{"web/api", ours + "internal/config", "only mains, and wiring"},
		{"web/api", ours + "internal/wiring", "only mains wire"},
		{"internal/relay", ours + "internal/testdb", "only tests start"},
		{"internal/relay", ours + "worker", "nobody imports a main"},
		{"examples/shop", ours + "internal/outbox", "examples use only"},
		{"internal/relay", "go.temporal.io/server/temporaltest", "the Temporal server stays"},
	} {
		t.Run(test.importer+" imports "+strings.TrimPrefix(test.imported, ours), func(t *testing.T) {
			t.Parallel()
			main := fabricated("worker", "errors")
			found := violations([]listed{fabricated(test.importer, test.imported), main})
			if !slices.ContainsFunc(found, func(violation string) bool { return strings.HasPrefix(violation, test.promise) }) {
				t.Errorf("want %q, got %q", test.promise, found)
			}
		})
	}
}

func TestWhatImportsImportCountsToo(t *testing.T) {
	t.Parallel()
	p := fabricated("workflows", module+"/activities")
	p.Deps = append(p.Deps, "gorm.io/gorm")
	if found := violations([]listed{p}); len(found) != 1 {
		t.Errorf("want the import of gorm by way of activities, got %q", found)
	}
}

func TestTheServerIsFoundInTestsToo(t *testing.T) {
	t.Parallel()
	p := fabricated("internal/relay", "go.temporal.io/server/temporaltest")
	p.ForTest, p.ImportPath = p.ImportPath, p.ImportPath+" ["+p.ImportPath+".test]"
	if found := violations([]listed{p}); len(found) != 1 {
		t.Errorf("want the server in a test, got %q", found)
	}
}

func TestWhatIsAllowedIsNoViolation(t *testing.T) {
	t.Parallel()
	const ours = module + "/"
	for _, test := range []struct{ importer, imported string }{
		{"internal/rule", "regexp"},
		{"internal/rule", "github.com/expr-lang/expr/vm"},
		{"workflows", "go.temporal.io/sdk/workflow"},
		{"workflows", ours + "activities"},
		{"activities", ours + "internal/rule"},
		{"internal/channel/sms", ours + "internal/channel"},
		{"internal/channel/sms", ours + "internal/channel/twilio"},
		{"notify", ours + "internal/outbox"},
		{"web/api", "github.com/gin-gonic/gin"},
		{"web", ours + "internal/config"},
		{"internal/wiring", ours + "internal/config"},
		{"examples/shop", ours + "notify"},
		{"internal/channel/emailaddress", ours + "internal/channel/email"},
	} {
		if found := violations([]listed{fabricated(test.importer, test.imported)}); len(found) > 0 {
			t.Errorf("%s may import %s: %q", test.importer, test.imported, found)
		}
	}
}
