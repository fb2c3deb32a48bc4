// Package temporalserver runs a Temporal server inside this process, on SQLite or Postgres, for
// development, tests and benchmarks. It is the real server, not an imitation.
package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
	"google.golang.org/protobuf/types/known/durationpb"
)

// readyWithin bounds the wait for a started server to answer; it takes well under a second.
const readyWithin = 30 * time.Second

// silent is above every level: services that are being stopped call it an error that their
// requests to each other are cancelled.
const silent = slog.LevelError + 1

// Server is a running Temporal server. Once stopped it cannot be started again; Start
// another on the same Dir.
type Server struct {
	addr      string
	namespace string
	log       logger
	data      stores
	quiet     *slog.LevelVar // the level if the options name none
	server    temporal.Server
	faults    chan error
	stop      sync.Once
}

// Start runs a server and returns when it is healthy and its namespace is there. Its data
// survives Stop, and the process being killed, in Options.Dir, which one server at a time
// may use. An address that is taken, or a data folder that another server uses, is named
// in the error. After an error the process should end, as parts of a half-started server
// may be left. The context bounds the start only.
func Start(ctx context.Context, o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start Temporal: %w", err)
	}
	listen, err := claimAddresses(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("start Temporal: %w", err)
	}
	s, err := start(ctx, o, listen)
	if err != nil {
		return nil, fmt.Errorf("start Temporal on %s: %w", listen[primitives.FrontendService], err)
	}
	return s, nil
}

func start(ctx context.Context, o Options, listen addresses) (*Server, error) {
	data, err := openStores(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := createNamespace(data.main, o.Namespace, o.Retention); err != nil {
		return nil, err
	}
	s := newServer(o, listen, data)
	if err := s.launch(serverConfig(listen, data), listen); err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx, o.Retention); err != nil {
		s.Stop()
		return nil, err
	}
	s.quiet.Set(slog.LevelWarn)
	return s, nil
}

func newServer(o Options, listen addresses, data stores) *Server {
	s := &Server{
		addr:      listen.dialable(primitives.FrontendService),
		namespace: o.Namespace,
		data:      data,
		quiet:     &slog.LevelVar{},
		faults:    make(chan error, 1),
	}
	s.quiet.Set(slog.LevelError)
	level := o.LogLevel
	if level == nil {
		level = s.quiet
	}
	s.log = newLogger(o.Logger, level, s.faults)
	return s
}

// Addr returns the IP:port that clients on this machine dial.
func (s *Server) Addr() string { return s.addr }

// Namespace returns the name of the namespace that Start made sure of.
func (s *Server) Namespace() string { return s.namespace }

// Failed delivers the fault, at most one, that makes a running server useless. The owner
// should say it and end: the server does not mend itself.
func (s *Server) Failed() <-chan error { return s.faults }

// Stop ends the server and returns when it is down, after about a second. Further calls do nothing.
func (s *Server) Stop() {
	s.stop.Do(func() {
		s.quiet.Set(silent)
		err := errors.Join(s.server.Stop(), s.data.unlock())
		s.quiet.Set(slog.LevelError)
		if err != nil {
			s.log.slog.Error("Temporal server did not stop cleanly", "error", err)
		}
	})
}

var errDied = errors.New("the server gave up without a reason")

// launch builds and starts the server in a goroutine of its own, because a fatal fault
// ends the goroutine that meets it (see logger.Fatal). The server bounds its own start to
// some 15 seconds.
func (s *Server) launch(conf *config.Config, listen addresses) error {
	done := make(chan error, 1)
	go func() {
		err := errDied
		defer func() { done <- err }()
		defer recoverFatal()
		if s.server, err = s.build(conf, listen); err != nil {
			return
		}
		err = s.server.Start()
	}()
	err := <-done
	select {
	case cause := <-s.faults:
		return cause
	default:
		return err
	}
}

// recoverFatal lets a goroutine end in peace that logger.Fatal ends inside a sync.OnceValue,
// where the server opens its listeners: that turns a Goexit into a panic with nil. Other
// panics go on.
func recoverFatal() {
	if p := recover(); p != nil {
		if _, isNil := p.(*runtime.PanicNilError); !isNil {
			panic(p)
		}
	}
}

func (s *Server) build(conf *config.Config, listen addresses) (temporal.Server, error) {
	return temporal.NewServer(
		temporal.WithConfig(conf),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(listen.staticHosts()),
		temporal.WithLogger(s.log),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper {
			return authorization.NewNoopClaimMapper()
		}),
		temporal.WithDynamicConfigClient(dynamicConfig()),
	)
}

// awaitReady polls until the frontend is healthy and knows the namespace.
func (s *Server) awaitReady(ctx context.Context, retention time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	c, err := client.NewLazyClient(client.Options{
		HostPort: s.addr, Namespace: s.namespace, Logger: sdklog.NewStructuredLogger(s.log.slog),
	})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	defer c.Close()

	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.probe(ctx, c, retention)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case fault := <-s.faults:
			return fault
		case <-ctx.Done():
			return fmt.Errorf("the server did not become ready: %w (%w)", err, context.Cause(ctx))
		}
	}
}

// probe asks for health and for the namespace, and sets the retention of one that was made
// by an earlier start with another.
func (s *Server) probe(ctx context.Context, c client.Client, retention time.Duration) error {
	if _, err := c.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	service := c.WorkflowService()
	described, err := service.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.namespace})
	if err != nil {
		return fmt.Errorf("describe namespace %q: %w", s.namespace, err)
	}
	if described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration() == retention {
		return nil
	}
	_, err = service.UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: s.namespace,
		Config:    &namespace.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(retention)},
	})
	if err != nil {
		return fmt.Errorf("set the retention of namespace %q: %w", s.namespace, err)
	}
	return nil
}
