package activities

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
)

// PanicGuard is a worker's interceptor for activities that panic. Without it, Temporal's SDK would write the panic's text
// into the log and into the workflow's history; it can hold what a message says.
type PanicGuard struct {
	interceptor.WorkerInterceptorBase

	Log *slog.Logger
}

// InterceptActivity stands around each activity, a local one too.
func (g *PanicGuard) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &guarded{interceptor.ActivityInboundInterceptorBase{Next: next}, g.Log}
}

type guarded struct {
	interceptor.ActivityInboundInterceptorBase

	log *slog.Logger
}

// ExecuteActivity turns a panic into an error that tells the type of what was thrown, and after which the activity is
// tried again as after any other.
func (g *guarded) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (result any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			name := activity.GetInfo(ctx).ActivityType.Name
			g.log.Error("An activity panicked", "activity", name, "panic", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
			result, err = nil, temporal.NewApplicationError(fmt.Sprintf("%s panicked with a %T; the worker's log says where", name, cause), errPanicked)
		}
	}()
	return g.Next.ExecuteActivity(ctx, in)
}
