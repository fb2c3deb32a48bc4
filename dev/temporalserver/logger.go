package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// logger hands the server's log to slog. The server's own loggers end the process on Fatal
// (a port that is taken, a store that cannot be read); this one reports the fault to its
// owner and ends only the goroutine that met it, so that the caller can say what happened
// and leave in its own way.
type logger struct {
	slog   *slog.Logger
	faults chan<- error
}

var (
	_ log.Logger      = logger{}
	_ log.WithLogger  = logger{}
	_ log.SLogWrapper = logger{}
)

func newLogger(to *slog.Logger, level slog.Leveler, faults chan<- error) logger {
	if to == nil {
		to = slog.New(slog.DiscardHandler)
	}
	return logger{slog: slog.New(threshold{to.Handler(), level}), faults: faults}
}

// Debug passes on what the server's programmers look at.
func (l logger) Debug(msg string, tags ...tag.Tag) { l.log(slog.LevelDebug, msg, tags) }

// Info passes on what a server does in the ordinary course.
func (l logger) Info(msg string, tags ...tag.Tag) { l.log(slog.LevelInfo, msg, tags) }

// Warn passes on what a server copes with.
func (l logger) Warn(msg string, tags ...tag.Tag) { l.log(slog.LevelWarn, msg, tags) }

// Error passes on what a server does not cope with.
func (l logger) Error(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// DPanic is a panic in the server's own development only; here it is an error.
func (l logger) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// Panic never returns, as the server's code expects of it.
func (l logger) Panic(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	panic(msg)
}

// Fatal never returns: the server's code counts on that and would go on with a nil listener.
func (l logger) Fatal(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	select {
	case l.faults <- fault(msg, tags):
	default: // an earlier fault is already there, and is the cause
	}
	runtime.Goexit()
}

// With returns a logger that adds tags to each line.
func (l logger) With(tags ...tag.Tag) log.Logger {
	return logger{slog: slog.New(l.slog.Handler().WithAttrs(attrs(tags))), faults: l.faults}
}

// SLog gives the parts of the server that speak slog the same destination and threshold.
func (l logger) SLog() *slog.Logger { return l.slog }

// log writes the record itself: the place in the code that slog would find is here, and of
// no use.
func (l logger) log(level slog.Level, msg string, tags []tag.Tag) {
	ctx := context.Background() // the server's logging interface has none
	if level == slog.LevelWarn && expected(msg) || !l.slog.Enabled(ctx, level) {
		return
	}
	record := slog.NewRecord(time.Now(), level, msg, 0)
	record.AddAttrs(attrs(tags)...)
	_ = l.slog.Handler().Handle(ctx, record) // slog drops this error, too
}

// expected says whether a warning is about what this product does on purpose, at every start. Web app and worker register
// their search attributes without asking first whether they are there, because two that ask at once would both find
// nothing. A client may ask for a longer page of a history than the server gives; it gives the longest, and the client
// asks for the next.
func expected(warning string) bool {
	name, isAttribute := strings.CutPrefix(warning, "Search attribute ")
	_, exists := strings.CutSuffix(name, " already exists.")
	return isAttribute && exists || warning == "GetHistory page size is larger than threshold"
}

func attrs(tags []tag.Tag) []slog.Attr {
	out := make([]slog.Attr, len(tags))
	for i, t := range tags {
		out[i] = slog.Any(t.Key(), t.Value())
	}
	return out
}

// fault is the error for a fatal line: the message and its tags, of which the address and
// the error are the useful ones.
func fault(msg string, tags []tag.Tag) error {
	var text strings.Builder
	text.WriteString(msg)
	for _, t := range tags {
		fmt.Fprintf(&text, ", %s %v", t.Key(), t.Value())
	}
	return errors.New(text.String())
}

// threshold drops records below a level, whatever the handler behind it would accept.
type threshold struct {
	slog.Handler
	level slog.Leveler
}

// Enabled holds a record against the threshold first, then asks the handler behind it.
func (h threshold) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level.Level() && h.Handler.Enabled(ctx, level)
}

// WithAttrs keeps the threshold.
func (h threshold) WithAttrs(attrs []slog.Attr) slog.Handler {
	return threshold{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup keeps the threshold.
func (h threshold) WithGroup(name string) slog.Handler {
	return threshold{h.Handler.WithGroup(name), h.level}
}
