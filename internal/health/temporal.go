package health

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/workflows"
)

// Service is the part of a Temporal client by which it is asked.
type Service interface {
	WorkflowService() workflowservice.WorkflowServiceClient
}

var temporalSettings = []string{"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_TLS"}

// Temporal asks whether the server answers and knows the namespace.
func Temporal(c Service, namespace string) Probe {
	return Probe{Name: "temporal", Title: "Temporal", Settings: temporalSettings, Ask: func(ctx context.Context) Answer {
		began := time.Now()
		_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
		took := time.Since(began)
		if err != nil {
			return noTemporal(err, namespace)
		}
		facts := []Fact{{Name: "Namespace", Value: namespace}}
		if info, err := c.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{}); err == nil && info.GetServerVersion() != "" {
			facts = append(facts, Fact{Name: "Server", Value: info.GetServerVersion()})
		}
		return Answer{State: OK, Text: "It answers.", Facts: append(facts, Fact{Name: "A question took", Value: milliseconds(took)})}
	}}
}

// noTemporal says what keeps Temporal from being used. The server's own text is left out.
func noTemporal(err error, namespace string) Answer {
	a := Answer{State: Down, Text: "It does not answer.", Facts: []Fact{{Name: "Namespace", Value: namespace}},
		Advice: "Events are kept and flow when it is back. Look whether the Temporal server runs, and whether TEMPORAL_ADDRESS is right."}
	var missing *serviceerror.NamespaceNotFound
	var notFound *serviceerror.NotFound
	var denied *serviceerror.PermissionDenied
	switch {
	case errors.As(err, &missing), errors.As(err, &notFound):
		a.Text, a.Advice = "It answers, and knows no such namespace.", "Make the namespace, or name another in TEMPORAL_NAMESPACE."
	case errors.As(err, &denied):
		a.Text, a.Advice = "It refuses us.", "Look at the credentials: TEMPORAL_API_KEY, or the certificate of TEMPORAL_TLS_CLIENT_CERT_PATH."
	}
	return a
}

// silence is the age of a worker's last question for tasks from which on it has probably gone: Temporal lets a question
// wait for a minute, and remembers who asked for five.
const silence = 90 * time.Second

// queue is one task queue that a worker serves. A channel has two of the same title, which are shown as one.
type queue struct {
	title, name string
	kind        enums.TaskQueueType
}

// Worker asks Temporal who serves the task queues: that of the workflows, and that of each channel.
func Worker(c Service, namespace, taskQueue string) Probe {
	queues := []queue{
		{"Workflows", taskQueue, enums.TASK_QUEUE_TYPE_WORKFLOW},
		{"Steps", taskQueue, enums.TASK_QUEUE_TYPE_ACTIVITY},
	}
	for _, channel := range rule.Channels {
		queues = append(queues,
			queue{channelTitles[channel], workflows.ChannelQueue(taskQueue, channel), enums.TASK_QUEUE_TYPE_ACTIVITY},
			queue{channelTitles[channel], workflows.ChunkQueue(taskQueue, channel), enums.TASK_QUEUE_TYPE_ACTIVITY})
	}
	return Probe{Name: "worker", Title: "Worker", Settings: []string{"NOTIFY_TASK_QUEUE", "TEMPORAL_NAMESPACE"}, Ask: func(ctx context.Context) Answer {
		asked := make([]pollers, len(queues))
		done := make(chan struct{}, len(queues))
		for i, q := range queues {
			go func() { asked[i] = describe(ctx, c, namespace, q); done <- struct{}{} }()
		}
		for range queues {
			<-done
		}
		return workerAnswer(queues, asked, time.Now())
	}}
}

// pollers are who asks for the tasks of a queue.
type pollers struct {
	err   error
	count int
	last  time.Time
}

func describe(ctx context.Context, c Service, namespace string, q queue) pollers {
	answer, err := c.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: namespace, TaskQueue: &taskqueue.TaskQueue{Name: q.name, Kind: enums.TASK_QUEUE_KIND_NORMAL}, TaskQueueType: q.kind,
	})
	p := pollers{err: err}
	for _, poller := range answer.GetPollers() {
		at := poller.GetLastAccessTime().AsTime()
		if at.After(p.last) {
			p.last = at
		}
		p.count++
	}
	return p
}

// workerAnswer is as bad as the worst queue: a channel that nobody serves sends nothing.
func workerAnswer(queues []queue, asked []pollers, now time.Time) Answer {
	a := Answer{State: OK, Text: "A worker takes tasks."}
	for i, p := range asked {
		fact := Fact{Name: queues[i].title}
		switch {
		case p.err != nil:
			return Answer{State: Down, Text: "Temporal cannot be asked whether a worker is there.", Advice: "Look at Temporal first."}
		case p.count == 0:
			fact.Value = "nobody asks for tasks"
			a.State, a.Text = Down, "No worker takes tasks of: "+queues[i].title+"."
		default:
			fact.Value, fact.At = fmt.Sprintf("%d asking, the last", p.count), p.last
			if now.Sub(p.last) > silence && a.State == OK {
				a.State, a.Text = Warning, "The worker has been silent for some time: it has probably gone."
			}
		}
		a.Facts = withQueue(a.Facts, fact)
	}
	if a.State != OK {
		a.Advice = "Start a worker (go run ./worker) with the same NOTIFY_TASK_QUEUE, TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE. Messages wait meanwhile."
	}
	return a
}

// withQueue shows two queues of one title as the one that was served longer ago.
func withQueue(facts []Fact, f Fact) []Fact {
	last := len(facts) - 1
	if last < 0 || facts[last].Name != f.Name {
		return append(facts, f)
	}
	if f.At.Before(facts[last].At) { // nobody has no time at all
		facts[last] = f
	}
	return facts
}
