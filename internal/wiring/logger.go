package wiring

import (
	"io"
	"log/slog"

	"github.com/silquetech/silque-notifications/internal/config"
)

// Logger gives the program's log in the form that the settings name.
func Logger(n config.Notify, out io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(n.LogLevel)) // the settings' check knows the levels
	options := &slog.HandlerOptions{Level: level}
	if n.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
