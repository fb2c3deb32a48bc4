package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// bounded keeps a body from filling the memory, and refuses one that says that it would before anything is done, also
// where a call has no use for a body. It reads what it may first: an answer in the middle of a body does not reach everybody.
func (a *API) bounded(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, a.config.MaxBody)
	if c.Request.ContentLength > a.config.MaxBody {
		_, _ = io.Copy(io.Discard, c.Request.Body)
		a.refuse(c, tooLarge(a.config.MaxBody))
	}
}

func tooLarge(limit int64) *failure {
	return &failure{status: http.StatusRequestEntityTooLarge, code: "body_too_large", message: fmt.Sprintf("the body is larger than %d bytes", limit)}
}

// readBody decodes a call's JSON body into target, a pointer to a struct, and refuses everything that is not exactly
// what the struct names.
func (a *API) readBody(c *gin.Context, target any) error {
	mediaType, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return &failure{status: http.StatusUnsupportedMediaType, code: "unsupported_media_type",
			message: `send JSON, with the header "Content-Type: application/json"`}
	}
	data, err := io.ReadAll(c.Request.Body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return tooLarge(large.Limit)
	}
	if err != nil {
		return badRequest("incomplete_body", "the body did not arrive whole", nil)
	}
	return decode(data, target)
}

// decode is stricter than encoding/json, which takes names in any case, the last of several values for a name, and a
// replacement for broken UTF-8. Null counts as absent.
func decode(data []byte, target any) error {
	if !utf8.Valid(data) {
		return badRequest("malformed_json", "the body is not UTF-8", nil)
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return badRequest("malformed_json", "the body is not JSON: "+place(err, data), nil)
	}
	if whole[0] != '{' {
		return badRequest("malformed_json", "the body must be a JSON object", nil)
	}
	wrong := mismatches{}
	wrong.value(whole, reflect.TypeOf(target), "")
	if len(wrong) > 0 {
		return badRequest("invalid_body", "some fields are not what they must be: see fields", wrong)
	}
	if err := json.Unmarshal(data, target); err != nil {
		return fmt.Errorf("api: a checked body cannot be decoded: %w", err)
	}
	return nil
}

// place says where JSON breaks off, in lines, without quoting it.
func place(err error, data []byte) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return "it cannot be read"
	}
	line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
	return fmt.Sprintf("%s (line %d, byte %d)", syntax.Error(), line, syntax.Offset)
}

// mismatches says, by field, where JSON does not fit a Go type. It is for people: a body of nothing but mistakes is not
// answered with all of them.
type mismatches map[string]string

const (
	maxMismatches = 100
	maxFieldName  = 200 // bytes of it that are repeated
)

func (m mismatches) add(path, problem string) {
	if len(path) > maxFieldName {
		path = strings.ToValidUTF8(path[:maxFieldName], "") + "…"
	}
	if len(m) < maxMismatches {
		m[path] = problem
	}
}

var rawType = reflect.TypeFor[json.RawMessage]()

func (m mismatches) value(raw json.RawMessage, t reflect.Type, path string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == rawType || string(raw) == "null" {
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		m.object(raw, t, path)
	case reflect.Slice:
		m.array(raw, t, path)
	case reflect.Map:
		m.texts(raw, path)
	case reflect.String:
		var s string
		if json.Unmarshal(raw, &s) != nil {
			m.add(path, "must be a string")
		} else if !storable(s) {
			m.add(path, "must not hold the character NUL")
		}
	default:
		if json.Unmarshal(raw, reflect.New(t).Interface()) != nil {
			m.add(path, "must be "+kindName(t.Kind()))
		}
	}
}

func (m mismatches) object(raw json.RawMessage, t reflect.Type, path string) {
	if raw[0] != '{' {
		m.add(path, "must be an object")
		return
	}
	known := make(map[string]reflect.Type, t.NumField())
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			known[name] = field.Type
		}
	}
	seen := make(map[string]bool, len(known))
	decoder := json.NewDecoder(bytes.NewReader(raw))
	_, _ = decoder.Token() // the opening brace: raw is known to be an object
	for decoder.More() {
		token, _ := decoder.Token()
		name, _ := token.(string)
		var value json.RawMessage
		_ = decoder.Decode(&value) // raw is known to be JSON
		full := name
		if path != "" {
			full = path + "." + name
		}
		fieldType, ok := known[name]
		switch {
		case !ok:
			m.add(full, "is not a field of this call")
		case seen[name]:
			m.add(full, "is given more than once")
		default:
			m.value(value, fieldType, full)
		}
		seen[name] = true
	}
}

func (m mismatches) array(raw json.RawMessage, t reflect.Type, path string) {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		m.add(path, "must be an array")
		return
	}
	for i, item := range items {
		m.value(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
	}
}

// texts checks an object whose names are free and whose values are strings.
func (m mismatches) texts(raw json.RawMessage, path string) {
	var values map[string]json.RawMessage
	if json.Unmarshal(raw, &values) != nil {
		m.add(path, "must be an object")
		return
	}
	for name, value := range values {
		m.value(value, reflect.TypeFor[string](), path+"."+name)
	}
}

func kindName(k reflect.Kind) string {
	if k == reflect.Bool {
		return "true or false"
	}
	return "a whole number"
}
