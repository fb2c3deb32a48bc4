package rule

// Includes are the relations that a rule follows from a row, by their names.
type Includes map[string]*Include

// Include is one relation that a rule follows, and those that it follows from there.
type Include struct {
	Relation Relation
	// Model is at the relation's other end.
	Model    *Model
	Includes Includes
}

// follow notes that a relation is followed, and gives what is followed from its other end.
func (i Includes) follow(relation Relation, model *Model) Includes {
	include, ok := i[relation.Name]
	if !ok {
		include = &Include{Relation: relation, Model: model, Includes: Includes{}}
		i[relation.Name] = include
	}
	return include.Includes
}

// needs is what a rule wants to see besides the two documents.
type needs struct {
	doc, oldDoc Includes
	// lists are the IDs of saved lists.
	lists   []string
	queries []*query
}

func newNeeds() *needs { return &needs{doc: Includes{}, oldDoc: Includes{}} }

// query is a compiled RecipientQuery: rows of a model whose fields have given values.
type query struct {
	model    *Model
	where    []queryMatch
	includes Includes
}

// queryMatch compares a field with a constant, or with what a path leads to.
type queryMatch struct {
	field string
	value any
	path  *path
}
