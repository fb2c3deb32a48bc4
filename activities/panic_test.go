package activities_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/silquetech/silque-notifications/activities"
)

func TestWhatAnActivityPanicsWithGoesNowhere(t *testing.T) {
	t.Parallel()
	const personal = "ann@example.org"
	for name, cause := range map[string]any{
		"an error": fmt.Errorf("no such person: %s", personal), "a text": personal, "a value": struct{ Address string }{personal}, "a list": []string{personal},
	} {
		said := new(strings.Builder)
		env := new(testsuite.WorkflowTestSuite).NewTestActivityEnvironment()
		env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{
			&activities.PanicGuard{Log: slog.New(slog.NewTextHandler(said, nil))},
		}})
		fall := func(context.Context) error { panic(cause) }
		env.RegisterActivity(fall)
		_, err := env.ExecuteActivity(fall)
		var told *temporal.ApplicationError
		if !errors.As(err, &told) || told.NonRetryable() {
			t.Fatalf("%s: %v", name, err)
		}
		if strings.Contains(err.Error()+said.String(), personal) {
			t.Errorf("%s: %v, %s", name, err, said)
		}
		if !strings.Contains(said.String(), "panic_test.go") {
			t.Errorf("%s: the log does not say where: %s", name, said)
		}
		if f := activities.FailureOf(activities.Planned{}, err); !f.WorkerLost() || !f.Interrupted || f.Class != activities.Unknown {
			t.Errorf("%s: a send that panicked counts as %+v: nobody knows what it had done", name, f)
		}
	}
}
