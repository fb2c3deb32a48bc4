// Package django moves notifications over from the Django app: it reads the app's own export (manage.py dumpdata
// silque_notifications), translates what it finds, and says what cannot be carried over and why.
package django

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// App is the Django app's label: its models in an export are App.notification and so on.
const App = "silque_notifications"

// The limits of an export. They bound memory, and are far above what administrators write.
const (
	SizeLimit   = 64 << 20 // bytes
	ObjectLimit = 100_000  // objects, those of other apps included
	keyLimit    = 255      // bytes of a primary key
)

// object is one row of an export.
type object struct {
	Model  string                     `json:"model"`
	PK     json.RawMessage            `json:"pk"`
	Fields map[string]json.RawMessage `json:"fields"`
}

// Dump is what an export holds.
type Dump struct {
	notifications []*record
	recipients    []*record
	// unknown counts the objects of the app's models that nothing here knows, others those of other apps; by model.
	unknown, others map[string]int
}

// record is a notification or a recipient with its key, as text.
type record struct {
	model, key string
	fields     *fields
}

// Read reads an export. The error says where in the file it is, and what to do.
func Read(r io.Reader) (*Dump, error) { return readUpTo(r, SizeLimit, ObjectLimit) }

// readUpTo reads an export of at most so many bytes and objects.
func readUpTo(r io.Reader, size int64, objects int) (*Dump, error) {
	limited := &io.LimitedReader{R: r, N: size + 1}
	d, err := read(bufio.NewReader(limited), objects)
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("the file is larger than %d MiB: export this app alone, with manage.py dumpdata %s", size>>20, App)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return nil, errors.New("the file ends too early: is the export complete? It must be one JSON array, as manage.py dumpdata writes it")
	case err != nil:
		return nil, err
	}
	return d, nil
}

func read(in *bufio.Reader, objects int) (*Dump, error) {
	skipped, err := skipMark(in)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(in)
	at := func() int64 { return decoder.InputOffset() + skipped }
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('[') {
		return nil, malformed(err, at(), "it must be one JSON array, as manage.py dumpdata writes it")
	}
	d := &Dump{unknown: map[string]int{}, others: map[string]int{}}
	seen := map[string]bool{}
	for number := 1; decoder.More(); number++ {
		if number > objects {
			return nil, fmt.Errorf("the file has more than %d objects: export this app alone, with manage.py dumpdata %s", objects, App)
		}
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return nil, malformed(err, at(), fmt.Sprintf("object %d", number))
		}
		if err := d.add(raw, seen); err != nil {
			return nil, fmt.Errorf("object %d, from byte %d on: %w", number, at()-int64(len(raw)), err)
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, malformed(err, at(), "the end of the array")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("after byte %d: something follows the array: the file must be what manage.py dumpdata writes, and nothing else", at())
	}
	return d, nil
}

// skipMark passes over UTF-8's byte order mark. It tells UTF-16 from what is no export at all, because redirecting the
// output in PowerShell makes it.
func skipMark(in *bufio.Reader) (skipped int64, err error) {
	start, _ := in.Peek(3) // a file that is shorter has no mark
	switch {
	case bytes.HasPrefix(start, []byte{0xEF, 0xBB, 0xBF}):
		_, err := in.Discard(3)
		return 3, err
	case bytes.HasPrefix(start, []byte{0xFF, 0xFE}), bytes.HasPrefix(start, []byte{0xFE, 0xFF}):
		return 0, fmt.Errorf("the file is UTF-16, as PowerShell's > writes it: export with manage.py dumpdata %s --output export.json", App)
	}
	return 0, nil
}

// malformed says that the JSON is not an export. An early end stays one, for Read to explain.
func malformed(err error, at int64, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("after byte %d: %s: %w", at, what, syntax)
	case err != nil:
		return fmt.Errorf("after byte %d: the file cannot be read: %w", at, err)
	default:
		return fmt.Errorf("after byte %d: %s", at, what)
	}
}

// add sorts an object to its kind. seen holds the keys that were there before, because a key stands for one row.
func (d *Dump) add(raw json.RawMessage, seen map[string]bool) error {
	if !utf8.Valid(raw) {
		return errors.New("the text is not UTF-8: export again with PYTHONUTF8=1 in the environment")
	}
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return errors.New(`an object must be {"model": …, "pk": …, "fields": {…}}`)
	}
	app, name, found := strings.Cut(strings.ToLower(o.Model), ".")
	if !found || name == "" || o.Fields == nil {
		return errors.New(`an object must be {"model": "app.model", "pk": …, "fields": {…}}`)
	}
	if app != App {
		d.others[o.Model]++
		return nil
	}
	kind := kindOf(name)
	if kind == notAnything {
		d.unknown[o.Model]++
		return nil
	}
	key, err := keyText(o.PK)
	if err != nil {
		return err
	}
	if key != "" {
		id := name + ":" + key
		if seen[id] {
			return fmt.Errorf("%s %s is there twice", o.Model, key)
		}
		seen[id] = true
	}
	row := &record{model: name, key: key, fields: newFields(o.Fields)}
	if kind == aNotification {
		d.notifications = append(d.notifications, row)
	} else {
		d.recipients = append(d.recipients, row)
	}
	return nil
}

// keyText gives a primary key as text: a number's digits, or a text such as a UUID. Empty when there is none.
func keyText(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	if len(raw) > keyLimit {
		return "", fmt.Errorf("the pk is longer than %d bytes", keyLimit)
	}
	if raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' {
		return string(raw), nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	return "", errors.New("the pk must be a number or a text")
}
