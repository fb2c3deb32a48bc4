package temporalserver_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/silquetech/silque-notifications/dev/temporalserver"
	"github.com/silquetech/silque-notifications/dev/temporalserver/servertest"
)

const taskQueue = "greetings"

func greet(ctx workflow.Context, name string) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	var greeting string
	err := workflow.ExecuteActivity(ctx, compose, name).Get(ctx, &greeting)
	return greeting, err
}

func compose(_ context.Context, name string) (string, error) { return "Hello, " + name, nil }

// runGreet runs the workflow from its start to its result on a worker of its own.
func runGreet(t *testing.T, c client.Client, o client.StartWorkflowOptions) {
	t.Helper()
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflow(greet)
	w.RegisterActivity(compose)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o.TaskQueue = taskQueue
	run, err := c.ExecuteWorkflow(ctx, o, greet, "Ada")
	if err != nil {
		t.Fatal(err)
	}
	var greeting string
	if err := run.Get(ctx, &greeting); err != nil || greeting != "Hello, Ada" {
		t.Fatalf("result %q, %v", greeting, err)
	}
}

// within polls until the condition returns nil, and fails the test with its last error.
func within(t *testing.T, limit time.Duration, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", limit, err)
		}
		<-tick.C
	}
}

// One server for all of this, as each start and stop takes a second and a half.
func TestAServerInMemory(t *testing.T) {
	t.Parallel()
	server := servertest.Start(t)
	c := servertest.Dial(t, server)

	t.Run("runs a workflow to its result", func(t *testing.T) {
		runGreet(t, c, client.StartWorkflowOptions{ID: "plain"})
	})
	t.Run("keeps finished workflows for a week", func(t *testing.T) {
		got, err := c.WorkflowService().DescribeNamespace(t.Context(),
			&workflowservice.DescribeNamespaceRequest{Namespace: "default"})
		if err != nil {
			t.Fatal(err)
		}
		if ttl := got.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(); ttl != 7*24*time.Hour {
			t.Fatalf("retention %s", ttl)
		}
	})
	t.Run("finds workflows by search attributes that were added a moment ago", func(t *testing.T) {
		findsBySearchAttributes(t, c)
	})
	t.Run("names its address in one line when a second one wants it", func(t *testing.T) {
		_, err := temporalserver.Start(t.Context(), temporalserver.Options{Addr: server.Addr()})
		if err == nil || !strings.Contains(err.Error(), server.Addr()) || strings.Contains(err.Error(), "\n") {
			t.Fatalf("error %v", err)
		}
	})
	t.Run("listens on loopback only", func(t *testing.T) {
		host, port, err := net.SplitHostPort(server.Addr())
		if err != nil || host != "127.0.0.1" || port == "0" {
			t.Fatalf("address %s, %v", server.Addr(), err)
		}
	})
}

func findsBySearchAttributes(t *testing.T, c client.Client) {
	notification := temporal.NewSearchAttributeKeyKeyword("TestNotification")
	events := temporal.NewSearchAttributeKeyKeywordList("TestEvents")
	_, err := c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace: "default",
		SearchAttributes: map[string]enums.IndexedValueType{
			notification.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD,
			events.GetName():       enums.INDEXED_VALUE_TYPE_KEYWORD_LIST,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	start := client.StartWorkflowOptions{
		ID:        "with-attributes",
		TaskQueue: "nobody-works-here",
		TypedSearchAttributes: temporal.NewSearchAttributes(
			notification.ValueSet("n1"), events.ValueSet([]string{"e1", "e2"})),
	}
	added := time.Now()
	within(t, 3*time.Second, func() error {
		_, err := c.ExecuteWorkflow(t.Context(), start, greet, "Ada")
		return err
	})
	t.Logf("usable %s after they were added", time.Since(added).Round(time.Millisecond))
	within(t, 3*time.Second, func() error {
		return foundAlone(t.Context(), c, "with-attributes", `TestNotification = "n1" AND TestEvents = "e2"`)
	})
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options temporalserver.Options
		says    string
	}{
		"an address without a port":    {temporalserver.Options{Addr: "127.0.0.1"}, "127.0.0.1"},
		"a retention below an hour":    {temporalserver.Options{Addr: "127.0.0.1:0", Retention: time.Minute}, "1m0s"},
		"a data folder that cannot be": {temporalserver.Options{Addr: "127.0.0.1:0", Dir: "server_test.go/data"}, "server_test.go"},
		"a data folder that is a file": {temporalserver.Options{Addr: "127.0.0.1:0", Dir: "server_test.go"}, "server_test.go"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := temporalserver.Start(t.Context(), tc.options)
			if err == nil {
				server.Stop()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("error %q does not say %q", err, tc.says)
			}
		})
	}
}
