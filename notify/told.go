package notify

import (
	"context"
	"reflect"
	"strings"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// told is what an UPDATE on SQLite itself says of the rows after it, so that they need not be asked for: the rows before
// are known, nobody else can write until the transaction ends, and the assigned values are stored as they are.
type told struct {
	fields []*schema.Field
	values []reflect.Value
}

// tell gives nil where only the database knows which rows the UPDATE changes, or what it makes of them.
func (c *capture) tell(query string) *told {
	if isPostgres(c.db) || c.shape.triggers || c.setsKey || !c.plainConditions(query) {
		return nil
	}
	for i := range c.before {
		if len(c.before[i].unreadable) > 0 {
			return nil
		}
	}
	if c.soft {
		return &told{} // its events need the rows before, and know now which ones those are
	}
	if !c.shape.faithful {
		return nil
	}
	return c.assignments()
}

// plainConditions says whether the same rows meet the conditions however often they are asked: a function, such as
// random, or the time may answer differently the second time.
func (c *capture) plainConditions(query string) bool {
	if update, ok := c.db.Statement.Clauses["UPDATE"].Expression.(clause.Update); ok && update.Modifier != "" {
		return false // OR IGNORE leaves rows as they are
	}
	return !strings.Contains(query, "(") && !strings.Contains(strings.ToLower(query), "current_")
}

// assignments gives nil unless every value has the very type of its field, of which shape knows that it is kept.
func (c *capture) assignments() *told {
	set, _ := c.db.Statement.Clauses["SET"].Expression.(clause.Set)
	t := new(told)
	for _, assignment := range set {
		field := c.model.schema.FieldsByDBName[assignment.Column.Name]
		value := reflect.ValueOf(assignment.Value)
		if field == nil || !value.IsValid() || value.Type() != field.FieldType || behindPointer(field) {
			return nil
		}
		t.fields, t.values = append(t.fields, field), append(t.values, value)
	}
	return t
}

// behindPointer says whether the field is in a struct that rows share when they are copied.
func behindPointer(field *schema.Field) bool {
	for _, index := range field.StructField.Index {
		if index < 0 {
			return true
		}
	}
	return false
}

// rowsAfter gives the rows as the UPDATE has left them.
func (t *told) rowsAfter(ctx context.Context, before []row) []row {
	after := make([]row, len(before))
	for i := range before {
		after[i] = before[i]
		after[i].value = reflect.New(before[i].value.Type()).Elem()
		after[i].value.Set(before[i].value)
		for j, field := range t.fields {
			field.ReflectValueOf(ctx, after[i].value).Set(t.values[j])
		}
	}
	return after
}
