package console

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/web/ui"
)

func (s *Console) accountRoutes() []Route {
	return []Route{
		{http.MethodGet, "/account", account.Viewer, (*Console).showAccount},
		{http.MethodPost, "/account/name", account.Viewer, (*Console).renameMe},
		{http.MethodPost, "/account/password", account.Viewer, (*Console).changeMyPassword},
		{http.MethodPost, "/account/sessions/end", account.Viewer, (*Console).endMyOtherSessions},
	}
}

// accountView is what a person sees of themselves.
type accountView struct {
	User     *account.User
	Sessions []mySession
	// NameWrong, CurrentWrong and PasswordWrong say what is wrong with what was sent.
	NameWrong, CurrentWrong, PasswordWrong string
}

// mySession is a browser in which the person is signed in.
type mySession struct {
	Client, Address string
	Began, Seen     time.Time
	// Here is the one that asks.
	Here bool
}

// Others counts the sessions elsewhere.
func (v accountView) Others() int { return len(v.Sessions) - 1 }

func (s *Console) showAccount(c *gin.Context) error {
	return s.accountPage(c, http.StatusOK, accountView{})
}

func (s *Console) accountPage(c *gin.Context, status int, v accountView) error {
	ctx := c.Request.Context()
	user, err := s.users.Get(ctx, s.config.Access.Person(c).ID)
	if err != nil {
		return err
	}
	sessions, err := s.sessions.Of(ctx, user.ID)
	if err != nil {
		return err
	}
	v.User = user
	here := s.config.Access.SessionID(c)
	for _, session := range sessions {
		v.Sessions = append(v.Sessions, mySession{Client: session.Client, Address: session.Address,
			Began: session.CreatedAt, Seen: session.SeenAt, Here: session.ID == here})
	}
	return s.show(c, status, "account", &ui.Page{Title: "Your account", Area: "/account", Styles: []string{"access.css"}, Data: v})
}

func (s *Console) renameMe(c *gin.Context) error {
	me := s.config.Access.Person(c)
	_, err := s.users.SetName(c.Request.Context(), me.ID, c.PostForm("name"), me.Email)
	if errors.Is(err, account.ErrName) {
		return s.accountPage(c, http.StatusUnprocessableEntity, accountView{NameWrong: "A name has one line of at most 100 characters."})
	}
	if err != nil {
		return err
	}
	return s.done(c, "/account", ui.Flash{Text: "Your name is saved."})
}

// changeMyPassword asks for the old password: a browser that was left open must not lock its owner out.
func (s *Console) changeMyPassword(c *gin.Context) error {
	me := s.config.Access.Person(c)
	wrong := func(v accountView) error { return s.accountPage(c, http.StatusUnprocessableEntity, v) }
	if wait, ok := s.config.Access.Attempt(c, me.Email); !ok {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		return s.accountPage(c, http.StatusTooManyRequests, accountView{CurrentWrong: "There were too many tries. Wait " + ui.Length(wait) + ", and try again."})
	}
	if c.PostForm("password") != c.PostForm("again") {
		return wrong(accountView{PasswordWrong: "The two passwords are not the same. Type them again."})
	}
	user, err := s.users.ChangePassword(c.Request.Context(), me.ID, c.PostForm("current"), c.PostForm("password"), s.config.Access.SessionID(c))
	var problem account.PasswordProblem
	switch {
	case errors.Is(err, account.ErrPassword):
		return wrong(accountView{CurrentWrong: "This is not the password that you have now."})
	case errors.As(err, &problem):
		return wrong(accountView{PasswordWrong: problem.ForPeople()})
	case err != nil:
		return err
	}
	if err := s.config.Access.Keep(c, user); err != nil {
		return err
	}
	return s.done(c, "/account", ui.Flash{Text: "Your password is changed. You are signed out everywhere but here."})
}

func (s *Console) endMyOtherSessions(c *gin.Context) error {
	user, err := s.users.Get(c.Request.Context(), s.config.Access.Person(c).ID)
	if err != nil {
		return err
	}
	if err := s.sessions.EndOthers(c.Request.Context(), user, s.config.Access.SessionID(c)); err != nil {
		return err
	}
	return s.done(c, "/account", ui.Flash{Text: "You are signed out everywhere but here."})
}
