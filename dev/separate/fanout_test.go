package separate_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"google.golang.org/protobuf/proto"

	"github.com/silquetech/silque-notifications/dev/shop"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
	"github.com/silquetech/silque-notifications/workflows"
)

// Not parallel: its times are printed.
func TestAChangeThatConcernsThousandsIsToldToEachAndHoldsUpNobody(t *testing.T) {
	people := 2000
	if long() {
		people = rule.ListLimit
	}
	eachWhenLong(t, "on Postgres", func(t *testing.T, url string) { fanOut(t, open(t, url), people) })
}

func fanOut(t *testing.T, h *house, people int) {
	list := &store.List{Name: "Everyone", Entries: make([]rule.ListEntry, people)}
	for i := range list.Entries {
		list.Entries[i].Email = customer(i)
	}
	must(t, store.Lists{DB: h.db}.Create(t.Context(), list, "test"))
	h.notification(t, "orders", "News", rules.Recipient{ListID: list.ID})
	h.notification(t, "suppliers", "Our supplier", rules.Recipient{DocumentField: "doc.email_address"})
	worker, web := h.start(t, "worker"), h.start(t, "web")
	h.ready(t)
	h.tell(t, "before@example.com") // wakes everything
	before := [2]int{worker.memory(t, "VmRSS"), web.memory(t, "VmRSS")}

	began := time.Now()
	must(t, h.db.Create(&shop.Order{Number: "SO-1", Status: shop.StatusNew}).Error)
	var event outbox.Event
	must(t, h.db.Where("model = ?", "orders").Take(&event).Error)
	until(t, "the messages flow", func() (bool, error) { return h.sent(t) > people/20, nil })
	h.besides(t)
	h.progresses(t, workflows.WorkflowID(event.ID))
	if left := people - h.sent(t); left <= 0 {
		t.Error("what came beside thousands came when all were told")
	}
	until(t, "the event is settled", func() (bool, error) {
		return h.count(t, new(outbox.Event), "id = ? AND status = 'settled'", event.ID) == 1, nil
	})
	t.Logf("%d people were told in %s", people, time.Since(began).Round(time.Millisecond))
	t.Logf("memory of the worker %d MB before, %d MB at most; of the web app %d MB and %d MB",
		before[0], worker.memory(t, "VmHWM"), before[1], web.memory(t, "VmHWM"))
	if most := worker.memory(t, "VmHWM"); most > before[0]+300 {
		t.Errorf("the worker took %d MB", most)
	}
	h.eachTold(t, people)
	h.bounded(t, workflows.WorkflowID(event.ID), people)
}

// tell asks for a test message and gives the time until it came.
func (h *house) tell(t *testing.T, to string) time.Duration {
	t.Helper()
	asked := time.Now()
	must(t, h.Call(t.Context(), http.MethodPost, "/api/v1/test", map[string]any{"channel": "email", "to": to}, nil))
	return h.arrival(t, to).ReceivedAt.Sub(asked)
}

// besides sends a test message and changes another model, while thousands are being told.
func (h *house) besides(t *testing.T) {
	t.Helper()
	for i := range 3 {
		took := h.tell(t, fmt.Sprintf("urgent%d@example.com", i))
		to := fmt.Sprintf("supplier%d@example.com", i)
		saved := time.Now()
		must(t, h.db.Create(&shop.Supplier{Name: "Supplier", EmailAddress: to}).Error)
		other := h.arrival(t, to).ReceivedAt.Sub(saved)
		t.Logf("An urgent message took %s, a change of another model %s", took.Round(time.Millisecond), other.Round(time.Millisecond))
	}
}

// progresses asks the workflow for what Temporal Web UI shows of it.
func (h *house) progresses(t *testing.T, workflowID string) {
	t.Helper()
	answer, err := h.temporal.QueryWorkflow(t.Context(), workflowID, "", "__temporal_workflow_metadata")
	must(t, err)
	var shown sdkpb.WorkflowMetadata
	must(t, answer.Get(&shown))
	var sent, failed int
	if _, err := fmt.Sscanf(shown.CurrentDetails, "%d sent, %d failed", &sent, &failed); err != nil || sent == 0 || failed > 0 {
		t.Errorf("in the middle the workflow shows %q", shown.CurrentDetails)
	}
	t.Logf("In the middle it shows: %s", shown.CurrentDetails)
}

func (h *house) eachTold(t *testing.T, people int) {
	t.Helper()
	came := map[string]int{}
	for _, m := range h.messages(t) {
		came[m.To]++
	}
	for i := range people {
		if n := came[customer(i)]; n != 1 {
			t.Errorf("%d messages came to customer %d", n, i)
		}
	}
}

// What Temporal warns of, and where it suggests that a workflow continue as a new run.
const (
	payloadWarning   = 256 << 10
	suggestedHistory = 4096
)

// bounded reads the history of each of the workflow's runs.
func (h *house) bounded(t *testing.T, workflowID string, people int) {
	t.Helper()
	size, length, largest, chunks := 0, 0, 0, 0
	events := h.temporal.GetWorkflowHistory(t.Context(), workflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		must(t, err)
		length++
		size += proto.Size(event)
		largest = max(largest, proto.Size(event)) // its payloads are within
		if event.GetActivityTaskScheduledEventAttributes() != nil {
			chunks++
		}
	}
	t.Logf("history: %d events, %d of them activities, %d KB, the largest event %d KB", length, chunks, size>>10, largest>>10)
	if largest > payloadWarning {
		t.Errorf("an event of the history has %d bytes", largest)
	}
	if length > people/2+100 || length > suggestedHistory || size > 10<<20 {
		t.Errorf("the history of %d messages has %d events and %d bytes", people, length, size)
	}
}

// memory reads a figure of the program's memory in megabytes; 0 where the system does not tell.
func (r *running) memory(t *testing.T, figure string) (megabytes int) {
	t.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", r.command.Process.Pid))
	if err != nil {
		return 0
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), figure+":"); ok {
			_, err := fmt.Sscanf(rest, "%d", &megabytes)
			must(t, err)
		}
	}
	return megabytes >> 10
}
