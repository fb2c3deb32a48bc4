package shop

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"
)

// The lengths of a list. A limit above maxLimit is taken as maxLimit.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// handle answers a call, or turns its error into the answer.
func (s *Shop) handle(call func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := call(c); err != nil {
			refuse(c, s.seen(c, err))
		}
	}
}

func refuse(c *gin.Context, f *failure) {
	body := gin.H{"code": f.code, "message": f.message}
	if len(f.fields) > 0 {
		body["fields"] = f.fields
	}
	c.Abort()
	c.PureJSON(f.status, gin.H{"error": body})
}

// guardAPI refuses what another web site caused, reading too: nobody but programs and this site has business here.
func (s *Shop) guardAPI(c *gin.Context) {
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Cache-Control", "no-store")
	if c.GetHeader("Sec-Fetch-Site") == "cross-site" || crossOrigin.Check(c.Request) != nil {
		refuse(c, errCrossSite())
	}
}

func refuseModel(*gin.Context) error { return noSuchModel() }

// list is a part of a list as clients see it.
type list struct {
	Items []record `json:"items"`
	Next  string   `json:"next"`
}

func (s *Shop) listRows(c *gin.Context) error {
	m, err := pathModel(c)
	if err != nil {
		return err
	}
	part, err := readPage(c)
	if err != nil {
		return err
	}
	rows, more, err := s.list(c.Request.Context(), m, part)
	if err != nil {
		return err
	}
	answer := list{Items: rows}
	if more {
		answer.Next = strconv.FormatInt(rows[len(rows)-1].key(), 10)
	}
	c.PureJSON(http.StatusOK, answer)
	return nil
}

func (s *Shop) createRow(c *gin.Context) error {
	m, err := pathModel(c)
	if err != nil {
		return err
	}
	given, err := readObject(c)
	if err != nil {
		return err
	}
	row, err := s.create(c.Request.Context(), m, func(row record) error { return setFields(row, given) })
	if err != nil {
		return err
	}
	c.Header("Location", "/demo/api/"+m.name+"/"+strconv.FormatInt(row.key(), 10))
	c.PureJSON(http.StatusCreated, row)
	return nil
}

func (s *Shop) getRow(c *gin.Context) error {
	m, id, err := pathRow(c)
	if err != nil {
		return err
	}
	row, err := s.get(c.Request.Context(), m, id)
	if err != nil {
		return err
	}
	c.PureJSON(http.StatusOK, row)
	return nil
}

// replaceRow resets what is not given.
func (s *Shop) replaceRow(c *gin.Context) error {
	return s.changeRow(c, func(row record) {
		for _, in := range row.inputs() {
			in.value.reset()
		}
	})
}

// patchRow leaves what is not given.
func (s *Shop) patchRow(c *gin.Context) error { return s.changeRow(c, func(record) {}) }

func (s *Shop) changeRow(c *gin.Context, before func(record)) error {
	m, id, err := pathRow(c)
	if err != nil {
		return err
	}
	given, err := readObject(c)
	if err != nil {
		return err
	}
	row, err := s.change(c.Request.Context(), m, id, func(row record) error {
		before(row)
		return setFields(row, given)
	})
	if err != nil {
		return err
	}
	c.PureJSON(http.StatusOK, row)
	return nil
}

func (s *Shop) deleteRow(c *gin.Context) error {
	m, id, err := pathRow(c)
	if err != nil {
		return err
	}
	if err := s.remove(c.Request.Context(), m, id); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func pathModel(c *gin.Context) (*model, error) {
	m := modelNamed(c.Param("model"))
	if m == nil {
		return nil, noSuchModel()
	}
	return m, nil
}

// pathRow gives model and id of the path. What cannot be an id is one that no row has.
func pathRow(c *gin.Context) (*model, int64, error) {
	m, err := pathModel(c)
	if err != nil {
		return nil, 0, err
	}
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return nil, 0, noSuchRow(m)
	}
	return m, id, nil
}

// readPage reads limit and cursor. Any other parameter is wrong: it would otherwise look like a filter that works.
func readPage(c *gin.Context) (page, error) {
	part, wrong := page{limit: defaultLimit}, map[string]string{}
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return part, invalidQuery(nil)
	}
	for name := range values {
		switch value := values.Get(name); name {
		case "limit":
			limit, err := strconv.Atoi(value)
			if err != nil || limit < 1 {
				wrong[name] = "must be a whole number from 1 to " + strconv.Itoa(maxLimit)
			}
			part.limit = min(limit, maxLimit)
		case "cursor":
			if value == "" {
				continue
			}
			part.before, err = strconv.ParseInt(value, 10, 64)
			if err != nil || part.before < 1 {
				wrong[name] = `must be the "next" of an earlier answer`
			}
		default:
			wrong[name] = "is not a parameter of this call"
		}
	}
	if len(wrong) > 0 {
		return part, invalidQuery(wrong)
	}
	return part, nil
}

func invalidQuery(fields map[string]string) error {
	return &failure{status: http.StatusBadRequest, code: "invalid_query", fields: fields,
		message: "the parameters are not right: limit and cursor are known"}
}
