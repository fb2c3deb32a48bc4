package sandbox

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// crossOrigin tells a browser's request that another site caused. Programs send no such marks and pass.
var crossOrigin = http.NewCrossOriginProtection()

// Routes mounts the inbox page, its JSON API and the Twilio-compatible API under /sandbox. r must be the web app's root.
//
// The routes ask for no sign-in: mount them only where the application listens on loopback. Whatever changes something
// is refused when another web site caused it.
func (s *Sandbox) Routes(r gin.IRouter) {
	root := r.Group("/sandbox", sameSite)
	root.GET("", s.showInbox)
	root.GET("/messages/:id", s.showMessage)
	root.GET("/messages/:id/html", s.showHTML)
	root.POST("/messages/:id/answer", s.postAnswer)
	root.POST("/messages/:id/report", s.postReport)
	root.POST("/faults", s.postFault)
	root.POST("/empty", s.postEmpty)
	root.GET("/static/:file", serveStatic)

	api := root.Group("/api")
	api.GET("/messages", s.listMessages)
	api.DELETE("/messages", s.deleteMessages)
	api.GET("/messages/:id", s.getMessage)
	api.GET("/faults", s.getFaults)
	api.PUT("/faults", s.putFault)

	s.twilioRoutes(r.Group(TwilioPath))
}

func sameSite(c *gin.Context) {
	if err := crossOrigin.Check(c.Request); err != nil {
		refuse(c, apiError{
			status:  http.StatusForbidden,
			code:    "cross_site",
			message: "this request came from another web site: use the sandbox's own page",
		})
	}
}
