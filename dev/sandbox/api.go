package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// The lengths of a list of messages.
const (
	defaultLimit = 100
	maxLimit     = 10_000
)

// maxFaultRequest bounds the body of PUT /sandbox/api/faults.
const maxFaultRequest = 16 << 10

// apiError is a refusal in the shape that all of this project's APIs share.
type apiError struct {
	status  int
	code    string
	message string
	fields  map[string]string
}

var (
	errInternal  = apiError{status: http.StatusInternalServerError, code: "internal", message: "something went wrong in the sandbox: see the log"}
	errNotFound  = apiError{status: http.StatusNotFound, code: "not_found", message: "there is no such message: the inbox may have been emptied"}
	errMalformed = apiError{status: http.StatusBadRequest, code: "malformed", message: "write one JSON object with channel, mode and count"}
)

func invalid(status int, fields map[string]string) apiError {
	return apiError{status: status, code: "invalid", message: "the request has wrong fields", fields: fields}
}

func refuse(c *gin.Context, e apiError) {
	if e.fields == nil {
		e.fields = map[string]string{}
	}
	c.AbortWithStatusJSON(e.status, gin.H{"error": gin.H{"code": e.code, "message": e.message, "fields": e.fields}})
}

func (s *Sandbox) refuseInternal(c *gin.Context, err error) {
	s.log.Error("sandbox: a request failed", "path", c.FullPath(), "error", err)
	refuse(c, errInternal)
}

func (s *Sandbox) listMessages(c *gin.Context) {
	q, problems := readQuery(c.Request.URL.Query())
	if len(problems) > 0 {
		refuse(c, invalid(http.StatusBadRequest, problems))
		return
	}
	found, more, err := s.inbox.find(c.Request.Context(), q)
	if err != nil {
		s.refuseInternal(c, err)
		return
	}
	next := ""
	if more {
		next = found[len(found)-1].ID
	}
	if found == nil {
		found = []Message{}
	}
	c.JSON(http.StatusOK, gin.H{"items": found, "next": next})
}

// readQuery reads channel, to, q (a search), limit and cursor. A limit above 10,000 is taken as 10,000.
func readQuery(form url.Values) (query, map[string]string) {
	problems := map[string]string{}
	q := query{
		channel:  Channel(form.Get("channel")),
		to:       strings.TrimPrefix(address(form.Get("to")), whatsAppPrefix),
		contains: strings.TrimSpace(form.Get("q")),
		before:   form.Get("cursor"),
		limit:    defaultLimit,
	}
	if q.channel != "" && !q.channel.known() {
		problems["channel"] = "must be one of " + oneOf(Channels)
	}
	if limit := form.Get("limit"); limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 1 {
			problems["limit"] = "must be a whole number from 1 to " + strconv.Itoa(maxLimit)
		}
		q.limit = min(n, maxLimit)
	}
	if q.before != "" && uuid.Validate(q.before) != nil {
		problems["cursor"] = "must be the next of an earlier list"
	}
	return q, problems
}

// address restores the plus sign of a number or an address that was put into a query string as it is, where it means a
// space. No address holds a space.
func address(value string) string { return strings.ReplaceAll(value, " ", "+") }

func (s *Sandbox) getMessage(c *gin.Context) {
	m, err := s.inbox.get(c.Request.Context(), c.Param("id"))
	switch {
	case errors.Is(err, errNoMessage):
		refuse(c, errNotFound)
	case err != nil:
		s.refuseInternal(c, err)
	default:
		c.JSON(http.StatusOK, m)
	}
}

func (s *Sandbox) deleteMessages(c *gin.Context) {
	if err := s.inbox.empty(c.Request.Context()); err != nil {
		s.refuseInternal(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

func (s *Sandbox) getFaults(c *gin.Context) {
	c.JSON(http.StatusOK, gin.H{"items": s.faults.all(), "next": ""})
}

func (s *Sandbox) putFault(c *gin.Context) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxFaultRequest))
	if err != nil {
		refuse(c, errMalformed)
		return
	}
	fault, problem := readFault(body)
	if problem != nil {
		refuse(c, *problem)
		return
	}
	c.JSON(http.StatusOK, s.faults.put(fault))
}

func readFault(body []byte) (Fault, *apiError) {
	var fault Fault
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&fault)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return fault, new(invalid(http.StatusUnprocessableEntity, map[string]string{wrongType.Field: "must be a " + kindOf(wrongType.Field)}))
	case err != nil && strings.Contains(err.Error(), "unknown field"):
		_, name, _ := strings.Cut(err.Error(), "unknown field ")
		return fault, new(invalid(http.StatusUnprocessableEntity, map[string]string{strings.Trim(name, `"`): "is not known"}))
	case err != nil, decoder.More():
		return fault, &errMalformed
	}
	if problems := fault.problems(); len(problems) > 0 {
		return fault, new(invalid(http.StatusUnprocessableEntity, problems))
	}
	return fault, nil
}

func kindOf(field string) string {
	if field == "count" {
		return "whole number"
	}
	return "text"
}
