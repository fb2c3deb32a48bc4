package shop

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
)

// readForm reads what a page's form sends.
func readForm(c *gin.Context) (url.Values, error) {
	if mediaType(c) != "application/x-www-form-urlencoded" {
		return nil, &failure{status: http.StatusUnsupportedMediaType, code: "unsupported_media_type",
			message: "this address takes the page's own form: programs use /demo/api"}
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, bodyLimit)
	if err := c.Request.ParseForm(); err != nil {
		return nil, &failure{status: http.StatusBadRequest, code: "malformed_form",
			message: "the form did not arrive whole, or is too large"}
	}
	return c.Request.PostForm, nil
}

// setForm sets a row's fields from a form and collects everything that is wrong. A field that the form does not have
// stays as it is, except for boxes: HTML sends nothing for one that is not checked.
func setForm(row record, form url.Values) error {
	wrong := map[string]string{}
	for _, in := range row.inputs() {
		if !form.Has(in.name) && in.value.kind() != "flag" {
			continue
		}
		given := form.Get(in.name)
		err := in.value.fromForm(given)
		if in.must && strings.TrimSpace(given) == "" {
			err = errBlank
		}
		if err != nil {
			wrong[in.name] = err.Error()
		}
	}
	return invalid(wrong)
}

// fieldProblems gives what is wrong with an error's fields; nil when the error is about something else.
func fieldProblems(err error) map[string]string {
	var f *failure
	if errors.As(err, &f) {
		return f.fields
	}
	return nil
}
