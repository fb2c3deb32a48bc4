package shop

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// input is a field of a row that people and programs may set.
type input struct {
	name, label string
	value       value
	// must is true for what a form asks for. Programs may leave it out: the API promises rows for any set of fields.
	must bool
	// keyboard is HTML's inputmode, for phones.
	keyboard string
	// suggestions are offered by forms; other values are fine.
	suggestions []string
}

// value is bound to a field of one row. Its errors complete the sentence "status …" and are safe to show.
type value interface {
	// kind names the control in a form: text, money, date, flag or reference.
	kind() string
	// reset sets what a row has that was given nothing.
	reset()
	fromJSON(raw json.RawMessage) error
	fromForm(text string) error
	// form gives the value as a form holds it.
	form() string
}

var (
	errNull  = errors.New("must not be null")
	errBlank = errors.New("must not be blank")
)

// textLimit bounds texts, in characters: generous for every field here, and small on a page.
const textLimit = 2000

type text struct {
	target *string
	// initial is the value of a row that was given none. A text that has one is never blank.
	initial string
}

func (t text) kind() string { return "text" }
func (t text) reset()       { *t.target = t.initial }
func (t text) form() string { return *t.target }

func (t text) fromJSON(raw json.RawMessage) error {
	var given *string
	if json.Unmarshal(raw, &given) != nil {
		return errors.New("must be a string")
	}
	if given == nil {
		return errNull
	}
	return t.set(*given)
}

func (t text) fromForm(given string) error { return t.set(strings.TrimSpace(given)) }

func (t text) set(given string) error {
	switch {
	case !utf8.ValidString(given) || strings.ContainsRune(given, 0):
		return errors.New("holds characters that no text can have")
	case utf8.RuneCountInString(given) > textLimit:
		return fmt.Errorf("must be at most %d characters long", textLimit)
	case t.initial != "" && strings.TrimSpace(given) == "":
		return errBlank
	}
	*t.target = given
	return nil
}

type amount struct{ target *Money }

func (a amount) kind() string { return "money" }
func (a amount) reset()       { *a.target = 0 }
func (a amount) form() string { return a.target.String() }

func (a amount) fromJSON(raw json.RawMessage) error {
	if isNull(raw) {
		return errNull
	}
	return a.target.UnmarshalJSON(raw)
}

func (a amount) fromForm(given string) error { return a.target.read(strings.TrimSpace(given)) }

type day struct{ target **Date }

func (d day) kind() string { return "date" }
func (d day) reset()       { *d.target = nil }

func (d day) form() string {
	if *d.target == nil {
		return ""
	}
	return (*d.target).String()
}

func (d day) fromJSON(raw json.RawMessage) error {
	if isNull(raw) {
		d.reset()
		return nil
	}
	var date Date
	if err := date.UnmarshalJSON(raw); err != nil {
		return err
	}
	*d.target = &date
	return nil
}

func (d day) fromForm(given string) error {
	if strings.TrimSpace(given) == "" {
		d.reset()
		return nil
	}
	date, err := ParseDate(strings.TrimSpace(given))
	if err != nil {
		return err
	}
	*d.target = &date
	return nil
}

type flag struct{ target *bool }

// flagOn is what a form sends for a box that is checked; it sends nothing for one that is not.
const flagOn = "true"

func (f flag) kind() string { return "flag" }
func (f flag) reset()       { *f.target = false }

func (f flag) form() string {
	if *f.target {
		return flagOn
	}
	return ""
}

func (f flag) fromJSON(raw json.RawMessage) error {
	var given *bool
	if json.Unmarshal(raw, &given) != nil {
		return errors.New("must be true or false")
	}
	if given == nil {
		return errNull
	}
	*f.target = *given
	return nil
}

func (f flag) fromForm(given string) error {
	*f.target = given == flagOn
	return nil
}

// reference is the key of a row of another model, or nothing. That the row is there is checked when it is saved.
type reference struct {
	target **int64
	model  string
}

func (r reference) kind() string { return "reference" }
func (r reference) reset()       { *r.target = nil }

func (r reference) form() string {
	if *r.target == nil {
		return ""
	}
	return strconv.FormatInt(**r.target, 10)
}

func (r reference) fromJSON(raw json.RawMessage) error {
	var given *int64
	if json.Unmarshal(raw, &given) != nil {
		return fmt.Errorf("must be the id of one of the %s, a whole number, or null", r.model)
	}
	*r.target = given
	return nil
}

func (r reference) fromForm(given string) error {
	if strings.TrimSpace(given) == "" {
		r.reset()
		return nil
	}
	id, err := strconv.ParseInt(strings.TrimSpace(given), 10, 64)
	if err != nil {
		return fmt.Errorf("must be one of the %s", r.model)
	}
	*r.target = &id
	return nil
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }
