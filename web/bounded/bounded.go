// Package bounded keeps bodies of requests from filling the memory.
package bounded

import (
	"io"
	"net/http"

	"github.com/gin-gonic/gin"
)

// Body bounds a request's body: reading more of it than limit bytes gives an *http.MaxBytesError. A body that says in
// advance that it is larger gives it at once, and the connection ends with the answer.
func Body(limit int64) gin.HandlerFunc {
	return func(c *gin.Context) {
		if c.Request.ContentLength > limit {
			c.Header("Connection", "close")
			c.Request.Body = io.NopCloser(tooLarge(limit))
			return
		}
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
	}
}

// tooLarge is a body of which nothing is read.
type tooLarge int64

// Read fails.
func (limit tooLarge) Read([]byte) (int, error) { return 0, &http.MaxBytesError{Limit: int64(limit)} }
