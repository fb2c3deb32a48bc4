package architecture_test

import (
	"fmt"
	"slices"
	"strings"
)

const module = "github.com/silquetech/silque-notifications"

// listed is a package as "go list -json" tells of it.
type listed struct {
	ImportPath string
	Name       string
	ForTest    string
	Imports    []string
	Deps       []string
	Module     *struct{ Main bool }
}

// under says whether a path is one of the folders of this module, or lies in one.
func under(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool { return within(path, module+"/"+folder) })
}

func within(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// from is true for packages of other modules: of Temporal, gorm or gin.
func from(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return within(path, root) })
}

func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

var (
	temporal   = []string{"go.temporal.io"}
	gorm       = []string{"gorm.io"}
	gin        = []string{"github.com/gin-gonic", "github.com/gin-contrib"}
	expression = "github.com/expr-lang/expr"
	adapters   = []string{"internal/channel/email", "internal/channel/sms", "internal/channel/whatsapp"}
)

// rule forbids some packages some imports.
type rule struct {
	promise string
	binds   func(importer listed) bool
	forbids func(importer listed, imported string) bool
	// direct rules look at the imports in the package's own files; the others also at what those import in turn.
	direct bool
	// tests says that the rule binds tests too; the others leave them free to import what they need.
	tests bool
}

// rules are design's, one each.
func rules(mains map[string]bool) []rule {
	in := func(folders ...string) func(listed) bool {
		return func(importer listed) bool { return under(importer.ImportPath, folders...) }
	}
	outside := func(folders ...string) func(listed) bool {
		return func(importer listed) bool {
			return importer.Name != "main" && !under(importer.ImportPath, folders...)
		}
	}
	never := func(forbidden func(imported string) bool) func(listed, string) bool {
		return func(_ listed, imported string) bool { return forbidden(imported) }
	}
	folders := func(names ...string) func(listed, string) bool {
		return never(func(imported string) bool { return under(imported, names...) })
	}
	return []rule{
		{promise: "internal/rule imports only the standard library and its expression engine", binds: in("internal/rule"),
			forbids: never(func(imported string) bool {
				return !standard(imported) && !from(imported, expression) && !under(imported, "internal/rule")
			})},
		{promise: "workflows never import store, channel, config or gorm", binds: in("workflows"),
			forbids: never(func(imported string) bool {
				return under(imported, "internal/store", "internal/channel", "internal/config") || from(imported, gorm...)
			})},
		{promise: "activities never import store or channel", binds: in("activities"),
			forbids: folders("internal/store", "internal/channel")},
		{promise: "channel adapters never import each other or Temporal", binds: in(adapters...),
			forbids: func(importer listed, imported string) bool {
				another := func(adapter string) bool { return under(imported, adapter) && !under(importer.ImportPath, adapter) }
				return from(imported, temporal...) || slices.ContainsFunc(adapters, another)
			}},
		{promise: "notify and rules never import workflows, Temporal or gin: applications do not get them", binds: in("notify", "rules"),
			forbids: never(func(imported string) bool {
				return under(imported, "workflows") || from(imported, temporal...) || from(imported, gin...)
			})},
		{promise: "gin is only under web and dev", direct: true,
			binds:   func(importer listed) bool { return !under(importer.ImportPath, "web", "dev") },
			forbids: never(func(imported string) bool { return from(imported, gin...) })},
		{promise: "only mains, and wiring for them, read settings", direct: true,
			binds:   outside("internal/config", "internal/wiring", "dev"),
			forbids: folders("internal/config")},
		{promise: "only mains wire", direct: true, binds: outside("internal/wiring", "dev"), forbids: folders("internal/wiring")},
		{promise: "only tests start databases of their own", direct: true, binds: outside("internal/testdb"),
			forbids: folders("internal/testdb")},
		{promise: "nobody imports a main", direct: true, binds: func(listed) bool { return true },
			forbids: never(func(imported string) bool { return mains[imported] })},
		{promise: "examples use only what an application may import", direct: true, binds: in("examples"),
			forbids: folders("internal")},
		{promise: "the Temporal server stays in dev and bench, modules of their own", tests: true,
			binds:   func(listed) bool { return true },
			forbids: never(func(imported string) bool { return from(imported, "go.temporal.io/server") })},
	}
}

// violations names each import of this module's packages that breaks a rule.
func violations(packages []listed) []string {
	mains := map[string]bool{}
	for _, p := range packages {
		if p.Name == "main" {
			mains[p.ImportPath] = true
		}
	}
	var found []string
	for _, p := range packages {
		if p.Module == nil || !p.Module.Main {
			continue
		}
		for _, r := range rules(mains) {
			test := p.ForTest != "" || strings.HasSuffix(p.ImportPath, ".test") || strings.HasSuffix(p.Name, "_test")
			if test && !r.tests || !r.binds(p) {
				continue
			}
			imports := p.Deps
			if r.direct {
				imports = p.Imports
			}
			for _, imported := range imports {
				if r.forbids(p, imported) {
					found = append(found, fmt.Sprintf("%s: %s imports %s", r.promise, p.ImportPath, imported))
				}
			}
		}
	}
	return found
}
