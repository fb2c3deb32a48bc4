package silque_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryTestThatADocumentNamesExists reads the tests of the whole workspace: a promise whose test was renamed or removed
// would go on looking kept.
func TestEveryTestThatADocumentNamesExists(t *testing.T) {
	t.Parallel()
	documents, err := filepath.Glob("docs/*.md")
	if err != nil || len(documents) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	defined := definedTests(t)
	name := regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)
	for _, document := range documents {
		for _, named := range name.FindAllString(readDocument(t, document), -1) {
			if !defined[named] {
				t.Errorf("there is no %s, which %s names", named, document)
			}
		}
	}
}

// TestEveryPromiseNamesItsTest: a row of these tables without a test is a promise that nothing holds. The test stands in
// the last column whose heading is "test".
func TestEveryPromiseNamesItsTest(t *testing.T) {
	t.Parallel()
	for _, document := range []string{"docs/compatibility.md", "docs/reliability.md", "docs/security.md"} {
		column, rows := -1, 0
		for _, line := range strings.Split(readDocument(t, document), "\n") {
			cells := strings.Split(line, "|")
			switch {
			case len(cells) < 4:
				column = -1
			case strings.Contains(line, "| test |"):
				for column = len(cells) - 1; strings.TrimSpace(cells[column]) != "test"; column-- {
					continue
				}
			case column < 0 || strings.HasPrefix(line, "|---"):
			default:
				rows++
				if column >= len(cells) || !regexp.MustCompile("`(Test|Fuzz)\\w+`").MatchString(cells[column]) {
					t.Errorf("%s: no test is named in: %s", document, line)
				}
			}
		}
		if rows == 0 {
			t.Errorf("%s has no table of promises: this says nothing", document)
		}
	}
}

func readDocument(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// definedTests gives the names of all modules' tests.
func definedTests(t *testing.T) map[string]bool {
	t.Helper()
	defined := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, found := range function.FindAllStringSubmatch(string(source), -1) {
			defined[found[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return defined
}
