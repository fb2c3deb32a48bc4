package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gin-gonic/gin"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/silquetech/silque-notifications/internal/account"
)

// OIDC is a provider of identities. Without an issuer there is none.
type OIDC struct {
	Issuer, ClientID, ClientSecret string
	// Name is what the sign-in page calls it.
	Name string
	// DefaultRole is the role of people who are no users yet; empty keeps them out.
	DefaultRole account.Role
}

// callbackPath is where the provider sends people back.
const callbackPath = "/oidc/callback"

// flowCookie keeps what belongs to one sign-in while the person is at the provider.
const (
	flowCookie = "silque_oidc"
	flowLife   = 10 * time.Minute
)

// provider asks for the provider's description when it is first needed, and again after a failure: it may be away while
// we start.
type provider struct {
	settings    OIDC
	redirectURL string
	client      *http.Client

	// asking makes those who come while the provider is asked share one question: away, it would keep each waiting after
	// the other.
	asking singleflight.Group
	known  atomic.Pointer[description]
}

// description is what the provider says of itself.
type description struct {
	verifier *oidc.IDTokenVerifier
	oauth    *oauth2.Config
	found    *oidc.Provider
}

func newProvider(settings OIDC, publicURL string) *provider {
	return &provider{settings: settings, redirectURL: publicURL + callbackPath, client: newProviderClient()}
}

// ready gives the provider's description, once it could be had.
func (p *provider) ready(ctx context.Context) (*description, error) {
	if known := p.known.Load(); known != nil {
		return known, nil
	}
	answer, err, _ := p.asking.Do("", func() (any, error) {
		found, err := oidc.NewProvider(p.with(context.WithoutCancel(ctx)), p.settings.Issuer)
		if err != nil {
			return nil, fmt.Errorf("access: the provider's description: %w", err)
		}
		known := &description{found: found, verifier: found.Verifier(&oidc.Config{ClientID: p.settings.ClientID}), oauth: &oauth2.Config{
			ClientID: p.settings.ClientID, ClientSecret: p.settings.ClientSecret, RedirectURL: p.redirectURL, Endpoint: found.Endpoint(),
			Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
		}}
		p.known.Store(known)
		return known, nil
	})
	if err != nil {
		return nil, err
	}
	return answer.(*description), nil //nolint:forcetypeassert // it is what the function above gives
}

// with makes the libraries use our client.
func (p *provider) with(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.client)
}

// flow is one sign-in by the provider. It is in a cookie of the browser that began it: an answer that is planted in
// another browser finds none there.
type flow struct{ State, Nonce, Verifier, Next string }

func (a *Access) setFlow(c *gin.Context, f flow) error {
	content, err := json.Marshal(f)
	if err != nil {
		return err
	}
	a.flowCookie(c, base64.RawURLEncoding.EncodeToString(content), int(flowLife.Seconds()))
	return nil
}

func (a *Access) flowCookie(c *gin.Context, value string, maxAge int) {
	http.SetCookie(c.Writer, a.cookie(flowCookie, value, "/oidc", maxAge))
}

// takeFlow reads the sign-in that is under way, which can be finished only once.
func (a *Access) takeFlow(c *gin.Context) (f flow, ok bool) {
	cookie, err := c.Request.Cookie(flowCookie)
	if err != nil {
		return flow{}, false
	}
	a.flowCookie(c, "", -1)
	content, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || json.Unmarshal(content, &f) != nil {
		return flow{}, false
	}
	given := c.Query("state")
	return f, f.State != "" && f.Verifier != "" && subtle.ConstantTimeCompare([]byte(given), []byte(f.State)) == 1
}

// startOIDC sends somebody to the provider.
func (a *Access) startOIDC(c *gin.Context) error {
	known, err := a.provider.ready(c.Request.Context())
	if err != nil {
		a.log(c, err)
		return a.signInPage(c, http.StatusBadGateway, signInForm{Next: local(c.Query("next")),
			Problem: a.options.OIDC.Name + " cannot be reached now. Try again in a moment, or sign in with your password."})
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: local(c.Query("next"))}
	if err := a.setFlow(c, f); err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.Redirect(http.StatusSeeOther, known.oauth.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)))
	return nil
}

