// Package shop is the demo application of the development stack: five ordinary gorm models, JSON and pages to change
// them. Nothing in it calls the notification system: the notify plugin, which the development stack installs in its
// database, hears of every save.
package shop

import (
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
)

// Shop serves the demo. It is safe for concurrent use and runs nothing in the background.
type Shop struct {
	db  *gorm.DB
	log *slog.Logger
}

// New gives a shop on a database that Migrate has brought up to date. log takes what goes wrong inside; nil is
// slog.Default().
func New(db *gorm.DB, log *slog.Logger) *Shop {
	if log == nil {
		log = slog.Default()
	}
	return &Shop{db: db, log: log}
}

// crossOrigin tells a browser's writing request that another site caused. Programs send no such marks and pass.
var crossOrigin = http.NewCrossOriginProtection()

// Register mounts the pages under /demo and the JSON under /demo/api/{model}. r must be the web app's root.
//
// The routes ask for no sign-in: mount them only where the application listens on loopback. Whatever changes something
// is refused when another web site caused it.
func (s *Shop) Register(r gin.IRouter) {
	pages := r.Group("/demo", s.guardPages)
	pages.GET("", s.showStart)
	pages.GET("/static/:file", serveStatic)
	pages.GET("/:model", s.showList)
	pages.POST("/:model", s.postNew)
	pages.GET("/:model/:id", s.showEdit)
	pages.POST("/:model/:id", s.postEdit)
	pages.GET("/:model/:id/delete", s.showDelete)
	pages.POST("/:model/:id/delete", s.postDelete)

	api := r.Group("/demo/api", s.guardAPI)
	api.GET("", s.handle(refuseModel))
	api.GET("/:model", s.handle(s.listRows))
	api.POST("/:model", s.handle(s.createRow))
	api.GET("/:model/:id", s.handle(s.getRow))
	api.PUT("/:model/:id", s.handle(s.replaceRow))
	api.PATCH("/:model/:id", s.handle(s.patchRow))
	api.DELETE("/:model/:id", s.handle(s.deleteRow))
}
