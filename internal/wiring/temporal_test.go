package wiring

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/api/serviceerror"
)

func TestOfSeveralVariablesTheLastCounts(t *testing.T) {
	t.Parallel()
	v := variables{"TEMPORAL_NAMESPACE=a", "TEMPORAL_NAMESPACE_OTHER=b", "EMPTY=", "TEMPORAL_NAMESPACE=c=d"}
	for name, want := range map[string]struct {
		value string
		ok    bool
	}{"TEMPORAL_NAMESPACE": {"c=d", true}, "EMPTY": {"", true}, "TEMPORAL": {"", false}, "temporal_namespace": {"", false}} {
		if value, ok := v.LookupEnv(name); value != want.value || ok != want.ok {
			t.Errorf("%s is %q, %v; want %q, %v", name, value, ok, want.value, want.ok)
		}
	}
	if !slices.Equal(v.Environ(), v) {
		t.Error("the environment is not given as it is")
	}
}

func TestAClientIsThereBeforeTemporalIs(t *testing.T) {
	t.Parallel()
	none := "TEMPORAL_CONFIG_FILE=" + t.TempDir() + "/none.toml"
	for want, environ := range map[string][]string{
		"default": {none, "TEMPORAL_ADDRESS=127.0.0.1:1"},
		"shop":    {none, "TEMPORAL_ADDRESS=127.0.0.1:1", "TEMPORAL_NAMESPACE=shop"},
	} {
		c, err := Dial(environ, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if c.Namespace != want {
			t.Errorf("namespace %q, want %q", c.Namespace, want)
		}
		c.Close()
	}
	_, err := Dial([]string{none, "TEMPORAL_TLS=true", "TEMPORAL_TLS_CLIENT_CERT_PATH=/nonexistent/cert", "TEMPORAL_TLS_CLIENT_KEY_PATH=/nonexistent/key"},
		slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "Temporal") {
		t.Errorf("a certificate that is not there: %v", err)
	}
}

func TestAServerThatNeverAddsSearchAttributesIsNotAskedForEver(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		serviceerror.NewPermissionDenied("no", ""): true, serviceerror.NewUnimplemented("no"): true,
		serviceerror.NewInvalidArgument("no"): true, serviceerror.NewUnavailable("later"): false,
		serviceerror.NewDeadlineExceeded("later"): false, serviceerror.NewNamespaceNotFound("later"): false,
	} {
		if refused(err) != want {
			t.Errorf("%T counts as refused: %v", err, !want)
		}
	}
}
