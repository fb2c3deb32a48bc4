package temporalserver

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"go.temporal.io/server/common/log"
)

func TestTheWarningsThatEveryStartMeetsAreDropped(t *testing.T) {
	t.Parallel()
	for msg, kept := range map[string]bool{
		"Search attribute SilqueEvents already exists.":  false,
		"GetHistory page size is larger than threshold":  false,
		"Search attribute SilqueEvents cannot be added.": true,
		"Namespace default already exists.":              true,
		"GetHistory failed":                              true,
	} {
		var out bytes.Buffer
		var l log.Logger = newLogger(slog.New(slog.NewTextHandler(&out, nil)), slog.LevelInfo, make(chan error, 1))
		l.Warn(msg)
		l.(log.WithLogger).With().Warn(msg)
		if got := strings.Count(out.String(), msg); got != map[bool]int{true: 2, false: 0}[kept] {
			t.Errorf("%q was logged %d times, want it kept: %t", msg, got, kept)
		}
		out.Reset()
		l.Error(msg)
		if !strings.Contains(out.String(), msg) {
			t.Errorf("the error %q was dropped", msg)
		}
	}
}
