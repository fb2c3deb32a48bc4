package console

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/web/ui"
)

func (s *Console) userRoutes() []Route {
	return []Route{
		{http.MethodGet, "/users", account.Admin, (*Console).listUsers},
		{http.MethodPost, "/users", account.Admin, (*Console).inviteUser},
		{http.MethodGet, "/users/:id", account.Admin, (*Console).showUser},
		{http.MethodPost, "/users/:id/role", account.Admin, (*Console).changeRole},
		{http.MethodPost, "/users/:id/activate", account.Admin, (*Console).activateUser},
		{http.MethodPost, "/users/:id/deactivate", account.Admin, (*Console).deactivateUser},
		{http.MethodPost, "/users/:id/link", account.Admin, (*Console).inviteAgain},
	}
}

// usersView is the list with the form that invites somebody.
type usersView struct {
	Users []account.User
	Next  string
	Roles []account.Role
	// Email, Name, Role and Wrong are what was sent, and what is wrong with it.
	Email, Name string
	Role        account.Role
	Wrong       string
}

func (s *Console) listUsers(c *gin.Context) error {
	return s.usersPage(c, http.StatusOK, usersView{Role: account.Viewer})
}

func (s *Console) usersPage(c *gin.Context, status int, v usersView) error {
	var err error
	if v.Users, v.Next, err = s.users.List(c.Request.Context(), c.Query("cursor")); err != nil {
		return err
	}
	v.Roles = account.Roles
	return s.show(c, status, "users", &ui.Page{Title: "Users", Area: "/users", Styles: []string{"access.css"}, Data: v})
}

// inviteUser answers with the link itself: it is shown once, and nobody else may read it later.
func (s *Console) inviteUser(c *gin.Context) error {
	v := usersView{Email: c.PostForm("email"), Name: c.PostForm("name"), Role: account.Role(c.PostForm("role"))}
	user, secret, err := s.users.Invite(c.Request.Context(), v.Email, v.Name, v.Role, s.config.Access.Person(c).Email)
	switch {
	case errors.Is(err, account.ErrEmailTaken):
		v.Wrong = "There is a user with this address already. Their own page makes a new link."
	case errors.Is(err, account.ErrName), errors.Is(err, account.ErrRole):
		v.Wrong = "Give a name of one line, at most 100 characters, and a role."
	case err != nil && user == nil && c.Request.Context().Err() == nil && isAddressProblem(v.Email):
		v.Wrong = "This is not an email address, such as ann@example.com."
	case err != nil:
		return err
	default:
		return s.showLink(c, user, secret)
	}
	return s.usersPage(c, http.StatusUnprocessableEntity, v)
}

func isAddressProblem(email string) bool {
	_, err := account.NormalEmail(email)
	return err != nil
}

func (s *Console) showLink(c *gin.Context, user *account.User, secret string) error {
	link := s.config.Access.URL(c, "/welcome/"+secret)
	return s.show(c, http.StatusOK, "user_link", &ui.Page{Title: "A link for " + user.Email, Area: "/users", Styles: []string{"access.css"},
		Data: map[string]any{"User": user, "Link": link}})
}

// userView is one person, with what each change would do.
type userView struct {
	User     *account.User
	Roles    []account.Role
	Sessions int
	Tokens   int64
	// Me says that the admin looks at themselves.
	Me bool
}

func (s *Console) showUser(c *gin.Context) error {
	ctx := c.Request.Context()
	user, err := s.users.Get(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	sessions, err := s.sessions.Of(ctx, user.ID)
	if err != nil {
		return err
	}
	v := userView{User: user, Roles: account.Roles, Sessions: len(sessions), Me: user.ID == s.config.Access.Person(c).ID}
	if v.Tokens, err = s.tokens.MadeBy(ctx, user.Email); err != nil {
		return err
	}
	return s.show(c, http.StatusOK, "user", &ui.Page{Title: user.Email, Area: "/users", Styles: []string{"access.css"}, Data: v})
}

// changed goes back to a user's page and says what was done, or why not.
func (s *Console) changed(c *gin.Context, err error, text string) error {
	path := "/users/" + c.Param("id")
	switch {
	case errors.Is(err, account.ErrLastAdmin):
		return s.done(c, path, ui.Flash{Problem: true, Text: "Nothing was changed: this is the last active admin who can sign in. Make somebody else an admin first."})
	case errors.Is(err, account.ErrRole):
		return wrongInput("A role is one of viewer, editor and admin.")
	case err != nil:
		return err
	}
	return s.done(c, path, ui.Flash{Text: text})
}

func (s *Console) changeRole(c *gin.Context) error {
	role := account.Role(c.PostForm("role"))
	user, err := s.users.SetRole(c.Request.Context(), c.Param("id"), role, s.config.Access.Person(c).Email)
	if err == nil && user.ID == s.config.Access.Person(c).ID && role != account.Admin {
		return s.done(c, "/", ui.Flash{Text: fmt.Sprintf("Your own role is %s now.", role)})
	}
	return s.changed(c, err, fmt.Sprintf("The role is %s now.", role))
}

func (s *Console) activateUser(c *gin.Context) error {
	_, err := s.users.SetActive(c.Request.Context(), c.Param("id"), true, s.config.Access.Person(c).Email)
	return s.changed(c, err, "The user is active, and can sign in.")
}

func (s *Console) deactivateUser(c *gin.Context) error {
	_, err := s.users.SetActive(c.Request.Context(), c.Param("id"), false, s.config.Access.Person(c).Email)
	return s.changed(c, err, "The user is deactivated, and signed out everywhere.")
}

func (s *Console) inviteAgain(c *gin.Context) error {
	user, secret, err := s.users.InviteAgain(c.Request.Context(), c.Param("id"), s.config.Access.Person(c).Email)
	if err != nil {
		return err
	}
	return s.showLink(c, user, secret)
}
