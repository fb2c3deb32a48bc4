package console

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/web/ui"
)

func (s *Console) tokenRoutes() []Route {
	return []Route{
		{http.MethodGet, "/tokens", account.Admin, (*Console).listTokens},
		{http.MethodPost, "/tokens", account.Admin, (*Console).createToken},
		{http.MethodGet, "/tokens/:id/revoke", account.Admin, (*Console).confirmRevoke},
		{http.MethodPost, "/tokens/:id/revoke", account.Admin, (*Console).revokeToken},
	}
}

// tokensView is the list with the form that makes one.
type tokensView struct {
	Tokens []shownToken
	Next   string
	// Name, Chosen, Days and Wrong are what was sent, and what is wrong with it.
	Name   string
	Chosen map[string]bool
	Days   int
	Wrong  string
}

// shownToken is a token with what it is worth now.
type shownToken struct {
	account.Token
	State string
}

// Open says whether it opens anything.
func (t shownToken) Open() bool { return t.State == "active" }

func tokenNow(t account.Token) shownToken {
	switch {
	case t.RevokedAt != nil:
		return shownToken{t, "revoked"}
	case t.Expired(time.Now()):
		return shownToken{t, "expired"}
	default:
		return shownToken{t, "active"}
	}
}

// defaultDays is how long a token lives unless somebody decides otherwise.
const defaultDays = 90

// mostDays is the longest that a token with an end can live.
const mostDays = 3660

func (s *Console) listTokens(c *gin.Context) error {
	return s.tokensPage(c, http.StatusOK, tokensView{Chosen: map[string]bool{}, Days: defaultDays})
}

func (s *Console) tokensPage(c *gin.Context, status int, v tokensView) error {
	tokens, next, err := s.tokens.List(c.Request.Context(), c.Query("cursor"))
	if err != nil {
		return err
	}
	v.Next = next
	for _, t := range tokens {
		v.Tokens = append(v.Tokens, tokenNow(t))
	}
	return s.show(c, status, "tokens", &ui.Page{Title: "API tokens", Area: "/tokens", Styles: []string{"access.css"}, Data: v})
}

// createToken answers with the token itself, which is shown once.
func (s *Console) createToken(c *gin.Context) error {
	v := tokensView{Name: c.PostForm("name"), Chosen: map[string]bool{}}
	var scopes []account.Scope
	for _, scope := range c.PostFormArray("scope") {
		v.Chosen[scope] = true
		scopes = append(scopes, account.Scope(scope))
	}
	// Only 0 means never: what cannot be read must not become a token without an end.
	days, err := strconv.Atoi(c.PostForm("days"))
	if err != nil || days < 0 || days > mostDays {
		v.Days, v.Wrong = defaultDays, "Choose when the token ends."
		return s.tokensPage(c, http.StatusUnprocessableEntity, v)
	}
	v.Days = days
	var expires *time.Time
	if days > 0 {
		end := time.Now().AddDate(0, 0, days)
		expires = &end
	}
	token, secret, err := s.tokens.Create(c.Request.Context(), v.Name, scopes, expires, s.config.Access.Person(c).Email)
	switch {
	case errors.Is(err, account.ErrTokenName):
		v.Wrong = "Give the token a name of 1 to 60 characters that no other active token has."
	case errors.Is(err, account.ErrTokenScopes):
		v.Wrong = "Choose what the token may do."
	case err != nil:
		return err
	default:
		return s.show(c, http.StatusOK, "token_made", &ui.Page{Title: "The token “" + token.Name + "”", Area: "/tokens", Styles: []string{"access.css"},
			Data: map[string]any{"Token": token, "Secret": secret, "API": s.config.Access.URL(c, "/api/v1")}})
	}
	return s.tokensPage(c, http.StatusUnprocessableEntity, v)
}

func (s *Console) confirmRevoke(c *gin.Context) error {
	token, err := s.tokens.Get(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return s.show(c, http.StatusOK, "token_revoke", &ui.Page{Title: "Revoke " + token.Name + "?", Area: "/tokens", Data: tokenNow(*token)})
}

func (s *Console) revokeToken(c *gin.Context) error {
	token, err := s.tokens.Revoke(c.Request.Context(), c.Param("id"), s.config.Access.Person(c).Email)
	if err != nil {
		return err
	}
	return s.done(c, "/tokens", ui.Flash{Text: "The token “" + token.Name + "” is revoked: calls that carry it are refused from now on."})
}