// finishOIDC signs in whom the provider names.
func (a *Access) finishOIDC(c *gin.Context) error {
	f, ok := a.takeFlow(c)
	refused := func(problem string) error {
		return a.signInPage(c, http.StatusForbidden, signInForm{Next: local(f.Next), Problem: problem})
	}
	if !ok {
		return refused("This sign-in was not begun in this browser, or it took too long. Begin again.")
	}
	if c.Query("error") != "" {
		return refused(a.options.OIDC.Name + " did not sign you in. Begin again, or ask an admin.")
	}
	who, err := a.provider.identify(c.Request.Context(), c.Query("code"), f)
	if err != nil {
		a.options.Log.Warn("A sign-in by OpenID Connect failed", "error", withoutBody(err))
		return refused(a.options.OIDC.Name + " gave an answer that does not hold. Begin again; if it stays so, the log says why.")
	}
	if who.Email == "" || !who.EmailVerified {
		return refused(a.options.OIDC.Name + " has not verified your email address. Verify it there, and begin again.")
	}
	user, err := a.users.FromProvider(c.Request.Context(), a.options.OIDC.Issuer, who.Subject, who.Email, who.Name, a.options.OIDC.DefaultRole)
	switch {
	case isNotFound(err):
		return refused("Nobody here has your email address. Ask an admin to invite you.")
	case errors.Is(err, account.ErrIdentityTaken):
		return refused("Your email address belongs to another person here. Ask an admin.")
	case err != nil:
		return err
	case !user.Active:
		return refused("Your account is deactivated. Ask an admin.")
	}
	if err := a.begin(c, user); err != nil {
		return err
	}
	return a.welcomeBack(c, f.Next)
}

// claims are what we ask of an identity.
type claims struct {
	Subject       string `json:"sub"`
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
	Name          string `json:"name"`
}

// identify exchanges the code for the identity, and checks that it was made for us, by the provider, for this sign-in.
func (p *provider) identify(ctx context.Context, code string, f flow) (claims, error) {
	ctx, cancel := context.WithTimeout(p.with(ctx), providerTimeout)
	defer cancel()
	known, err := p.ready(ctx)
	if err != nil {
		return claims{}, err
	}
	token, err := known.oauth.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return claims{}, fmt.Errorf("access: exchange the code: %w", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return claims{}, errors.New("access: the provider gave no ID token")
	}
	identity, err := known.verifier.Verify(ctx, raw)
	if err != nil {
		return claims{}, fmt.Errorf("access: the ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(identity.Nonce), []byte(f.Nonce)) != 1 {
		return claims{}, errors.New("access: the ID token is of another sign-in")
	}
	var who claims
	if err := identity.Claims(&who); err != nil {
		return claims{}, fmt.Errorf("access: the ID token's claims: %w", err)
	}
	if who.Subject == "" {
		return claims{}, errors.New("access: the ID token names nobody") // all such people would be one
	}
	if who.Email == "" {
		return asked(ctx, known.found, token, who)
	}
	return who, nil
}

// asked gets the address where the ID token does not carry it.
func asked(ctx context.Context, found *oidc.Provider, token *oauth2.Token, who claims) (claims, error) {
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return claims{}, fmt.Errorf("access: the user info: %w", err)
	}
	if info.Subject != who.Subject {
		return claims{}, errors.New("access: the user info is about somebody else")
	}
	who.Email, who.EmailVerified = info.Email, info.EmailVerified
	return who, nil
}

// withoutBody gives the text of an error without what the provider answered: it can hold personal data.
func withoutBody(err error) string {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) {
		return fmt.Sprintf("the provider refuses the code: status %d, %q", answer.Response.StatusCode, answer.ErrorCode)
	}
	return err.Error()
}
