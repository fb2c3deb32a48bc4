package canary

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"
	_ "modernc.org/sqlite" // to read the databases of the stack

	"github.com/silquetech/silque-notifications/internal/wiring"
)

// found lists the canaries that are somewhere, as they are or in another dress.
func (c canaries) found(where []byte) []string {
	lower := bytes.ToLower(where)
	var names []string
	for name, canary := range c {
		for _, dress := range dresses(canary) {
			in := where
			if dress == strings.ToLower(dress) {
				in = lower
			}
			if bytes.Contains(in, []byte(dress)) {
				names = append(names, name)
				break
			}
		}
	}
	slices.Sort(names)
	return names
}

// dresses are the ways in which a word may stand somewhere: as it is, in hexadecimal digits, in base64 from each of the
// three places where it can begin, and, in what Windows or Java writes, with a zero byte after each letter.
func dresses(canary string) []string {
	all := []string{strings.ToLower(canary), hex.EncodeToString([]byte(canary)), strings.Join(strings.Split(strings.ToLower(canary), ""), "\x00")}
	for before := range 3 {
		// What stands before and after the word decides the letters at its edges: only those between are its own.
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, before), canary...))
		first, last := (before*8+5)/6, (before+len(canary))*8/6
		all = append(all, encoded[first:last], strings.NewReplacer("+", "-", "/", "_").Replace(encoded[first:last]))
	}
	return all
}

func TestACanaryIsFoundInEachDress(t *testing.T) {
	t.Parallel()
	planted := plant("bird")
	bird := planted["bird"]
	for _, around := range []string{"", "a", "ab", "abc", "abcd"} {
		for _, text := range []string{
			around + bird + around, strings.ToUpper(around + bird + around), hex.EncodeToString([]byte(around + bird)),
			base64.StdEncoding.EncodeToString([]byte(around + bird + around)), base64.RawURLEncoding.EncodeToString([]byte(around + bird + around)),
			strings.Join(strings.Split(around+bird, ""), "\x00"),
		} {
			if len(planted.found([]byte(text))) != 1 {
				t.Errorf("not found in %q", text)
			}
		}
	}
	if other := plant("bird")["bird"]; len(planted.found([]byte(other))) != 0 {
		t.Error("another one is taken for it")
	}
}

// leak says where a canary is that must not be there.
func leak(t *testing.T, where string, names []string, content []byte, planted canaries) {
	t.Helper()
	lower := bytes.ToLower(content)
	for _, name := range names {
		word, from := []byte(strings.ToLower(planted[name])), 0
		t.Errorf("the canary %q is in %s, %d times as it is", name, where, bytes.Count(lower, word))
		for range 3 {
			at := bytes.Index(lower[from:], word)
			if at < 0 {
				break
			}
			at += from
			t.Logf("…%q…", content[max(0, at-300):min(len(content), at+60)])
			from = at + len(word)
		}
	}
}

