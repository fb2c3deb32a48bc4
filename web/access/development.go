package access

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
)

// signedOutCookie keeps development from signing in again somebody who has just signed out.
const signedOutCookie = "silque_signed_out"

// fromThisMachine says whether development's sign-in may be used: only when it is on, by a connection from this machine
// to a name of this machine. A name of somebody else's that leads here (DNS rebinding) does not count, nor does what a
// proxy passes on.
func (a *Access) fromThisMachine(c *gin.Context) bool {
	if !a.options.Development {
		return false
	}
	for _, forwarded := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"} {
		if c.GetHeader(forwarded) != "" {
			return false
		}
	}
	peer, err := netip.ParseAddrPort(c.Request.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	host := c.Request.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

// developmentSignIn signs in whoever looks at a page from this machine, unless they have signed out.
func (a *Access) developmentSignIn(c *gin.Context) {
	if a.User(c) != nil || c.Request.Method != http.MethodGet || !a.fromThisMachine(c) {
		return
	}
	if _, err := c.Request.Cookie(signedOutCookie); err == nil {
		return
	}
	if err := a.beginDevelopment(c, account.Admin); err != nil {
		a.refuse(c, err)
	}
}

func (a *Access) beginDevelopment(c *gin.Context, role account.Role) error {
	user, err := a.users.Development(c.Request.Context(), role)
	if err != nil {
		return err
	}
	if !user.Active {
		return errForbidden
	}
	return a.begin(c, user)
}

// signInForDevelopment signs in with the role of a button.
func (a *Access) signInForDevelopment(c *gin.Context) error {
	role := account.Role(c.PostForm("role"))
	if !a.fromThisMachine(c) || !role.Allows(account.Viewer) {
		return errForbidden
	}
	if err := a.beginDevelopment(c, role); err != nil {
		return err
	}
	return a.welcomeBack(c, c.PostForm("next"))
}

// Development is a line for the top of each page about a sign-in without a password; empty in production.
func (a *Access) Development(c *gin.Context) string {
	user := a.User(c)
	if !a.options.Development || user == nil || user.PasswordHash != "" {
		return ""
	}
	return "Development: you are signed in as " + string(user.Role) + ", without a password."
}

func (a *Access) rememberSignOut(c *gin.Context) {
	if a.options.Development {
		http.SetCookie(c.Writer, a.cookie(signedOutCookie, "1", "/", 0))
	}
}

func (a *Access) forgetSignOut(c *gin.Context) {
	if _, err := c.Request.Cookie(signedOutCookie); err == nil {
		http.SetCookie(c.Writer, a.cookie(signedOutCookie, "", "/", -1))
	}
}
