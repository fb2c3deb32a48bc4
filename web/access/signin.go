package access

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/web/ui"
)

// signInForm is what the sign-in page shows.
type signInForm struct {
	Email, Next, Problem string
	// SignedOut says that the person has just signed out.
	SignedOut bool
	// Provider is what the OpenID Connect provider is called; empty when there is none. StartPath is where its button leads.
	Provider, StartPath string
	// Development lists the roles to sign in with, in development.
	Development []account.Role
	// First says that nobody can sign in yet.
	First bool
}

// signInPath is the sign-in page that leads back to next.
func signInPath(next string) string {
	if next = local(next); next == "/" {
		return "/sign-in"
	}
	return "/sign-in?" + url.Values{"next": {next}}.Encode()
}

// local gives a path of this site, or "/" for everything else: a link from elsewhere must not send people elsewhere once
// they have signed in.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Opaque != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") {
		return "/"
	}
	// Browsers read a backslash as a slash, and leave out control characters: //evil, /\evil and /<tab>/evil are hosts.
	if strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\") || strings.ContainsFunc(next, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "/"
	}
	if strings.HasPrefix(u.Path, "//") || strings.ContainsAny(u.Path, "\\") || strings.HasPrefix(u.Path, "/sign-in") || strings.HasPrefix(u.Path, "/sign-out") {
		return "/"
	}
	return next
}

func (a *Access) showSignIn(c *gin.Context) error {
	if a.User(c) != nil {
		c.Redirect(http.StatusSeeOther, local(c.Query("next")))
		return nil
	}
	return a.signInPage(c, http.StatusOK, signInForm{Next: local(c.Query("next")), SignedOut: c.Query("out") != ""})
}

func (a *Access) signInPage(c *gin.Context, status int, form signInForm) error {
	if a.provider != nil {
		form.Provider = a.options.OIDC.Name
		form.StartPath = "/oidc/start?" + url.Values{"next": {form.Next}}.Encode()
	}
	if a.fromThisMachine(c) {
		form.Development = []account.Role{account.Admin, account.Editor, account.Viewer}
	} else {
		first, err := a.users.NeedsFirst(c.Request.Context())
		if err != nil {
			return err
		}
		form.First = first
	}
	return a.show(c, status, "access_sign_in", &ui.Page{Title: "Sign in", Styles: []string{"access.css"}, Data: form})
}

// signIn checks an address and a password. The answer, and the time that it takes, are the same whether or not there is
// such an account.
func (a *Access) signIn(c *gin.Context) error {
	form := signInForm{Email: c.PostForm("email"), Next: local(c.PostForm("next"))}
	if wait, ok := a.Attempt(c, form.Email); !ok {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		form.Problem = TooMany(wait)
		return a.signInPage(c, http.StatusTooManyRequests, form)
	}
	user, err := a.users.ByEmail(c.Request.Context(), form.Email)
	if err != nil && !isNotFound(err) {
		return err
	}
	hash := ""
	if user != nil && user.Active {
		hash = user.PasswordHash
	}
	if !account.CheckPassword(c.Request.Context(), c.PostForm("password"), hash) {
		a.options.Log.Info("A sign-in was refused")
		form.Problem = "The email address or the password is not right."
		return a.signInPage(c, http.StatusUnprocessableEntity, form)
	}
	if err := a.begin(c, user); err != nil {
		return err
	}
	return a.welcomeBack(c, form.Next)
}

// TooMany tells somebody who has tried too often when to try again.
func TooMany(wait time.Duration) string {
	minutes := int(math.Ceil(wait.Minutes()))
	if minutes <= 1 {
		return "There were too many tries. Wait a minute, and try again."
	}
	return fmt.Sprintf("There were too many tries. Wait %d minutes, and try again.", minutes)
}

// welcomeBack sends somebody who has signed in to where they wanted to go.
func (a *Access) welcomeBack(c *gin.Context, next string) error {
	a.forgetSignOut(c)
	c.Header("Cache-Control", "no-store")
	c.Redirect(http.StatusSeeOther, local(next))
	return nil
}

func (a *Access) signOut(c *gin.Context) error {
	if err := a.drop(c); err != nil {
		return err
	}
	a.rememberSignOut(c)
	// What pages the browser still keeps must not be shown to whoever comes next.
	c.Header("Clear-Site-Data", `"cache"`)
	c.Header("Cache-Control", "no-store")
	c.Redirect(http.StatusSeeOther, "/sign-in?out=1")
	return nil
}
