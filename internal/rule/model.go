package rule

// FieldType is the kind of value that a field holds, as far as a rule can tell.
type FieldType string

// The field types, and the form in which a snapshot's JSON holds their values.
const (
	String   FieldType = "string"   // JSON string
	Integer  FieldType = "integer"  // JSON number without fraction
	Float    FieldType = "float"    // JSON number
	Decimal  FieldType = "decimal"  // JSON string such as "12.50", so that no digit is lost
	Boolean  FieldType = "boolean"  // JSON true or false
	Date     FieldType = "date"     // JSON string, YYYY-MM-DD
	DateTime FieldType = "datetime" // JSON string, RFC 3339 in UTC
	Time     FieldType = "time"     // JSON string, hh:mm:ss
	Bytes    FieldType = "bytes"    // JSON string, standard base64
	JSON     FieldType = "json"     // any JSON value
)

// called names the type in a message.
func (t FieldType) called() string {
	if t == Integer {
		return "an integer field"
	}
	return "a " + string(t) + " field"
}

// Field is one column of a model.
type Field struct {
	Name  string    `json:"name"`
	Label string    `json:"label"`
	Type  FieldType `json:"type"`
	// Nullable fields can hold null, whatever their type.
	Nullable bool `json:"nullable"`
	// Scale is the number of decimal places that a decimal column keeps; zero when it is not known.
	Scale int `json:"scale,omitempty"`
	// Address says that the application has marked the field as one that holds an address: HoldsEmail or HoldsNumber.
	Address string `json:"address,omitempty"`
}

// RelationKind says how many rows are at the other end.
type RelationKind string

// The kinds of relation.
const (
	BelongsTo RelationKind = "belongs_to"
	HasOne    RelationKind = "has_one"
	HasMany   RelationKind = "has_many"
)

// Relation leads from one model to another. For belongs_to, Field is a column of this model that holds the other
// model's RemoteField; for has_one and has_many, RemoteField is a column of the other model that holds this model's Field.
type Relation struct {
	Name        string       `json:"name"`
	Label       string       `json:"label"`
	Kind        RelationKind `json:"kind"`
	Model       string       `json:"model"`
	Field       string       `json:"field"`
	RemoteField string       `json:"remote_field"`
}

// Model is a table that opted in: what a rule may name, with its types.
type Model struct {
	// Name is the table's name.
	Name  string `json:"name"`
	Label string `json:"label"`
	// PrimaryKey lists the key's columns in order; a composite key's values are joined by commas in an event's key.
	PrimaryKey []string   `json:"primary_key"`
	Fields     []Field    `json:"fields"`
	Relations  []Relation `json:"relations"`
	// SoftDelete is the column that marks rows as deleted; empty when rows of the model are deleted for good.
	SoftDelete string `json:"soft_delete,omitempty"`
}

// Field finds a column by name.
func (m *Model) Field(name string) (Field, bool) {
	for _, f := range m.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Relation finds a relation by name.
func (m *Model) Relation(name string) (Relation, bool) {
	for _, r := range m.Relations {
		if r.Name == name {
			return r, true
		}
	}
	return Relation{}, false
}

// Models looks a model up by its table's name.
type Models interface {
	Model(name string) (*Model, bool)
}
