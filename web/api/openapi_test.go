package api_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestTheDescriptionIsAValidOpenAPIDocumentWithValidExamples(t *testing.T) {
	t.Parallel()
	if _, err := document(); err != nil {
		t.Fatal(err)
	}
}

func TestTheDescriptionNamesExactlyTheRoutesThatAreServed(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	var described, served []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	parameter := regexp.MustCompile(`:(\w+)`)
	for _, route := range s.engine.Routes() {
		served = append(served, route.Method+" "+parameter.ReplaceAllString(strings.TrimPrefix(route.Path, "/api/v1"), "{$1}"))
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described %q\nserved    %q", described, served)
	}
}

func TestEveryOperationIsDescribedForPeople(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.Summary == "" || len(operation.Tags) != 1 || operation.OperationID == "" || ids[operation.OperationID] {
				t.Errorf("%s %s lacks a summary, a tag or an operation ID of its own", method, path)
			}
			ids[operation.OperationID] = true
			if path != "/openapi.json" && (operation.Responses.Value("401") == nil || operation.Responses.Value("403") == nil || operation.Responses.Value("500") == nil) {
				t.Errorf("%s %s does not say what it refuses", method, path)
			}
		}
	}
}

func TestTheDescriptionNeedsNoToken(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	r := s.send(t, http.MethodGet, "/openapi.json", nil, http.Header{})
	if object := r.object(t, http.StatusOK); object["openapi"] == nil {
		t.Errorf("not the description: %s", r.body)
	}
	contains(t, "the content type", r.header.Get("Content-Type"), "application/json")
}
