package app

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/testdb"
)

// need is what a caller must have for a route.
type need string

// The needs. A session is somebody's with that role or a higher one, and its form token where something changes; a scope
// is a token's of the REST API.
const (
	nothing need = "nothing"
	viewer  need = "the role viewer"
	editor  need = "the role editor"
	admin   need = "the role admin"
	read    need = "the scope read"
	events  need = "the scope events or write"
	write   need = "the scope write"
	// formToken is for the forms that people send before they have signed in.
	formToken need = "the token of the form"
	// reports and signature are what other machines prove themselves with. A signature is one request's: nobody here has
	// one, and the tests of web/hooks make them.
	reports   need = "the secret of reports about emails"
	signature need = "the signature of Twilio"
)

// needs says for every route of the web app who may call it. A route without a line here fails the tests below: who adds
// one decides who may call it.
var needs = map[string]need{
	"GET /healthz":             nothing,
	"GET /readyz":              nothing,
	"GET /metrics":             nothing,
	"GET /static/*file":        nothing,
	"GET /api/v1/openapi.json": nothing,
	"GET /sign-in":             nothing,
	"GET /oidc/start":          nothing,
	"GET /oidc/callback":       nothing,
	"GET /welcome/:token":      nothing,
	"POST /sign-in":            formToken,
	"POST /sign-out":           formToken,
	"POST /welcome/:token":     formToken,
	// The token of these three is the proof; it is made up here, so that they find nothing.
	"GET /unsubscribe/:token":     nothing,
	"HEAD /unsubscribe/:token":    nothing,
	"POST /unsubscribe/:token":    nothing,
	"POST /hooks/email/bounces":   reports,
	"POST /hooks/twilio/status":   signature,
	"POST /hooks/twilio/messages": signature,

	"GET /":                                  viewer,
	"GET /dashboard.csv":                     viewer,
	"GET /account":                           viewer,
	"POST /account/name":                     viewer,
	"POST /account/password":                 viewer,
	"POST /account/sessions/end":             viewer,
	"GET /audit":                             admin,
	"GET /tokens":                            admin,
	"POST /tokens":                           admin,
	"GET /tokens/:id/revoke":                 admin,
	"POST /tokens/:id/revoke":                admin,
	"GET /users":                             admin,
	"POST /users":                            admin,
	"GET /users/:id":                         admin,
	"POST /users/:id/activate":               admin,
	"POST /users/:id/deactivate":             admin,
	"POST /users/:id/link":                   admin,
	"POST /users/:id/role":                   admin,
	"GET /deliveries":                        viewer,
	"GET /deliveries.csv":                    viewer,
	"GET /deliveries/:id":                    viewer,
	"GET /deliveries/:id/html":               viewer,
	"GET /deliveries/retry":                  editor,
	"POST /deliveries/retry":                 editor,
	"GET /deliveries/retry/:id":              viewer,
	"POST /deliveries/retry/:id/stop":        editor,
	"GET /errors":                            viewer,
	"GET /errors.csv":                        viewer,
	"GET /errors/:id":                        viewer,
	"POST /errors/reopen":                    editor,
	"POST /errors/resolve":                   editor,
	"GET /events":                            viewer,
	"GET /events.csv":                        viewer,
	"GET /events/:id":                        viewer,
	"GET /health":                            viewer,
	"POST /health/tests":                     editor,
	"GET /health/tests/:id":                  viewer,
	"GET /lists":                             viewer,
	"GET /lists/:id":                         viewer,
	"GET /lists/new":                         editor,
	"POST /lists/new":                        editor,
	"POST /lists/:id":                        editor,
	"GET /lists/:id/delete":                  editor,
	"POST /lists/:id/delete":                 editor,
	"GET /suppressions":                      viewer,
	"GET /suppressions.csv":                  viewer,
	"GET /suppressions/new":                  editor,
	"POST /suppressions/new":                 editor,
	"POST /suppressions/restore":             editor,
	"GET /suppressions/:id":                  viewer,
	"POST /suppressions/:id/lift":            editor,
	"POST /deliveries/:id/resolve":           editor,
	"GET /models":                            viewer,
	"GET /notifications":                     viewer,
	"GET /notifications/:id":                 viewer,
	"POST /notifications/:id":                editor,
	"GET /notifications/new":                 viewer,
	"POST /notifications/new":                editor,
	"GET /notifications/:id/history":         viewer,
	"GET /notifications/:id/restore":         editor,
	"POST /notifications/:id/restore":        editor,
	"POST /notifications/bulk":               editor,
	"POST /notifications/undo":               editor,
	"GET /notifications/export":              viewer,
	"POST /notifications/export":             viewer,
	"GET /notifications/import":              editor,
	"POST /notifications/import":             editor,
	"GET /notifications/import/:id":          editor,
	"POST /notifications/import/:id":         editor,
	"GET /notifications/import/:id/progress": editor,
	// These four try things out and change nothing; they are sent by POST because what they ask is long.
	"POST /notifications/form":         viewer,
	"POST /notifications/complete":     viewer,
	"POST /notifications/compare":      viewer,
	"POST /notifications/preview":      viewer,
	"POST /notifications/preview/html": viewer,
	"POST /notifications/test":         editor,
	"GET /notifications/tests/:id":     viewer,

	"GET /api/v1/notifications":                read,
	"POST /api/v1/notifications":               write,
	"GET /api/v1/notifications/:id":            read,
	"PUT /api/v1/notifications/:id":            write,
	"DELETE /api/v1/notifications/:id":         write,
	"POST /api/v1/notifications/:id/duplicate": write,
	"GET /api/v1/notifications/:id/versions":   read,
	"POST /api/v1/notifications/activate":      write,
	"POST /api/v1/notifications/deactivate":    write,
	"POST /api/v1/notifications/compare":       read,
	"POST /api/v1/notifications/preview":       read,
	"GET /api/v1/lists":                        read,
	"POST /api/v1/lists":                       write,
	"GET /api/v1/lists/:id":                    read,
	"PUT /api/v1/lists/:id":                    write,
	"DELETE /api/v1/lists/:id":                 write,
	"GET /api/v1/models":                       read,
	"GET /api/v1/models/:model":                read,
	"GET /api/v1/models/:model/recipients":     read,
	"GET /api/v1/events":                       read,
	"POST /api/v1/events":                      events,
	"GET /api/v1/events/:id":                   read,
	"GET /api/v1/deliveries":                   read,
	"GET /api/v1/deliveries/:id":               read,
	"POST /api/v1/deliveries/:id/retry":        write,
	"POST /api/v1/deliveries/:id/resolve":      write,
	"POST /api/v1/deliveries/retry":            write,
	"GET /api/v1/suppressions":                 read,
	"POST /api/v1/suppressions":                write,
	"GET /api/v1/suppressions/:id":             read,
	"DELETE /api/v1/suppressions/:id":          write,
	"GET /api/v1/errors":                       read,
	"GET /api/v1/errors/:id":                   read,
	"POST /api/v1/errors/:id/resolve":          write,
	"POST /api/v1/test":                        write,
}

