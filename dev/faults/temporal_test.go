package faults_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/silquetech/silque-notifications/dev/temporalserver/servertest"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// The save sees nothing. People see it at /readyz and on Health. Starts are tried again and again, and everything is told
// once when Temporal is back.
func TestTemporalThatIsAwayDelaysMessagesAndNothingElse(t *testing.T) {
	t.Parallel()
	server := servertest.Start(t)
	line := newLink(t, "tcp", server.Addr())
	h := open(t, testdb.PostgresURL(t), line.addr())

	line.Cut() // at the start of web app and worker
	h.run(t)
	h.saves(t, "start", 20)
	h.waits(t)
	line.Mend()
	h.toldOnce(t)
	until(t, "the relay works again", func() (bool, error) {
		status, says := h.ready(t, "relay")
		return status == http.StatusOK && says == "ok", nil
	})

	h.saves(t, "before", 5)
	line.Cut() // in the middle
	h.saves(t, "during", 200)
	h.waits(t)
	line.Mend()
	h.saves(t, "after", 5)
	h.toldOnce(t)

	line.Slow(150 * time.Millisecond) // each way, at each request
	h.saves(t, "slow", 20)
	h.toldOnce(t)
}

// waits wants saved events to wait for Temporal, and the system to say so.
func (h *house) waits(t testing.TB) {
	t.Helper()
	until(t, "/readyz says that events wait", func() (bool, error) {
		status, says := h.ready(t, "relay")
		if status != 0 && status != http.StatusOK {
			t.Errorf("/readyz answers %d (%s): saves and pages work, so it must be 200", status, says)
		}
		return strings.Contains(says, "waiting for Temporal"), nil
	})
	h.untilHealth(t, "Events wait: Temporal does not take their workflows.")
	h.untilHealth(t, "It does not answer.")
	if waiting := h.count(t, new(outbox.Event), "status = ?", outbox.Pending); waiting == 0 {
		t.Error("no event waits")
	}
}

// A namespace that nobody has made yet is waited for, and Health names what to do.
func TestANamespaceThatIsMissingIsNamedAndWaitedFor(t *testing.T) {
	t.Parallel()
	server := servertest.Start(t)
	h := open(t, testdb.SQLiteURL(t), server.Addr(), "TEMPORAL_NAMESPACE=later")
	h.run(t)
	h.saves(t, "early", 5)
	h.untilHealth(t, "It answers, and knows no such namespace.")
	h.untilHealth(t, "TEMPORAL_NAMESPACE")
	_, err := servertest.Dial(t, server).WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: "later", WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	must(t, err)
	h.toldOnce(t)
}
