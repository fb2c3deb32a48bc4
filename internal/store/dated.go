package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// DatedPage asks for rows of a model by a date or a time, in the order of the primary key.
type DatedPage struct {
	Field     string
	Low, High time.Time
	// After holds the primary key of the last row of the page before, as rule.Document gives its values; nil for the first
	// page.
	After []any
	Limit int
}

// Dated gives a page of the rows whose field lies between two times, as snapshots. On SQLite, where times are texts of
// many forms, it can be some hours more: the caller looks at the values. More says that there may be a further page. When another try
// would not help, the error is rule.ErrUnreadable.
func (s Rows) Dated(ctx context.Context, m *catalog.Model, p DatedPage) (rows []json.RawMessage, more bool, err error) {
	query := alive(s.of(ctx, m), m).Where(between(s.DB, p))
	if len(p.After) > 0 {
		query = query.Where(after(m.PrimaryKey, p.After))
	}
	for _, key := range m.PrimaryKey {
		query = query.Order(orderBy(key))
	}
	rows, cut, err := snapshots(query.Limit(p.Limit), m, m.Fields)
	switch {
	case err != nil && final(err):
		return nil, false, rule.ErrUnreadable
	case err != nil:
		return nil, false, fmt.Errorf("store: read dated rows of %s: %w", m.Name, err)
	default:
		return rows, cut || len(rows) == p.Limit, nil
	}
}

// between compares as the database keeps times: Postgres as such, SQLite as texts that begin with the year, or as
// seconds.
func between(db *gorm.DB, p DatedPage) clause.Expr {
	column := clause.Column{Name: p.Field}
	if db.Name() == "postgres" {
		return clause.Expr{SQL: "? BETWEEN CAST(? AS timestamptz) AND CAST(? AS timestamptz)",
			Vars: []any{column, p.Low.UTC().Format(time.RFC3339), p.High.UTC().Format(time.RFC3339)}}
	}
	return clause.Expr{SQL: "(? BETWEEN ? AND ? AND typeof(?) = 'text' OR typeof(?) = 'integer' AND ? BETWEEN ? AND ?)", Vars: []any{
		column, p.Low.UTC().Format(time.DateOnly), p.High.UTC().AddDate(0, 0, 1).Format(time.DateOnly), column,
		column, column, p.Low.Unix(), p.High.Unix(),
	}}
}

// after compares whole keys, column by column: (a, b) > (1, 2).
func after(columns []string, values []any) clause.Expr {
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ")
	expr := clause.Expr{SQL: "(" + marks + ") > (" + marks + ")", WithoutParentheses: true}
	for _, column := range columns {
		expr.Vars = append(expr.Vars, clause.Column{Name: column})
	}
	for _, value := range values {
		expr.Vars = append(expr.Vars, parameter(value))
	}
	return expr
}

// DateRules reads every notification with a date trigger, active or not.
func (s Notifications) DateRules(ctx context.Context) ([]*rule.Notification, error) {
	var rows []notificationRow
	err := session(s.DB).WithContext(ctx).
		Where("trigger_name IN ('days_before', 'days_after')").Order("id").Find(&rows).Error // as the partial index has it
	if err != nil {
		return nil, fmt.Errorf("store: notifications with dates: %w", err)
	}
	notifications := make([]*rule.Notification, len(rows))
	for i, row := range rows {
		if notifications[i], err = row.notification(); err != nil {
			return nil, err
		}
	}
	return notifications, nil
}