func TestEveryRouteIsOpenToThoseWhoMayCallItAlone(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		e := newEstate(t, db)
		listed := map[string]bool{}
		for _, route := range e.app.engine.Routes() {
			call := route.Method + " " + route.Path
			listed[call] = true
			needed, known := needs[call]
			if !known {
				t.Errorf("%s: the table of this test does not say who may call it", call)
				continue
			}
			for _, c := range e.callers {
				if call == "POST /sign-out" && c.cookie != "" {
					continue // it would end the caller's session; TestWhoeverIsNotSignedIn… has its own
				}
				may := needed == nothing || slices.Contains(c.has, needed)
				// The body says nothing that a handler would do: the question is who may ask.
				got := e.send(c, route.Method, somewhere(route.Path), "")
				switch {
				case got.status == http.StatusInternalServerError:
					t.Errorf("%s by %s: %d\n%s", call, c.name, got.status, got.body)
				case call == "GET /oidc/callback" && got.status == http.StatusForbidden && strings.Contains(got.body, "was not begun in this browser"):
				case may && got.turnedAway():
					t.Errorf("%s by %s: turned away (%d), although it needs %s", call, c.name, got.status, needed)
				case !may && !got.turnedAway():
					t.Errorf("%s by %s: %d, although it needs %s\n%.300s", call, c.name, got.status, needed, got.body)
				}
			}
		}
		for call := range needs {
			if !listed[call] {
				t.Errorf("%s is in the table of this test, and no route any more", call)
			}
		}
	})
}
