package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// Timeouts keep slow clients from holding connections for ever. Zero values take the defaults.
type Timeouts struct {
	// Header is for the header of a request, 10 s by default; Read for the whole of it, 30 s.
	Header, Read time.Duration
	// Write is from the end of a request's header to the end of its answer, 60 s by default.
	Write time.Duration
	// Idle is between two requests of a connection, 2 min by default.
	Idle time.Duration
}

const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	// stopTimeout bounds the wait for requests under way at a stop.
	stopTimeout = 15 * time.Second
	// maxHeader bounds a request's line and header in bytes; net/http adds 4 KiB, and answers 431 beyond. Cookies, a token
	// and the longest filter of a page need a tenth of it.
	maxHeader = 64 << 10
)

// server gives what serves the routes.
func (a *App) server() *http.Server {
	t := a.config.Timeouts
	return &http.Server{
		Handler:           a.engine,
		ReadHeaderTimeout: cmp.Or(t.Header, headerTimeout),
		ReadTimeout:       cmp.Or(t.Read, readTimeout),
		WriteTimeout:      cmp.Or(t.Write, writeTimeout),
		IdleTimeout:       cmp.Or(t.Idle, idleTimeout),
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(a.config.Log.Handler(), slog.LevelDebug),
	}
}

func shutdown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

// unpipelined ends the connection after a request whose body came in chunks. When it had a Content-Length as well, net/http
// goes by the chunks (RFC 9112, section 6.3), and a proxy before us may have gone by the length: what the one takes for the
// rest of a body, the other would take for the next request, in somebody else's name. So it is with what follows a request to
// speak something else from now on, which nobody does here.
func unpipelined(c *gin.Context) {
	if len(c.Request.TransferEncoding) > 0 || c.Request.Method == http.MethodConnect || c.GetHeader("Upgrade") != "" {
		c.Header("Connection", "close")
	}
	c.Next()
}
