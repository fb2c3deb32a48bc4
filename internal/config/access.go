package config

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Access says where people reach the web app, and how they sign in.
type Access struct {
	PublicURL        string   `env:"NOTIFY_PUBLIC_URL" desc:"Where people reach the web app, such as https://notify.example.com: for links and for sign-in by OpenID Connect; with https, cookies are sent over https only"`
	TrustedProxies   []string `env:"NOTIFY_TRUSTED_PROXIES" desc:"Proxies in front of the web app whose X-Forwarded-For is believed: addresses or networks (10.0.0.0/8), separated by commas; empty: nobody's"`
	OIDCIssuer       string   `env:"NOTIFY_OIDC_ISSUER" desc:"OpenID Connect provider to sign in with, such as https://accounts.google.com; empty: passwords only. Its redirect address is NOTIFY_PUBLIC_URL with /oidc/callback"`
	OIDCClientID     string   `env:"NOTIFY_OIDC_CLIENT_ID" desc:"What the provider calls this web app"`
	OIDCClientSecret string   `env:"NOTIFY_OIDC_CLIENT_SECRET" secret:"true" desc:"The secret that goes with it; empty: none, for a public client"`
	OIDCName         string   `env:"NOTIFY_OIDC_NAME" envDefault:"OpenID Connect" desc:"What the sign-in page calls the provider"`
	OIDCDefaultRole  string   `env:"NOTIFY_OIDC_DEFAULT_ROLE" desc:"Role (viewer, editor or admin) of people whom the provider names and who are no users yet; empty: only users sign in"`
}

func (a Access) check() []error {
	var problems []error
	wrong := func(problem string) { problems = append(problems, errors.New(problem)) }
	if u, ok := webAddress(a.PublicURL); a.PublicURL != "" && (!ok || strings.Trim(u.Path, "/") != "") {
		wrong("NOTIFY_PUBLIC_URL must look like https://notify.example.com, without a path")
	}
	for _, proxy := range a.TrustedProxies {
		_, notNetwork := netip.ParsePrefix(proxy)
		_, notAddress := netip.ParseAddr(proxy)
		if notNetwork != nil && notAddress != nil {
			wrong("NOTIFY_TRUSTED_PROXIES must be addresses such as 10.0.0.7 or networks such as 10.0.0.0/8, separated by commas")
			break
		}
	}
	if !slices.Contains([]string{"", "viewer", "editor", "admin"}, a.OIDCDefaultRole) {
		wrong("NOTIFY_OIDC_DEFAULT_ROLE must be one of viewer, editor, admin")
	}
	if a.OIDCIssuer == "" {
		return problems
	}
	if _, ok := webAddress(a.OIDCIssuer); !ok {
		wrong("NOTIFY_OIDC_ISSUER must look like https://accounts.google.com")
	}
	if a.OIDCClientID == "" {
		wrong("NOTIFY_OIDC_CLIENT_ID is needed with NOTIFY_OIDC_ISSUER")
	}
	if a.PublicURL == "" {
		wrong("NOTIFY_PUBLIC_URL is needed with NOTIFY_OIDC_ISSUER: the provider sends people back there")
	}
	return problems
}

// webAddress reads an absolute http or https address without a query.
func webAddress(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, false
	}
	return u, (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}
