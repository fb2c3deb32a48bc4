package app

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
)

func TestAnAnswerThatIsAbortedDoesNotEndLikeAWholeOne(t *testing.T) {
	t.Parallel()
	a := &App{config: Config{Log: slog.New(slog.DiscardHandler)}}
	engine := gin.New()
	engine.Use(a.recovered)
	engine.GET("/half", func(c *gin.Context) {
		c.String(http.StatusOK, "half of it")
		c.Writer.Flush()
		panic(http.ErrAbortHandler)
	})
	engine.GET("/broken", func(*gin.Context) { panic("a mistake") })
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	ask := func(path string) (int, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		_, err = io.ReadAll(answer.Body)
		return answer.StatusCode, err
	}
	if _, err := ask("/half"); err == nil {
		t.Error("a client takes half an answer for a whole one")
	}
	if code, err := ask("/broken"); code != http.StatusInternalServerError || err != nil {
		t.Errorf("a mistake: %d %v", code, err)
	}
}
