package rule

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Direct is where a candidate comes from that the notification names by its address.
const Direct = "direct"

// Candidate is a possible address of a message, as it was found: neither normalised nor checked.
type Candidate struct {
	// Value is empty when nothing was found.
	Value string
	// From is Direct, or where it was found: a path such as doc.email, a list, a query.
	From string
	// Row holds the address; nil for one that stands in no row of a model.
	Row Document
	// Locale is the language of a list's entry; empty when it has none.
	Locale string
	// Copy: it gets a copy (Cc) of an email.
	Copy bool
	// Instead lists the addresses to try, in this order, when Value is not usable: those of the fields of lower priority.
	Instead []string
}

// recipientSource is one way in which a recipient's row finds addresses: exactly one of address, path, list and query
// is set, or none for what is not there any more.
type recipientSource struct {
	from    string
	copy    bool
	address string
	// path leads to the value, or to rows of which fields hold the address.
	path   *path
	fields []path
	list   string
	query  *query
}

// rowName is the name of the row that holds an address, for the paths of its fields.
const rowName = "row"

func (r Reader) compileRecipients(n *Notification, names *scopeNames, wanted *needs) []recipientSource {
	var sources []recipientSource
	for _, row := range n.Recipients {
		for _, source := range r.sourcesOf(n, row, names, wanted) {
			source.copy = row.Copy
			sources = append(sources, source)
		}
	}
	return sources
}

// sourcesOf compiles one row. What is not there any more becomes a source that finds nothing.
func (r Reader) sourcesOf(n *Notification, row Recipient, names *scopeNames, wanted *needs) (sources []recipientSource) {
	if address := strings.TrimSpace(row.Address); address != "" {
		sources = append(sources, recipientSource{address: address, from: Direct})
	}
	if strings.TrimSpace(row.DocumentField) != "" {
		source, err := r.documentSource(row.DocumentField, n.Channel, names)
		if err != nil {
			source = recipientSource{from: source.from}
		}
		sources = append(sources, source)
	}
	if row.ListID != "" {
		wanted.lists = append(wanted.lists, row.ListID)
		sources = append(sources, recipientSource{list: row.ListID, from: "list " + row.ListID})
	}
	if row.Query != nil {
		source, err := r.querySource(row.Query, n.Channel, names)
		if err == nil {
			wanted.queries = append(wanted.queries, source.query)
		} else {
			source = recipientSource{from: source.from}
		}
		sources = append(sources, source)
	}
	return sources
}

// documentSource compiles a document field: a path to a value, a path to rows, or a relation token. from is set even
// when there is an error, which is a message for the person who wrote it.
func (r Reader) documentSource(documentField string, c Channel, names *scopeNames) (recipientSource, error) {
	parts, key, err := readDocumentField(documentField, names)
	source := recipientSource{from: strings.Join(parts, ".")}
	if err != nil {
		return source, err
	}
	found, err := names.resolve(parts)
	if err == nil && !found.rows && found.model != nil && found.field.Type != String {
		// A foreign key is no address: it means the row that it leads to.
		if relation, ok := relationBy(found.model, found.field.Name); ok {
			parts[len(parts)-1] = relation.Name
			found, err = names.resolve(parts)
		}
	}
	switch {
	case err != nil:
		return source, err
	case found.root == notifName:
		return source, errors.New("a notification has no address: use a field of doc or old_doc")
	case !found.rows && !holdsAddress(found.field.Type, c):
		return source, fmt.Errorf("%s is %s and cannot hold an address for %s", found, found.field.Type.called(), c)
	case found.rows && len(found.hops) == 0:
		return source, fmt.Errorf("%s is a whole row: name a field, such as %s.%s", found, found, exampleField(found))
	}
	source.path = &found
	if found.rows {
		source.fields, err = r.addressPaths(found.model, key, c, names.with(rowName, found))
	}
	return source, err
}

// addressPaths resolves the fields that hold a related row's address.
func (r Reader) addressPaths(m *Model, key string, c Channel, names *scopeNames) ([]path, error) {
	fields := r.Settings.AddressFields(m, key, c)
	if len(fields) == 0 {
		return nil, fmt.Errorf("%s has no field that is known to hold %s: name a field, mark one with the tag "+
			"`notify:\"address:%s\"`, or set %s", m.Name, channelNeeds(c), addressKind(c), mappingSetting(c))
	}
	paths := make([]path, 0, len(fields))
	for _, field := range fields {
		found, err := names.value(append([]string{rowName}, strings.Split(field, ".")...))
		if err != nil {
			return nil, fmt.Errorf("%s names the field %s for %s: %w", mappingSetting(c), field, m.Name, err)
		}
		paths = append(paths, found)
	}
	return paths, nil
}

func channelNeeds(c Channel) string {
	if c == Email {
		return "an email address"
	}
	return "a number"
}

// mappingSetting names the setting of Settings.EmailFields or NumberFields.
func mappingSetting(c Channel) string {
	if c == Email {
		return "NOTIFY_EMAIL_FIELDS"
	}
	return "NOTIFY_NUMBER_FIELDS"
}

// relationToken is how a document field begins that names a relation, in the Django app's way:
// silque.doc.customer.shop.Customer ~ label.
const relationToken = "silque."

// readDocumentField splits a document field into the names of a path, and gives what a relation token calls its model.
// A bare path is one of doc.
func readDocumentField(documentField string, names *scopeNames) (parts []string, key string, err error) {
	text, _, _ := strings.Cut(documentField, "~")
	text = strings.TrimSpace(text)
	token, isToken := strings.CutPrefix(text, relationToken)
	if !isToken {
		if parts = recipientNames(text); parts == nil {
			err = errors.New("name a field, such as doc.email")
		}
		return parts, "", err
	}
	parts = strings.Split(token, ".")
	start, ok := names.roots[parts[0]]
	if !ok || start.model == nil || len(parts) < 2 {
		return parts, "", errors.New("write a relation as silque.doc.<foreign key>.<app.Model>")
	}
	return readToken(parts, start.model, names.models)
}

