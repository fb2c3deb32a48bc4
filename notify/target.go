package notify

import (
	"log/slog"
	"regexp"
	"strings"

	"gorm.io/gorm"
)

// identifier is a name as SQL has it: bare, or in the quotes of either database.
const identifier = `(?:\w+|"[^"]+"|` + "`[^`]+`)"

// aliased matches what db.Table takes beyond a name, as far as an UPDATE or DELETE can use it: "loans AS l", "loans l".
var aliased = regexp.MustCompile(`(?i)^\s*(` + identifier + `(?:\.` + identifier + `)?)\s+(?:AS\s+)?(` + identifier + `)\s*$`)

var identifiers = regexp.MustCompile(identifier)

// target finds the registered model whose table the statement changes, and the name by which the statement calls it.
func (p *Plugin) target(statement *gorm.Statement) (m *model, alias string) {
	if statement.TableExpr != nil {
		if parts := aliased.FindStringSubmatch(statement.TableExpr.SQL); parts != nil {
			table := identifiers.FindAllString(parts[1], -1)
			for i := range table {
				table[i] = named(statement, table[i])
			}
			if m = p.registered(strings.Join(table, ".")); m == nil {
				m = p.registered(table[len(table)-1]) // gorm, too, keeps only the last part
			}
			return m, named(statement, parts[2])
		}
	}
	if m := p.registered(statement.Table); m != nil {
		return m, statement.Table
	}
	// gorm keeps only the last part of a table's name that has a database schema in front.
	if s := statement.Schema; s != nil && statement.TableExpr != nil && s.Table != statement.Table {
		if m := p.registered(s.Table); m != nil && statement.TableExpr.SQL == statement.Quote(s.Table) {
			return m, statement.Table
		}
	}
	p.reportUnseen(statement)
	return nil, ""
}

func (p *Plugin) registered(table string) *model {
	if m, ok := p.models.Load(table); ok {
		return m.(*model)
	}
	return nil
}

// named is the name that an identifier stands for: Postgres folds bare ones.
func named(statement *gorm.Statement, text string) string {
	if bare := strings.Trim(text, "\"`"); bare != text {
		return bare
	}
	if isPostgres(statement.DB) {
		return strings.ToLower(text)
	}
	return text
}

// reportUnseen says once for each table that changes through an expression around its name make no events.
func (p *Plugin) reportUnseen(statement *gorm.Statement) {
	if statement.TableExpr == nil || !strings.ContainsAny(statement.TableExpr.SQL, " \t\n") {
		return
	}
	for _, word := range identifiers.FindAllString(statement.TableExpr.SQL, -1) {
		m := p.registered(named(statement, word))
		if m == nil {
			continue
		}
		if _, known := p.complaints.LoadOrStore(m.name+": expression", true); !known {
			p.log.Warn("a change of a table expression that names a registered table makes no event: give db.Table a name "+
				"and at most an alias (reported once for each table)", slog.String("model", m.name))
		}
	}
}
