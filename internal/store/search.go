package store

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
)

const (
	// window is how many rows a search looks at before it looks at the clock.
	window = 1_500
	// counted is how far the rows of a condition are counted to choose the one that leads.
	counted = 5_000
	// patience is how long a search goes on when no index serves all that it asks for: a page is to be there within 100 ms.
	patience = 35 * time.Millisecond
)

// Found is a part of what a search gives.
type Found[T any] struct {
	Page[T]
	// Further is set when the search stopped because it took long, before the page was full: it is the cursor from which
	// to look further back. There may be more that matches, or nothing.
	Further string
	// Looked is how many of the newest rows it then had looked at.
	Looked int
}

// Span bounds a search in time; a zero time does not.
type Span struct{ From, To time.Time }

// condition is one thing that a search asks for.
type condition struct {
	sql       string
	arguments []any
	// indexed says that few rows meet it, which an index finds, or that an index on column and ID gives them in order.
	indexed bool
	// column has the value in all rows that meet it; and is the condition of a partial index on column and ID.
	column string
	value  any
	and    string
}

// conditions collects what is asked for.
type conditions []condition

// add asks for what no index serves.
func (c *conditions) add(sql string, arguments ...any) {
	*c = append(*c, condition{sql: sql, arguments: arguments})
}

// few asks for what an index finds, and few rows have; an empty value asks for nothing.
func (c *conditions) few(column, value, and string) {
	if value != "" {
		*c = append(*c, condition{sql: column + " = ?" + and, arguments: []any{value}, indexed: true})
	}
}

// many asks for what an index on the column and the ID serves; an empty value asks for nothing.
func (c *conditions) many(column string, value any, and string) {
	if value != "" {
		*c = append(*c, condition{sql: column + " = ?" + and, arguments: []any{value}, indexed: true, column: column, value: value, and: and})
	}
}

// contains asks for a text in one of the columns, whatever its case.
func (c *conditions) contains(text string, columns ...string) {
	if text == "" {
		return
	}
	parts, arguments := make([]string, len(columns)), make([]any, len(columns))
	for i, column := range columns {
		parts[i] = "LOWER(" + column + `) LIKE ? ESCAPE '\'`
		arguments[i] = "%" + escapeLike(strings.ToLower(text)) + "%"
	}
	c.add("("+strings.Join(parts, " OR ")+")", arguments...)
}

// searched is a table that is searched, newest first.
type searched struct {
	table string
	// model is a pointer to the row's type; omit names its columns that a list does not show.
	model any
	omit  []string
}

// searchNewest reads a page of what meets all conditions. The one that fewest rows meet leads, by its index, and the others
// are checked on its newest rows, some thousands at a time until the patience of p is at its end: a page takes the same however
// rare the combination is.
func searchNewest[T any](ctx context.Context, db *gorm.DB, in searched, c conditions, span Span, p Paging, id func(T) string) (Found[T], error) {
	db, begun := session(db).WithContext(ctx), time.Now()
	lead, rest, err := in.leading(db, c, span, p.Cursor)
	if err != nil {
		return Found[T]{}, err
	}
	if len(rest) == 0 {
		page, err := pageOf(in.window(db, lead, span, p.Cursor).Model(in.model).Omit(in.omit...).Order(lead.order()), p.limit(), id)
		return Found[T]{Page: page}, err
	}
	limit := p.limit()
	found := Found[T]{Page: Page[T]{Items: make([]T, 0, limit)}}
	for cursor := p.Cursor; ; cursor = found.Further {
		page, err := pageOf(in.checked(db, lead, rest, span, cursor), limit-len(found.Items), id)
		if err != nil {
			return Found[T]{}, err
		}
		found.Items = append(found.Items, page.Items...)
		if page.Next != "" {
			found.Next, found.Further, found.Looked = page.Next, "", 0
			return found, nil
		}
		if found.Further, err = in.end(db, lead, span, cursor); err != nil || found.Further == "" {
			found.Looked = 0
			return found, err
		}
		found.Looked += window
		if len(found.Items) == limit {
			found.Next, found.Further, found.Looked = found.Further, "", 0
			return found, nil
		}
		if time.Since(begun) > cmp.Or(p.Patience, patience) {
			return found, nil
		}
	}
}

