package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/config"
)

func TestAccessSettingsAreRead(t *testing.T) {
	t.Parallel()
	c, err := config.Load([]string{"NOTIFY_PUBLIC_URL=https://notify.example.com/", "NOTIFY_TRUSTED_PROXIES=10.0.0.0/8, ::1,",
		"NOTIFY_OIDC_ISSUER=https://id.example.com/realm", "NOTIFY_OIDC_CLIENT_ID=console", "NOTIFY_OIDC_DEFAULT_ROLE=viewer"})
	if err != nil {
		t.Fatal(err)
	}
	if a := c.Access; a.PublicURL != "https://notify.example.com" || !slices.Equal(a.TrustedProxies, []string{"10.0.0.0/8", "::1"}) || a.OIDCName != "OpenID Connect" {
		t.Errorf("read %+v", a)
	}
}

func TestWrongAccessSettingsAreNamed(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"NOTIFY_PUBLIC_URL=notify.example.com":         "NOTIFY_PUBLIC_URL must look like",
		"NOTIFY_PUBLIC_URL=https://example.com/notify": "NOTIFY_PUBLIC_URL must look like",
		"NOTIFY_PUBLIC_URL=javascript:alert(1)":        "NOTIFY_PUBLIC_URL must look like",
		"NOTIFY_TRUSTED_PROXIES=proxy.local":           "NOTIFY_TRUSTED_PROXIES must be",
		"NOTIFY_OIDC_DEFAULT_ROLE=root":                "NOTIFY_OIDC_DEFAULT_ROLE must be one of",
		"NOTIFY_OIDC_ISSUER=id.example.com":            "NOTIFY_OIDC_ISSUER must look like",
		"NOTIFY_OIDC_ISSUER=https://id.example.com":    "NOTIFY_OIDC_CLIENT_ID is needed",
		"NOTIFY_OIDC_ISSUER=https://id.example.com/a":  "NOTIFY_PUBLIC_URL is needed",
	} {
		if _, err := config.Load([]string{setting}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", setting, err, want)
		}
	}
}
