package access

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/web/ui"
)

// welcomeForm is what the page behind an invitation shows.
type welcomeForm struct {
	Email, Name string
	// Reset says that the person has a password already, which this one replaces.
	Reset               bool
	NameWrong, Password string
}

// WelcomePath is the page behind an invitation.
func WelcomePath(secret string) string { return "/welcome/" + secret }

func (a *Access) showWelcome(c *gin.Context) error {
	user, err := a.users.Invited(c.Request.Context(), c.Param("token"))
	if err != nil {
		return err
	}
	return a.welcomePage(c, http.StatusOK, user, welcomeForm{Name: user.Name})
}

func (a *Access) welcomePage(c *gin.Context, status int, user *account.User, form welcomeForm) error {
	form.Email, form.Reset = user.Email, user.PasswordHash != ""
	return a.show(c, status, "access_welcome", &ui.Page{Title: "Set your password", Styles: []string{"access.css"}, Data: form})
}

// welcome sets the password of whoever holds the link, and signs them in.
func (a *Access) welcome(c *gin.Context) error {
	ctx := c.Request.Context()
	user, err := a.users.Invited(ctx, c.Param("token"))
	if err != nil {
		return err
	}
	form := welcomeForm{Name: c.PostForm("name")}
	password := c.PostForm("password")
	if password != c.PostForm("again") {
		form.Password = "The two passwords are not the same. Type them again."
		return a.welcomePage(c, http.StatusUnprocessableEntity, user, form)
	}
	after, err := a.users.Welcome(ctx, c.Param("token"), form.Name, password)
	var problem account.PasswordProblem
	switch {
	case errors.As(err, &problem):
		form.Password = problem.ForPeople()
		return a.welcomePage(c, http.StatusUnprocessableEntity, user, form)
	case errors.Is(err, account.ErrName):
		form.NameWrong = "A name has one line of at most 100 characters."
		return a.welcomePage(c, http.StatusUnprocessableEntity, user, form)
	case err != nil:
		return err
	}
	if err := a.begin(c, after); err != nil {
		return err
	}
	a.PutFlash(c, ui.Flash{Text: "Your password is set, and you are signed in."})
	return a.welcomeBack(c, "/")
}