// inTemporal gives all that Temporal would show of its workflows and schedules, payloads as they are.
func (h *house) inTemporal() []byte {
	t := h.t
	t.Helper()
	temporal, err := wiring.Dial([]string{"TEMPORAL_ADDRESS=" + h.temporal}, quiet)
	must(t, err)
	defer temporal.Close()
	var all bytes.Buffer
	add := func(message proto.Message) {
		raw, err := proto.Marshal(message) // payloads are bytes in there, without base64
		must(t, err)
		all.Write(raw)
		all.WriteString(fmt.Sprint(message))
	}
	var page []byte
	workflows := 0
	for {
		list, err := temporal.ListWorkflow(waiting(t), &workflowservice.ListWorkflowExecutionsRequest{Namespace: temporal.Namespace, PageSize: 1000, NextPageToken: page})
		must(t, err)
		for _, execution := range list.Executions {
			workflows++
			add(execution)
			described, err := temporal.DescribeWorkflowExecution(waiting(t), execution.Execution.WorkflowId, execution.Execution.RunId)
			must(t, err)
			add(described)
			events := temporal.GetWorkflowHistory(waiting(t), execution.Execution.WorkflowId, execution.Execution.RunId, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			for events.HasNext() {
				event, err := events.Next()
				must(t, err)
				add(event)
			}
		}
		if page = list.NextPageToken; len(page) == 0 {
			break
		}
	}
	if workflows < 10 {
		t.Errorf("%d workflows: this test has lost what it looks at", workflows)
	}
	return all.Bytes()
}

// plantInTemporal starts a workflow that holds a word, in its input and in its memo.
func (h *house) plantInTemporal(input, memo string) {
	t := h.t
	temporal, err := wiring.Dial([]string{"TEMPORAL_ADDRESS=" + h.temporal}, quiet)
	must(t, err)
	defer temporal.Close()
	_, err = temporal.ExecuteWorkflow(waiting(t), client.StartWorkflowOptions{
		ID: "planted", TaskQueue: "nobody-listens", Memo: map[string]any{"memo": memo},
	}, "Planted", input)
	must(t, err)
}

// inDatabase gives every value of every table of a SQLite file, since a value can lie across two pages of it, and the raw
// bytes of the file and of what belongs to it, where there is also what was deleted.
func inDatabase(t *testing.T, file string) []byte {
	t.Helper()
	var all bytes.Buffer
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		raw, err := os.ReadFile(file + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all.Write(raw)
	}
	db, err := sql.Open("sqlite", file)
	must(t, err)
	defer func() { _ = db.Close() }()
	all.Write(values(t, db, "SELECT name FROM sqlite_master WHERE type = 'table'"))
	return all.Bytes()
}

// values gives every value of the tables that a query lists.
func values(t *testing.T, db *sql.DB, tables string) []byte {
	t.Helper()
	var all bytes.Buffer
	for _, table := range read(t, db, tables) {
		for _, value := range read(t, db, `SELECT * FROM "`+string(table)+`"`) {
			all.Write(value)
			all.WriteByte('\n')
		}
	}
	return all.Bytes()
}

// read gives all values of a query's rows.
func read(t *testing.T, db *sql.DB, query string) [][]byte {
	t.Helper()
	rows, err := db.Query(query)
	must(t, err)
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	must(t, err)
	var all [][]byte
	for rows.Next() {
		given, into := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
		for i := range given {
			into[i] = &given[i]
		}
		must(t, rows.Scan(into...))
		for _, value := range given {
			all = append(all, bytes.Clone(value))
		}
	}
	must(t, rows.Err())
	return all
}

// open gives a public page.
func (h *house) open(path string) []byte {
	t := h.t
	t.Helper()
	response, err := http.Get(h.URL + path)
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return append(body, fmt.Sprint(response.Header)...)
}

var linkOnPage = regexp.MustCompile(`(?:href|src|hx-get|action)="(/[^"#]*)`)

// most bounds the pages of one kind, such as deliveries, that a visit looks at: a few in the short form, which CI runs, and
// nearly all of them with SILQUE_LONG=1.
var most = map[bool]int{true: 200, false: 3}[os.Getenv("SILQUE_LONG") != ""]

// id is what makes two addresses of one kind different.
var id = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|=[^&]*`)

// visit gives every page of the console that can be reached by links, as a browser that is signed in shows them.
func (b *browser) visit() (pages map[string]string) {
	pages = map[string]string{}
	kinds := map[string]int{}
	for queue := []string{"/", "/tokens", "/users", "/audit"}; len(queue) > 0; queue = queue[1:] {
		address := strings.ReplaceAll(queue[0], "&amp;", "&")
		kind := id.ReplaceAllString(address, "")
		if _, seen := pages[address]; seen || kinds[kind] == most || strings.HasPrefix(address, "/sandbox") || strings.HasPrefix(address, "/demo") || path.Ext(address) != "" {
			continue
		}
		kinds[kind]++
		got := b.ask(http.MethodGet, address, nil)
		pages[address] = got.body
		if got.location != "" {
			queue = append(queue, got.location)
		}
		for _, link := range linkOnPage.FindAllStringSubmatch(got.body, -1) {
			queue = append(queue, link[1])
		}
	}
	return pages
}

// temporalFiles are the databases of Temporal.
func (h *house) temporalFiles() (databases []string) {
	for _, file := range h.files("temporal") {
		if filepath.Ext(file) == ".db" {
			databases = append(databases, file)
		}
	}
	if len(databases) == 0 {
		h.t.Errorf("no database in %v", h.files("temporal"))
	}
	return databases
}
