// Package ruleset carries notifications from one installation to another, or through version control, as a file: JSON with
// a version, the notifications, and the saved lists that they name.
package ruleset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Version is that of the format. Another one cannot be read.
const Version = 1

// The limits of a file.
const (
	// MaxSize is in bytes: some ten thousand notifications.
	MaxSize = 32 << 20
	// MaxNotifications and MaxLists are counts.
	MaxNotifications = 20_000
	MaxLists         = 1_000
)

// File is what a file holds.
type File struct {
	Version       int             `json:"silque_notifications"`
	Notifications []*Notification `json:"notifications"`
	Lists         []*List         `json:"lists"`
}

// Notification is a notification in a file: all that a person has written. What the system decides may be there, so that
// an answer of the REST API can be used too, and is not looked at.
type Notification struct {
	rule.Notification

	Version     json.RawMessage `json:"version,omitempty"`
	CreatedAt   json.RawMessage `json:"created_at,omitempty"`
	UpdatedAt   json.RawMessage `json:"updated_at,omitempty"`
	ActiveSince json.RawMessage `json:"active_since,omitempty"`
	Problems    json.RawMessage `json:"problems,omitempty"`
}

// List is a saved list in a file.
type List struct {
	ID      string           `json:"id"`
	Name    string           `json:"name"`
	Entries []rule.ListEntry `json:"entries"`

	CreatedAt json.RawMessage `json:"created_at,omitempty"`
	UpdatedAt json.RawMessage `json:"updated_at,omitempty"`
}

// FormatError says why a file cannot be read at all.
type FormatError struct{ Message string }

// Error is the message.
func (e *FormatError) Error() string { return "the file cannot be read: " + e.Message }

func wrong(format string, args ...any) error { return &FormatError{fmt.Sprintf(format, args...)} }

// Recognises says whether the beginning of a file is that of this format.
func Recognises(content []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(content))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return false
	}
	return bytes.Contains(content[:min(len(content), 4096)], []byte(`"silque_notifications"`))
}

// Read reads a file whole, or gives a FormatError, or the reader's own error.
func Read(r io.Reader) (*File, error) {
	content, err := Content(r)
	if err != nil {
		return nil, err
	}
	return Parse(content)
}

// Content reads the bytes of a file, MaxSize at most: more are a FormatError.
func Content(r io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err == nil && len(content) > MaxSize {
		err = wrong("it is larger than %d MiB", MaxSize>>20)
	}
	return content, err
}

// Parse reads the content of a file, or gives a FormatError.
func Parse(content []byte) (*File, error) {
	switch {
	case len(bytes.TrimSpace(content)) == 0:
		return nil, wrong("it is empty")
	case !utf8.Valid(content):
		return nil, wrong("it is not UTF-8")
	}
	var envelope struct {
		Version *json.Number `json:"silque_notifications"`
	}
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	if err := json.Unmarshal(content, &envelope); err != nil {
		return nil, wrong("%s", place(err, content))
	}
	if envelope.Version == nil {
		return nil, wrong(`it is JSON, and no export of this program: "silque_notifications" is missing`)
	}
	if envelope.Version.String() != fmt.Sprint(Version) {
		return nil, wrong("it has version %s of the format, and this program reads version %d", short(envelope.Version.String()), Version)
	}
	f := new(File)
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(f); err != nil {
		return nil, wrong("%s", place(err, content))
	}
	return f, f.check()
}

// check looks at what makes a file as a whole unreadable.
func (f *File) check() error {
	if len(f.Notifications) > MaxNotifications || len(f.Lists) > MaxLists {
		return wrong("it holds more than %d notifications or %d lists", MaxNotifications, MaxLists)
	}
	seen := map[string]string{}
	once := func(id, place string) error {
		if id == "" {
			return nil
		}
		if parsed, err := uuid.Parse(id); err != nil || parsed.String() != id {
			return wrong("the id of %s is not one of this program's: remove it", place)
		}
		if first := seen[id]; first != "" {
			return wrong("%s and %s have the same id", first, place)
		}
		seen[id] = place
		return nil
	}
	for i, n := range f.Notifications {
		place := fmt.Sprintf("notifications[%d]", i)
		if n == nil {
			return wrong("%s is null", place)
		}
		if err := once(n.ID, place); err != nil {
			return err
		}
	}
	names := map[string]string{}
	for i, l := range f.Lists {
		place := fmt.Sprintf("lists[%d]", i)
		if l == nil {
			return wrong("%s is null", place)
		}
		if err := once(l.ID, place); err != nil {
			return err
		}
		l.Name = strings.TrimSpace(l.Name)
		if first := names[l.Name]; first != "" {
			return wrong("%s and %s have the same name", first, place)
		}
		names[l.Name] = place
	}
	return nil
}

// place says where JSON breaks off, in lines, and quotes no more of it than a name.
func place(err error, content []byte) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	offset, what := int64(-1), "it is not what it must be"
	switch {
	case errors.As(err, &syntax):
		offset, what = syntax.Offset, "it is not JSON: "+syntax.Error()
	case errors.As(err, &kind):
		offset, what = kind.Offset, fmt.Sprintf("%s cannot be a %s", kind.Field, kind.Value)
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return short(strings.TrimPrefix(err.Error(), "json: ")) + ": a newer version of this program may have written it"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it is not whole"
	}
	if offset < 0 || int(offset) > len(content) {
		return what
	}
	return fmt.Sprintf("%s (line %d)", what, 1+bytes.Count(content[:offset], []byte("\n")))
}

func short(text string) string {
	if letters := []rune(text); len(letters) > 80 {
		return string(letters[:80]) + "…"
	}
	return text
}
