package store

import (
	"errors"
	"slices"
	"strings"
)

// finalClasses are the classes of PostgreSQL's errors (its manual, appendix A) after which another try meets the same:
// data that does not fit, and statements that the tables do not allow (any more).
var finalClasses = []string{dataException, "42"}

const dataException = "22"

// finalTexts are parts of the errors that have no code: SQLite's about tables and columns, and those of conversions on
// the way to and from a driver.
var finalTexts = []string{
	"no such table", "no such column", "unable to encode", "cannot find encode plan", "unsupported type", "Scan error", "converting argument",
}

// final says whether a query of the application's own tables failed for good: the table is not what the catalog says, or a
// value does not fit its column. After every other error another try can succeed.
func final(err error) bool {
	if state := stateOf(err); state != "" {
		return slices.Contains(finalClasses, state[:2])
	}
	return slices.ContainsFunc(finalTexts, func(text string) bool { return strings.Contains(err.Error(), text) })
}

// stateOf gives PostgreSQL's five-letter code of an error; empty for others.
func stateOf(err error) string {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) && len(coded.SQLState()) == 5 {
		return coded.SQLState()
	}
	return ""
}
