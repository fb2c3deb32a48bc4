package wiring

import (
	"io"
	"log/slog"

	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Logger gives the program's log in the form that the settings name. Errors lose the values that a database quotes in them.
func Logger(n config.Notify, out io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(n.LogLevel)) // the settings' check knows the levels
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: unquoted}
	if n.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// unquoted is the last look at what is logged, whoever logs it.
func unquoted(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.AnyValue(store.Unquoted(err))
	}
	return a
}
