package notify

import (
	"context"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// mayUpdate says whether an INSERT can change rows that are there: ON CONFLICT DO UPDATE, or SQLite's OR REPLACE.
func mayUpdate(statement *gorm.Statement) bool {
	if conflict, ok := conflictOf(statement); ok && !conflict.DoNothing {
		return true
	}
	return modifier(statement) != ""
}

func conflictOf(statement *gorm.Statement) (clause.OnConflict, bool) {
	conflict, ok := statement.Clauses["ON CONFLICT"].Expression.(clause.OnConflict)
	return conflict, ok
}

func modifier(statement *gorm.Statement) string {
	insert, _ := statement.Clauses["INSERT"].Expression.(clause.Insert)
	return insert.Modifier
}

// prepareCreate reads the rows that an upsert may change. It asks for the new rows only where the application's structs
// do not tell them, which saves the commonest saves the work.
func (c *capture) prepareCreate(ctx context.Context) (returning bool, err error) {
	conflict, upsert := conflictOf(c.db.Statement)
	ignoring := upsert && conflict.DoNothing || modifier(c.db.Statement) != ""
	if mayUpdate(c.db.Statement) {
		candidates := c.candidates(conflict)
		if len(candidates) > 0 {
			if err := c.readCandidates(ctx, candidates); err != nil {
				return false, err
			}
			return true, nil
		}
	}
	if ignoring || !c.structsTell() {
		return true, nil
	}
	c.fromStruct = c.shape.faithful
	return !c.fromStruct, nil
}

// holding stands for the rows that hold one of the tuples in the columns.
type holding struct {
	columns []string
	tuples  [][]any
}

// readCandidates reads the rows that already hold one of the new rows' unique values.
func (c *capture) readCandidates(ctx context.Context, candidates []holding) error {
	return c.readBefore(ctx, "NO KEY UPDATE", func(q *gorm.Statement) {
		q.WriteQuoted(clause.Table{Name: clause.CurrentTable})
		_, _ = q.WriteString(" WHERE ")
		for i, candidate := range candidates {
			if i > 0 {
				_, _ = q.WriteString(" OR ")
			}
			c.writeHolding(q, candidate.columns, candidate.tuples)
		}
	})
}

// structsTell says whether gorm's structs hold every column after the INSERT: each is among the inserted values or among
// those that gorm reads back.
func (c *capture) structsTell() bool {
	s := c.db.Statement
	if s.Schema == nil || s.Schema.ModelType != c.model.schema.ModelType || !holdsStructs(s.ReflectValue, s.Schema.ModelType) {
		return false
	}
	switch s.Dest.(type) {
	case map[string]any, *map[string]any, []map[string]any, *[]map[string]any:
		return false
	}
	known := make(map[string]bool, len(c.shape.fields))
	values, _ := s.Clauses["VALUES"].Expression.(clause.Values)
	for _, column := range values.Columns {
		known[column.Name] = true
	}
	if returned, ok := s.Clauses["RETURNING"].Expression.(clause.Returning); ok {
		for _, column := range returned.Columns {
			known[column.Name] = true
		}
	}
	for _, field := range c.shape.fields {
		if !known[field.DBName] {
			return false
		}
	}
	return true
}

func holdsStructs(value reflect.Value, model reflect.Type) bool {
	t := value.Type()
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		t = t.Elem()
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t == model
}

// candidates finds the values by which the upsert may meet rows: none when no new row has a value that can meet one, such
// as a key that the database will count up.
func (c *capture) candidates(conflict clause.OnConflict) (candidates []holding) {
	values, _ := c.db.Statement.Clauses["VALUES"].Expression.(clause.Values)
	position := make(map[string]int, len(values.Columns))
	for i, column := range values.Columns {
		position[column.Name] = i
	}
	for _, columns := range c.uniqueColumns(conflict) {
		if tuples := given(columns, position, values.Values); len(tuples) > 0 {
			candidates = append(candidates, holding{columns, tuples})
		}
	}
	return candidates
}

// given lists what the new rows have in the columns, where they have a plain value in each.
func given(columns []string, position map[string]int, rows [][]any) (tuples [][]any) {
	for _, values := range rows {
		tuple := make([]any, 0, len(columns))
		for _, column := range columns {
			i, there := position[column]
			if !there || values[i] == nil {
				break
			}
			if _, computed := values[i].(clause.Expression); computed {
				break
			}
			tuple = append(tuple, values[i])
		}
		if len(tuple) == len(columns) {
			tuples = append(tuples, tuple)
		}
	}
	return tuples
}

// uniqueColumns lists the column sets by which the upsert can meet a row: those that it names, or else all unique ones.
func (c *capture) uniqueColumns(conflict clause.OnConflict) [][]string {
	if named := c.namedColumns(conflict); len(named) > 0 {
		return [][]string{named}
	}
	sets := [][]string{c.model.schema.PrimaryFieldDBNames}
	for _, field := range c.model.schema.Fields {
		if field.Unique && field.DBName != "" {
			sets = append(sets, []string{field.DBName})
		}
	}
	for _, index := range c.model.schema.ParseIndexes() {
		if index.Class == "UNIQUE" {
			sets = append(sets, indexColumns(index))
		}
	}
	return sets
}

func (c *capture) namedColumns(conflict clause.OnConflict) (names []string) {
	for _, column := range conflict.Columns {
		field := c.model.schema.LookUpField(column.Name)
		if field == nil {
			return nil // an expression
		}
		names = append(names, field.DBName)
	}
	return names
}

func indexColumns(index *schema.Index) (names []string) {
	for _, option := range index.Fields {
		if option.Field != nil {
			names = append(names, option.DBName)
		}
	}
	return names
}
