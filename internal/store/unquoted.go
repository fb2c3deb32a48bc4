package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// quotingClasses are the classes of PostgreSQL's errors whose texts quote values: data that does not fit, constraints,
// and what functions and triggers of the application's own say.
var quotingClasses = []string{dataException, "23", "38", "39", "44", "P0"}

// quotingTexts are parts of the errors by which drivers and database/sql say that a value could not be converted.
var quotingTexts = []string{"Scan error", "encode", "convert", "Scan,"}

// Unquoted gives an error as it may be logged: without the values that a database or a driver quotes in its text, since
// they are personal data. Other errors it gives as they are.
func Unquoted(err error) error {
	if err == nil {
		return nil
	}
	if state := stateOf(err); state != "" && slices.Contains(quotingClasses, state[:2]) {
		return fmt.Errorf("a value does not fit (SQLSTATE %s)", state)
	} else if state != "" {
		return err
	}
	if slices.ContainsFunc(quotingTexts, func(text string) bool { return strings.Contains(err.Error(), text) }) {
		return errors.New("a value could not be converted between the database and the program")
	}
	return err
}