// checked is those of the newest rows that meet the leading condition which meet the others too.
func (in searched) checked(db *gorm.DB, lead *condition, rest conditions, span Span, cursor string) *gorm.DB {
	newest := in.window(db, lead, span, cursor).Model(in.model).Omit(in.omit...).Order(lead.order()).Limit(window)
	query := db.Table("(?) AS found", newest).Omit(in.omit...).Order(lead.order())
	for _, r := range rest {
		query = query.Where(r.sql, r.arguments...)
	}
	return query
}

// leading chooses the condition that fewest rows meet, counting no further than is needed for that.
func (in searched) leading(db *gorm.DB, c conditions, span Span, cursor string) (lead *condition, rest conditions, err error) {
	var indexed []int
	for i := range c {
		if c[i].indexed {
			indexed = append(indexed, i)
		}
	}
	if len(indexed) == 0 {
		return nil, c, nil
	}
	best := 0
	if len(indexed) > 1 {
		if best, err = in.fewest(db, c, indexed, span, cursor); err != nil {
			return nil, nil, err
		}
	}
	for i := range c {
		if i != indexed[best] {
			rest = append(rest, c[i])
		}
	}
	return &c[indexed[best]], rest, nil
}

// fewest counts the rows of each condition, and says which of them has the fewest.
func (in searched) fewest(db *gorm.DB, c conditions, indexed []int, span Span, cursor string) (best int, err error) {
	counts, places := make([]int64, len(indexed)), make([]any, len(indexed))
	parts, arguments := make([]string, len(indexed)), make([]any, len(indexed))
	for i, at := range indexed {
		parts[i], places[i] = "(SELECT COUNT(*) FROM (?) AS c)", &counts[i]
		// In order, so that an index is walked: a reader of the whole table hopes to meet enough rows soon.
		arguments[i] = in.window(db, &c[at], span, cursor).Table(in.table).Select("1").Order(c[at].order()).Limit(counted)
	}
	if err := db.Raw("SELECT "+strings.Join(parts, ", "), arguments...).Row().Scan(places...); err != nil {
		return 0, fmt.Errorf("count what meets each condition: %w", err)
	}
	for i := range counts {
		if counts[i] < counts[best] {
			best = i
		}
	}
	return best, nil
}

// order is newest first, in the words of the index that leads.
func (c *condition) order() string {
	if c == nil || c.column == "" {
		return "id DESC"
	}
	return c.column + " DESC, id DESC"
}

// beyond is greater than every ID.
const beyond = "~"

// window is the rows that meet the leading condition, before the cursor and within the span. A condition with an index on
// column and ID is written as a range of that index: told of an equality, Postgres may think that a walk along the
// primary key soon meets a page of such rows, and reads the whole table when they are rare.
func (in searched) window(db *gorm.DB, lead *condition, span Span, cursor string) *gorm.DB {
	from, before := "", cursor
	if !span.From.IsZero() {
		from = outbox.FirstID(span.From)
	}
	if !span.To.IsZero() {
		to := outbox.FirstID(span.To)
		before = min(cmp.Or(before, to), to)
	}
	if lead != nil && lead.column != "" {
		return db.Where("("+lead.column+", id) >= (?, ?) AND ("+lead.column+", id) < (?, ?)"+lead.and,
			lead.value, from, lead.value, cmp.Or(before, beyond))
	}
	query := db
	if lead != nil {
		query = query.Where(lead.sql, lead.arguments...)
	}
	if before != "" {
		query = query.Where("id < ?", before)
	}
	if from != "" {
		query = query.Where("id >= ?", from)
	}
	return query
}

// end gives the oldest ID of a full window; empty when everything was looked at.
func (in searched) end(db *gorm.DB, lead *condition, span Span, cursor string) (id string, err error) {
	var ids []string
	err = in.window(db, lead, span, cursor).Table(in.table).Order(lead.order()).Offset(window-1).Limit(1).Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return "", err
	}
	return ids[0], nil
}