// readToken follows the relations that the parts name, by relation or by foreign key, for as long as something is left
// that can be the model.
func readToken(parts []string, model *Model, models Models) (path []string, key string, err error) {
	path = parts[:1:1]
	at := 1
	for ; at < len(parts) && (at < len(parts)-1 || at == 1); at++ {
		if at > 1 && calls(parts[at:], model) {
			break // what is left is the model that has been reached, even if it has a relation of that name
		}
		relation, ok := relationBy(model, parts[at])
		if !ok {
			break
		}
		path = append(path, relation.Name)
		other, ok := models.Model(relation.Model)
		if !ok {
			at++
			break
		}
		model = other
	}
	if len(path) == 1 {
		return parts, "", unknownField(model.Name, parts[1], model.relationNames())
	}
	return path, strings.Join(parts[at:], "."), nil
}

// calls says whether the parts are what the Django app calls a model: app.Model.
func calls(parts []string, m *Model) bool {
	if len(parts) != 2 {
		return false
	}
	table := strings.ToLower(m.Name)
	return strings.EqualFold(parts[0]+"_"+parts[1], table) || slices.Contains(tablesOf(parts[1]), table)
}

// relationBy finds a relation by its name, or by the column that is its foreign key.
func relationBy(m *Model, name string) (Relation, bool) {
	if r, ok := m.Relation(name); ok {
		return r, true
	}
	for _, r := range m.Relations {
		if r.Kind == BelongsTo && r.Field == name {
			return r, true
		}
	}
	return Relation{}, false
}

func (m *Model) relationNames() (names []Field) {
	for _, r := range m.Relations {
		names = append(names, Field{Name: r.Name})
	}
	return names
}

// recipientNames splits a document field; a bare path is one of doc. Nil when it is blank.
func recipientNames(documentField string) []string {
	documentField = strings.TrimSpace(documentField)
	if documentField == "" {
		return nil
	}
	names := strings.Split(documentField, ".")
	switch names[0] {
	case docName, oldDocName, notifName:
		return names
	default:
		return append([]string{docName}, names...)
	}
}

// holdsAddress: texts and JSON can hold any address, and whole numbers a phone number.
func holdsAddress(t FieldType, c Channel) bool {
	switch t {
	case String, JSON:
		return true
	case Integer, Float, Decimal:
		return c != Email
	default:
		return false
	}
}

// candidateLimit bounds what is looked at: rows of lists with thousands of entries each add up.
const candidateLimit = 2 * ListLimit

// Candidates gives the possible addresses in the order of the recipients' rows, in each the direct one first. The same
// address can come twice.
func (c *Compiled) Candidates(s Scope) []Candidate {
	v := c.view(s)
	candidates := make([]Candidate, 0, len(c.recipients))
	for i := range c.recipients {
		if len(candidates) > candidateLimit {
			break // far more than are told
		}
		candidates = append(candidates, c.recipients[i].candidates(c.channel, s, v)...)
	}
	return candidates
}

// candidates gives what one source finds: at least one, if need be an empty one.
func (r *recipientSource) candidates(channel Channel, s Scope, v view) (found []Candidate) {
	add := func(candidate Candidate) {
		candidate.From, candidate.Copy = r.from, r.copy
		found = append(found, candidate)
	}
	switch {
	case r.address != "":
		add(Candidate{Value: r.address})
	case r.list != "":
		for _, entry := range s.lists[r.list] {
			if value := entry.address(channel); value != "" {
				add(Candidate{Value: value, Locale: entry.Locale})
			}
		}
	case r.query != nil:
		for _, row := range s.found[r.query] {
			r.fromRow(row, add)
		}
	case r.path != nil:
		for _, row := range v.rows(*r.path) {
			r.fromRow(row, add)
		}
	}
	if len(found) == 0 {
		add(Candidate{})
	}
	return found
}

// fromRow gives a row's address: that of the path's own field, or of the first of several. A JSON list gives several.
func (r *recipientSource) fromRow(row Document, add func(Candidate)) {
	if len(r.fields) == 1 {
		r.fromValue(valueFrom(row, r.fields[0]), row, add)
		return
	}
	if len(r.fields) > 0 {
		values := make([]string, len(r.fields))
		for i, field := range r.fields {
			values[i] = addressText(valueFrom(row, field))
		}
		add(Candidate{Value: values[0], Instead: values[1:], Row: row})
		return
	}
	r.fromValue(row[r.path.field.Name], row, add)
}

func (r *recipientSource) fromValue(value any, row Document, add func(Candidate)) {
	if list, ok := value.([]any); ok {
		for _, one := range list {
			add(Candidate{Value: addressText(one), Row: row})
		}
		return
	}
	add(Candidate{Value: addressText(value), Row: row})
}

// address is the one for a channel.
func (e ListEntry) address(c Channel) string {
	if c == Email {
		return strings.TrimSpace(e.Email)
	}
	return strings.TrimSpace(e.Number)
}

// addressText gives a text as it is and a whole number by its digits; nothing else is an address.
func addressText(value any) string {
	if text, ok := value.(string); ok {
		return strings.TrimSpace(text)
	}
	number, ok := rational(value)
	if !ok || !number.IsInt() {
		return ""
	}
	return new(big.Int).Set(number.Num()).String()
}
