package access

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/web/ui"
)

// The values of a session besides those that its row shows.
const (
	stampValue = "stamp"
	flashValue = "flash"
)

// seenInterval is how exactly it is known when a session was last used: pages that ask every few seconds need not write
// each time.
const seenInterval = time.Minute

// load finds out whose session a request belongs to. One whose user has been deactivated, or has set another password
// since, is over, and so is one that nobody used for long.
func (a *Access) load(c *gin.Context) {
	c.Writer.Header().Add("Vary", "Cookie")
	token := ""
	if cookie, err := c.Request.Cookie(cookieName); err == nil {
		token = cookie.Value
	}
	ctx, err := a.manager.Load(c.Request.Context(), token)
	if err != nil {
		a.refuse(c, err)
		return
	}
	c.Request = c.Request.WithContext(ctx)
	id := a.manager.GetString(ctx, account.SessionUser)
	if id == "" {
		return
	}
	user, err := a.users.Get(ctx, id)
	if err != nil && !isNotFound(err) {
		a.refuse(c, err)
		return
	}
	now, seen := a.options.Now(), time.UnixMicro(a.manager.GetInt64(ctx, account.SessionSeen))
	if user == nil || !user.Active || user.Stamp != a.manager.GetInt64(ctx, stampValue) || now.Sub(seen) > a.options.Idle {
		if err := a.drop(c); err != nil {
			a.refuse(c, err)
		}
		return
	}
	c.Set(userKey, user)
	if now.Sub(seen) >= seenInterval {
		a.manager.Put(ctx, account.SessionSeen, now.UnixMicro())
		if _, _, err := a.manager.Commit(ctx); err != nil {
			a.log(c, err) // that it cannot be written down keeps nobody out
		}
	}
}

// signedIn sends whoever is not to the sign-in page, and back to the page afterwards.
func (a *Access) signedIn(c *gin.Context) {
	if a.User(c) != nil {
		return
	}
	next := ""
	if c.Request.Method == http.MethodGet {
		next = c.Request.URL.RequestURI()
	}
	c.Header("Cache-Control", "no-store")
	if c.GetHeader("HX-Request") == "true" {
		c.AbortWithStatus(http.StatusUnauthorized) // the script loads the whole page anew, which then comes here
		return
	}
	c.Redirect(http.StatusSeeOther, signInPath(next))
	c.Abort()
}

// begin signs a user in, in a session of its own: a token from before, which somebody else may have planted, is worth
// nothing after it.
func (a *Access) begin(c *gin.Context, user *account.User) error {
	ctx := c.Request.Context()
	if err := a.manager.Destroy(ctx); err != nil {
		return err
	}
	if err := a.manager.RenewToken(ctx); err != nil {
		return err
	}
	now := a.options.Now()
	for name, value := range map[string]any{
		account.SessionID: outbox.NewID(), account.SessionUser: user.ID, stampValue: user.Stamp, account.SessionSeen: now.UnixMicro(),
		account.SessionAddress: c.ClientIP(), account.SessionClient: clientName(c.GetHeader("User-Agent")),
	} {
		a.manager.Put(ctx, name, value)
	}
	if err := a.users.SignedIn(ctx, user); err != nil {
		return err
	}
	c.Set(userKey, user)
	if err := a.sessions.Sweep(ctx); err != nil {
		a.log(c, err)
	}
	return a.commit(c)
}

// commit stores the session and tells the browser its token.
func (a *Access) commit(c *gin.Context) error {
	ctx := c.Request.Context()
	token, expiry, err := a.manager.Commit(ctx)
	if err != nil {
		return err
	}
	a.manager.WriteSessionCookie(ctx, c.Writer, token, expiry)
	return nil
}

// drop ends the session.
func (a *Access) drop(c *gin.Context) error {
	ctx := c.Request.Context()
	c.Set(userKey, (*account.User)(nil))
	if err := a.manager.Destroy(ctx); err != nil {
		return err
	}
	a.manager.WriteSessionCookie(ctx, c.Writer, "", time.Time{})
	return nil
}

// SessionID names the session of a request among its user's.
func (a *Access) SessionID(c *gin.Context) string {
	return a.manager.GetString(c.Request.Context(), account.SessionID)
}

// Keep lets the session of a request go on after its user's stamp has moved, with a new token.
func (a *Access) Keep(c *gin.Context, user *account.User) error {
	ctx := c.Request.Context()
	a.manager.Put(ctx, stampValue, user.Stamp)
	if err := a.manager.RenewToken(ctx); err != nil {
		return err
	}
	c.Set(userKey, user)
	return a.commit(c)
}

// PutFlash keeps a line for the next page of this session. Without a session, nothing is kept.
func (a *Access) PutFlash(c *gin.Context, f ui.Flash) {
	if a.User(c) == nil {
		return
	}
	content, err := json.Marshal(f)
	if err == nil {
		a.manager.Put(c.Request.Context(), flashValue, string(content))
		_, _, err = a.manager.Commit(c.Request.Context())
	}
	if err != nil {
		a.log(c, err)
	}
}

// PopFlash takes the line.
func (a *Access) PopFlash(c *gin.Context) *ui.Flash {
	if a.User(c) == nil || !a.manager.Exists(c.Request.Context(), flashValue) {
		return nil
	}
	content := a.manager.PopString(c.Request.Context(), flashValue)
	if _, _, err := a.manager.Commit(c.Request.Context()); err != nil {
		a.log(c, err)
	}
	f := new(ui.Flash)
	if json.Unmarshal([]byte(content), f) != nil {
		return nil
	}
	return f
}

// clientName says in a few words which browser a session is in, for the person who has to know their own again.
func clientName(agent string) string {
	first := func(names ...string) string {
		for i := 0; i < len(names); i += 2 {
			if strings.Contains(agent, names[i]) {
				return names[i+1]
			}
		}
		return ""
	}
	browser := first("Edg/", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "Chromium/", "Chromium", "Chrome/", "Chrome", "Safari/", "Safari", "curl/", "curl")
	system := first("Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows", "Windows", "Mac OS X", "macOS", "CrOS", "ChromeOS", "Linux", "Linux")
	switch {
	case browser == "" && system == "":
		return "another program"
	case browser == "":
		return "a browser on " + system
	case system == "":
		return browser
	default:
		return browser + " on " + system
	}
}
