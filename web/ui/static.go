package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"
)

// StaticPath is where the static files are served.
const StaticPath = "/static/"

// file is a static file in memory.
type file struct {
	content     []byte
	contentType string
	// packed is the content under gzip; nil where that saves nothing. It holds no secret, so that its length tells none.
	packed []byte
	// version is a part of the content's hash: a page asks for exactly the file that it was made with.
	version string
}

// static holds the files by their path below static/.
type static map[string]file

func readStatic() static {
	s := static{}
	err := fs.WalkDir(files, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		hash := sha256.Sum256(content)
		s[strings.TrimPrefix(name, "static/")] = file{
			content: content, packed: packed(content), contentType: contentType(name), version: hex.EncodeToString(hash[:6]),
		}
		return nil
	})
	if err != nil {
		panic(err) // they are embedded
	}
	return s
}

// packed compresses a text.
func packed(content []byte) []byte {
	var small bytes.Buffer
	w, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is one
	}
	_, _ = w.Write(content) // a buffer takes everything
	if err := w.Close(); err != nil || small.Len() >= len(content) {
		return nil
	}
	return small.Bytes()
}

// contentType does not leave the common ones to the machine's own table.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".txt":
		return "text/plain; charset=utf-8"
	default:
		return mime.TypeByExtension(path.Ext(name))
	}
}

// url gives the address of a static file; a page that names one that is not there is a mistake of the program.
func (s static) url(name string) (string, error) {
	f, ok := s[name]
	if !ok {
		return "", fs.ErrNotExist
	}
	return StaticPath + name + "?v=" + f.version, nil
}

// Static answers with a static file: for a year when its version is named, since another content has another version.
func (r *Renderer) Static(c *gin.Context) {
	f, ok := r.static[strings.TrimPrefix(c.Param("file"), "/")]
	if !ok {
		c.Header("Cache-Control", "no-store")
		c.String(http.StatusNotFound, "There is no such file.\n")
		return
	}
	c.Header("Cache-Control", "no-cache")
	if c.Query("v") == f.version {
		c.Header("Cache-Control", "public, max-age=31536000, immutable")
	}
	c.Header("ETag", `"`+f.version+`"`)
	c.Header("X-Content-Type-Options", "nosniff")
	if c.GetHeader("If-None-Match") == `"`+f.version+`"` {
		c.Status(http.StatusNotModified)
		return
	}
	c.Header("Vary", "Accept-Encoding")
	if f.packed != nil && strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
		c.Header("Content-Encoding", "gzip")
		c.Data(http.StatusOK, f.contentType, f.packed)
		return
	}
	c.Data(http.StatusOK, f.contentType, f.content)
}
