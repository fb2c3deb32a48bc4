package rule

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
)

// The names that a rule may use.
const (
	docName    = "doc"
	oldDocName = "old_doc"
	notifName  = "notif"
)

// hopLimit bounds the relations that one path follows.
const hopLimit = 5

// notifFields are what a rule may ask about its own notification.
var notifFields = []Field{
	{Name: "id", Type: String}, {Name: "title", Type: String}, {Name: "channel", Type: String},
	{Name: "trigger", Type: String}, {Name: "model", Type: String}, {Name: "active", Type: Boolean},
}

// channelLetters are the Django app's codes for the channels: its conditions ask for notif.channel == "E".
var channelLetters = map[Channel]string{Email: "E", SMS: "S", WhatsApp: "W"}

// path is a name that leads to a value, such as doc.status or doc.customer.name, or to rows, such as doc.customer.
type path struct {
	root string
	hops []Relation
	// model is that of the rows at the end; nil for notif.
	model *Model
	// field is the value's; a path that ends at rows has none.
	field Field
	rows  bool
	// many paths lead through a relation to many, so that there can be several rows at the end.
	many bool
	// includes is where the relations are noted that are followed from the end.
	includes Includes
}

// String gives the path as it is written.
func (p path) String() string {
	names := []string{p.root}
	for _, hop := range p.hops {
		names = append(names, hop.Name)
	}
	if !p.rows {
		names = append(names, p.field.Name)
	}
	return strings.Join(names, ".")
}

// scopeNames knows what the names in a rule stand for, and notes which relations they follow.
type scopeNames struct {
	models Models
	// model is the notification's own.
	model *Model
	// zone is where days begin.
	zone  *time.Location
	roots map[string]root
}

// root is what a path can begin with: a row of a model, or (without a model) the notification.
type root struct {
	model    *Model
	includes Includes
}

// newNames knows doc, old_doc and notif; what they follow is noted in n.
func newNames(models Models, m *Model, n *needs, zone *time.Location) *scopeNames {
	return &scopeNames{models: models, model: m, zone: zone, roots: map[string]root{
		docName: {model: m, includes: n.doc}, oldDocName: {model: m, includes: n.oldDoc}, notifName: {},
	}}
}

// with knows one name more: a row of those at the end of a path.
func (s *scopeNames) with(name string, p path) *scopeNames {
	roots := make(map[string]root, len(s.roots)+1)
	for known, r := range s.roots {
		roots[known] = r
	}
	roots[name] = root{model: p.model, includes: p.includes}
	return &scopeNames{models: s.models, model: s.model, zone: s.zone, roots: roots}
}

// value finds a path that ends at one value. The error is a message for the person who wrote it.
func (s *scopeNames) value(names []string) (path, error) {
	p, err := s.resolve(names)
	switch {
	case err != nil:
		return p, err
	case p.rows:
		return p, fmt.Errorf("%s alone is no value: name a field, such as %s.%s", p, p, exampleField(p))
	case p.many:
		return p, fmt.Errorf("%s leads to many rows, and one value is needed", p)
	default:
		return p, nil
	}
}

// resolve finds what the names lead to: a value or rows, one or many.
func (s *scopeNames) resolve(names []string) (path, error) {
	start, ok := s.roots[names[0]]
	if !ok {
		return path{}, fmt.Errorf("unknown name %s: use %s, such as doc.%s", names[0], s.listed(), names[len(names)-1])
	}
	p := path{root: names[0], model: start.model, includes: start.includes, rows: true}
	for i, name := range names[1:] {
		last := i == len(names)-2
		if done, err := p.takeField(name, last); done || err != nil {
			return p, err
		}
		if err := p.hop(s.models, name); err != nil {
			return p, err
		}
	}
	return p, nil
}

// takeField takes the name of a field, which must be the path's last. A field goes before a relation of the same name.
func (p *path) takeField(name string, last bool) (done bool, err error) {
	fields := notifFields
	if p.model != nil {
		fields = p.model.Fields
	}
	for _, f := range fields {
		if f.Name != name {
			continue
		}
		if !last {
			return false, p.notARelation(name)
		}
		p.field, p.rows = f, false
		return true, nil
	}
	if p.model == nil {
		return false, unknownField(notifName, name, fields)
	}
	return false, nil
}

// notARelation helps with doc.customer_id.name, which means doc.customer.name.
func (p *path) notARelation(name string) error {
	for _, r := range p.model.Relations {
		if r.Field == name && r.Kind == BelongsTo {
			return fmt.Errorf("%s.%s is a field and leads no further: write %s.%s", p, name, p, r.Name)
		}
	}
	return fmt.Errorf("%s.%s is a field and leads no further", p, name)
}

// hop takes the name of a relation.
func (p *path) hop(models Models, name string) error {
	relation, ok := p.model.Relation(name)
	if !ok {
		return unknownField(p.model.Name, name, p.model.named())
	}
	other, ok := models.Model(relation.Model)
	if !ok {
		return fmt.Errorf("%s.%s leads to %s, which is not registered: register it with the notify plugin", p, name, relation.Model)
	}
	if len(p.hops) == hopLimit {
		return fmt.Errorf("%s follows more than %d relations", p, hopLimit)
	}
	p.hops = append(slices.Clip(p.hops), relation)
	p.many = p.many || relation.Kind == HasMany
	p.model, p.includes = other, p.includes.follow(relation, other)
	return nil
}

// named lists what a path can go on with, for the search of a near name.
func (m *Model) named() []Field {
	fields := slices.Clone(m.Fields)
	for _, r := range m.Relations {
		fields = append(fields, Field{Name: r.Name})
	}
	return fields
}

// listed names the roots: doc, old_doc or notif.
func (s *scopeNames) listed() string {
	known := []string{docName, oldDocName, notifName}
	for name := range s.roots {
		if !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	slices.Sort(known[3:])
	return strings.Join(known[:len(known)-1], ", ") + " or " + known[len(known)-1]
}

func exampleField(p path) string {
	if p.model == nil || len(p.model.Fields) == 0 {
		return "id"
	}
	return p.model.Fields[0].Name
}

// unknownField names the field and the nearest that exists.
func unknownField(owner, name string, fields []Field) error {
	message := fmt.Sprintf("%s has no field %s", owner, name)
	if near := nearest(name, fields); near != "" {
		message += ": did you mean " + near + "?"
	}
	return errors.New(message)
}

// nearest gives the known name that differs in the fewest letters, or "" when none is alike.
func nearest(name string, fields []Field) string {
	type scored struct {
		name     string
		distance int
	}
	// Two swapped letters count twice: a name of five or more may differ so much, a short one by a letter.
	limit := min(max(1, (len(name)+1)/3), len(name)-1)
	var alike []scored
	for _, f := range fields {
		if d := editDistance(strings.ToLower(name), strings.ToLower(f.Name)); d <= limit {
			alike = append(alike, scored{f.Name, d})
		}
	}
	if len(alike) == 0 {
		return ""
	}
	sort.SliceStable(alike, func(i, j int) bool { return alike[i].distance < alike[j].distance })
	return alike[0].name
}

// editDistance counts the letters to insert, delete or replace (Levenshtein).
func editDistance(a, b string) int {
	from, to := []rune(a), []rune(b)
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range to {
			replace := diagonal
			if x != y {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, replace)
		}
	}
	return row[len(to)]
}
