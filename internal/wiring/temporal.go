// Package wiring puts the parts together for the mains and the development stack: what a worker, a web app and a client
// of Temporal consist of. It holds no logic of its own.
package wiring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"github.com/silquetech/silque-notifications/workflows"
)

// Temporal is a client and the namespace in which it works.
type Temporal struct {
	client.Client
	Namespace string
}

// Dial gives a client for Temporal as its own settings name it (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY,
// the TEMPORAL_TLS_ ones, or a profile in Temporal's configuration file). It connects at the first use: a Temporal that
// is down keeps neither the web app nor the worker from starting.
func Dial(environ []string, logger *slog.Logger) (*Temporal, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: variables(environ)})
	if err != nil {
		return nil, fmt.Errorf("settings of Temporal (TEMPORAL_…): %w", err)
	}
	options.Logger = log.NewStructuredLogger(logger.With("component", "temporal"))
	c, err := client.NewLazyClient(options)
	if err != nil {
		return nil, fmt.Errorf("client of Temporal: %w", err)
	}
	return &Temporal{Client: c, Namespace: cmp.Or(options.Namespace, client.DefaultNamespace)}, nil
}

// variables is an environment in the form that envconfig looks names up in.
type variables []string

// Environ gives all of it.
func (v variables) Environ() []string { return v }

// LookupEnv finds one variable; of several, the last counts, as in a process.
func (v variables) LookupEnv(name string) (value string, ok bool) {
	for _, entry := range v {
		if after, found := strings.CutPrefix(entry, name+"="); found {
			value, ok = after, true
		}
	}
	return value, ok
}

const (
	attributesTimeout  = 10 * time.Second
	attributesPause    = 250 * time.Millisecond
	attributesMaxPause = 5 * time.Second
)

// RegisterSearchAttributes makes the search attributes known in the namespace, and tries until Temporal answers or ctx
// ends. Adding what is there already is fine. A server that does not let clients add them (Temporal Cloud) must get them
// from its own tools; then this returns the error that says so.
func RegisterSearchAttributes(ctx context.Context, t *Temporal, logger *slog.Logger) error {
	request := &operatorservice.AddSearchAttributesRequest{
		Namespace: t.Namespace,
		SearchAttributes: map[string]enums.IndexedValueType{
			workflows.EventsAttribute.GetName():        enums.INDEXED_VALUE_TYPE_KEYWORD_LIST,
			workflows.ModelsAttribute.GetName():        enums.INDEXED_VALUE_TYPE_KEYWORD_LIST,
			workflows.NotificationsAttribute.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD_LIST,
			workflows.OutcomeAttribute.GetName():       enums.INDEXED_VALUE_TYPE_KEYWORD,
		},
	}
	for pause := attributesPause; ; pause = min(2*pause, attributesMaxPause) {
		err := addSearchAttributes(ctx, t, request)
		if err == nil {
			return untilUsable(ctx, t)
		}
		if refused(err) {
			return fmt.Errorf("search attributes (add SilqueEvents, SilqueModels and SilqueNotifications as KeywordList and "+
				"SilqueOutcome as Keyword by the server's own tools): %w", err)
		}
		if pause == attributesPause && ctx.Err() == nil {
			logger.Warn("Temporal cannot be used yet; trying until it can", "namespace", t.Namespace, "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// usableTimeout bounds the wait until a server that has taken new attributes knows them everywhere: two seconds at most.
const usableTimeout = 10 * time.Second

// untilUsable waits until the server answers a query with the attributes: until then it would refuse workflows that
// carry them.
func untilUsable(ctx context.Context, t *Temporal) error {
	ctx, cancel := context.WithTimeout(ctx, usableTimeout)
	defer cancel()
	for {
		_, err := t.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: t.Namespace,
			Query: fmt.Sprintf("%s = 'none' AND %s = 'none' AND %s = 'none' AND %s = 'none'", workflows.EventsAttribute.GetName(),
				workflows.ModelsAttribute.GetName(), workflows.NotificationsAttribute.GetName(), workflows.OutcomeAttribute.GetName()),
		})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("search attributes are not usable yet: %w", err)
		case <-time.After(attributesPause / 5):
		}
	}
}

func addSearchAttributes(ctx context.Context, c client.Client, r *operatorservice.AddSearchAttributesRequest) error {
	ctx, cancel := context.WithTimeout(ctx, attributesTimeout)
	defer cancel()
	_, err := c.OperatorService().AddSearchAttributes(ctx, r)
	var exists *serviceerror.AlreadyExists
	if errors.As(err, &exists) {
		return nil
	}
	return err
}

// refused tells a server that will never do it from one that is away.
func refused(err error) bool {
	var denied *serviceerror.PermissionDenied
	var unknown *serviceerror.Unimplemented
	var invalid *serviceerror.InvalidArgument
	return errors.As(err, &denied) || errors.As(err, &unknown) || errors.As(err, &invalid)
}
