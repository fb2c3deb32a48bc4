package shop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// bodyLimit bounds what a request may send, in bytes. A row is far smaller.
const bodyLimit = 64 << 10

// member is a name with its value in a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// readObject reads a request's body, one JSON object. encoding/json alone would take names in any case, and the last of
// several values for a name: here the members stay as they were sent.
func readObject(c *gin.Context) ([]member, error) {
	if mediaType(c) != "application/json" {
		return nil, &failure{status: http.StatusUnsupportedMediaType, code: "unsupported_media_type",
			message: `send JSON, with the header "Content-Type: application/json"`}
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, bodyLimit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &failure{status: http.StatusRequestEntityTooLarge, code: "body_too_large",
			message: fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit)}
	case err != nil:
		return nil, malformed("the body did not arrive whole")
	case !utf8.Valid(body):
		return nil, malformed("the body is not UTF-8")
	case !json.Valid(body):
		return nil, malformed("the body is not JSON")
	}
	return members(body)
}

func mediaType(c *gin.Context) string {
	kind, _, _ := mime.ParseMediaType(c.GetHeader("Content-Type"))
	return kind
}

// members takes valid JSON.
func members(body []byte) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if opening, _ := decoder.Token(); opening != json.Delim('{') {
		return nil, malformed("the body must be a JSON object")
	}
	var found []member
	for decoder.More() {
		token, _ := decoder.Token()
		name, _ := token.(string)
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, malformed("the body is not JSON")
		}
		found = append(found, member{name: name, value: value})
	}
	return found, nil
}

// setFields sets a row's fields from JSON and collects everything that is wrong. A row that has been got may be sent
// back whole: then its id must be its own, and its times are left to gorm.
func setFields(row record, given []member) error {
	known := make(map[string]value)
	for _, in := range row.inputs() {
		known[in.name] = in.value
	}
	wrong, seen := map[string]string{}, map[string]bool{}
	for _, m := range given {
		field, settable := known[m.name]
		var err error
		switch {
		case seen[m.name]:
			err = errors.New("is given more than once")
		case settable:
			err = field.fromJSON(m.value)
		default:
			err = checkFixed(row, m)
		}
		if err != nil {
			wrong[m.name] = err.Error()
		}
		seen[m.name] = true
	}
	return invalid(wrong)
}

func checkFixed(row record, m member) error {
	switch m.name {
	case "id":
		var id int64
		if row.key() == 0 {
			return errors.New("is given by the shop: leave it out")
		}
		if json.Unmarshal(m.value, &id) != nil || id != row.key() {
			return errors.New("must be the id in the address, or be left out")
		}
		return nil
	case "created_at", "updated_at":
		if row.key() == 0 {
			return errors.New("is given by the shop: leave it out")
		}
		return nil
	default:
		return errors.New("is not a field of this model")
	}
}
