package rule

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// queryMatchLimit bounds the fields that a query compares.
const queryMatchLimit = 10

// queryError is what is wrong with a query: a part of it, in the API's names, and a message.
type queryError struct{ part, message string }

// Error gives the message.
func (e *queryError) Error() string { return e.message }

func queryErrorf(part, format string, args ...any) error {
	return &queryError{part: part, message: fmt.Sprintf(format, args...)}
}

// querySource compiles a query. from is set even when there is an error, which is a *queryError.
func (r Reader) querySource(q *RecipientQuery, c Channel, names *scopeNames) (recipientSource, error) {
	source := recipientSource{from: strings.TrimSuffix("query "+q.Model+"."+q.Field, ".")}
	m, ok := names.models.Model(q.Model)
	if !ok {
		return source, queryErrorf("model", "there is no model %s: register it with the notify plugin, or choose another", q.Model)
	}
	compiled := &query{model: m, includes: Includes{}}
	rowNames := &scopeNames{models: names.models, model: m, zone: names.zone, roots: map[string]root{rowName: {model: m, includes: compiled.includes}}}
	var err error
	if q.Field == "" {
		source.fields, err = r.addressPaths(m, "", c, rowNames)
	} else {
		source.fields, err = queryField(q.Field, c, rowNames)
	}
	if err != nil {
		return source, queryErrorf("field", "%s", strings.ReplaceAll(err.Error(), rowName+".", ""))
	}
	if len(q.Where) > queryMatchLimit {
		return source, queryErrorf("where", "at most %d fields", queryMatchLimit)
	}
	for i, match := range q.Where {
		one, err := compileMatch(match, m, names)
		if err != nil {
			return source, queryErrorf(fmt.Sprintf("where[%d]", i), "%s", err)
		}
		compiled.where = append(compiled.where, one)
	}
	source.query = compiled
	return source, nil
}

func queryField(field string, c Channel, rowNames *scopeNames) ([]path, error) {
	found, err := rowNames.value(append([]string{rowName}, strings.Split(field, ".")...))
	if err != nil {
		return nil, err
	}
	if !holdsAddress(found.field.Type, c) {
		return nil, fmt.Errorf("%s is %s and cannot hold an address for %s", field, found.field.Type.called(), c)
	}
	return []path{found}, nil
}

// compileMatch reads a value in its field's type, or as a document field.
func compileMatch(match Match, m *Model, names *scopeNames) (queryMatch, error) {
	field, ok := m.Field(match.Field)
	if !ok {
		return queryMatch{}, unknownField(m.Name, match.Field, m.Fields)
	}
	if field.Type == JSON || field.Type == Bytes || field.Type == Time {
		return queryMatch{}, fmt.Errorf("%s is %s: fields of that type cannot be compared here", field.Name, field.Type.called())
	}
	if strings.HasPrefix(match.Value, docName+".") || strings.HasPrefix(match.Value, oldDocName+".") {
		found, err := names.value(strings.Split(match.Value, "."))
		if err != nil {
			return queryMatch{}, err
		}
		if kindsOfFields[found.field.Type] != kindsOfFields[field.Type] {
			return queryMatch{}, fmt.Errorf("%s is %s and %s %s: they cannot be equal", field.Name, field.Type.called(), found, found.field.Type.called())
		}
		return queryMatch{field: field.Name, path: &found}, nil
	}
	value, err := constantIn(field.Type, match.Value, names.zone)
	if err != nil {
		return queryMatch{}, fmt.Errorf("%s must be %w", field.Name, err)
	}
	return queryMatch{field: field.Name, value: value}, nil
}

// constantIn reads a value that a person has written in a field's type; times without a zone are in that zone. The error
// completes the sentence "x must be …".
func constantIn(t FieldType, text string, zone *time.Location) (any, error) {
	switch {
	case t == String:
		return text, nil
	case t == Boolean && strings.EqualFold(text, "true"):
		return true, nil
	case t == Boolean && strings.EqualFold(text, "false"):
		return false, nil
	case t == Boolean:
		return nil, errors.New("either True or False")
	case t == Decimal:
		value, err := decodeValue(t, json.Number(strings.TrimSpace(text)))
		if err != nil {
			return nil, errors.New("a number such as 12.50")
		}
		return value, nil
	case t == JSON || t == Bytes:
		return nil, fmt.Errorf("of another type: %s fields cannot be compared here", t)
	case t == Integer || t == Float:
		return decodeValue(t, json.Number(strings.TrimSpace(text)))
	default:
		moment, err := parseMomentIn(t, strings.TrimSpace(text), zone)
		if err != nil {
			return nil, err
		}
		return moment, nil
	}
}
