// Package webapp puts the web app together from the settings, apart from wiring so that a worker need not carry a web
// server.
package webapp

import (
	"log/slog"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/wiring"
	"github.com/silquetech/silque-notifications/web/access"
	"github.com/silquetech/silque-notifications/web/app"
	"github.com/silquetech/silque-notifications/web/hooks"
)

// Config gives the web app what the settings say.
func Config(c *config.Config, db *gorm.DB, t *wiring.Temporal, log *slog.Logger) app.Config {
	return app.Config{
		DB: db, Temporal: t, TaskQueue: c.Notify.TaskQueue, BatchMax: c.Notify.BatchMax, APIToken: c.Notify.APIToken,
		Addresses: address.Normalizer{DefaultRegion: c.Notify.DefaultRegion}, Rules: wiring.Rules(c),
		RetryAttempts: c.Notify.RetryAttempts, RetryInterval: c.Notify.RetryInterval,
		Schedules: t.ScheduleClient(), AlertInterval: c.Rules.AlertInterval, Retention: c.Notify.Retention, Log: log,
		TrustedProxies: c.Access.TrustedProxies, WorkflowLink: wiring.WorkflowLink(c.Notify.UIURL, t.Namespace), TemporalUI: c.Notify.UIURL,
		HookSecret: c.Notify.HookSecret, EmailSender: c.SMTP.From,
		Probes: wiring.Probes(c, db, t),
		Twilio: hooks.TwilioConfig{AuthToken: c.Twilio.WebhookAuthToken, AccountSID: c.Twilio.AccountSID, PublicURLs: c.CallbackURLs()},
	}
}

// Access makes the sign-in that the settings describe. The caller closes it.
func Access(c *config.Config, db *gorm.DB, log *slog.Logger, development bool) (*access.Access, error) {
	if len(c.Access.TrustedProxies) > 0 && c.Access.PublicURL == "" {
		log.Warn("There is a proxy, and where people come is not said: links of invitations are made of what each request says, and begin with http:// " +
			"behind a proxy that speaks TLS. Set NOTIFY_PUBLIC_URL")
	}
	return access.New(access.Options{
		DB: db, Now: db.NowFunc, PublicURL: c.Access.PublicURL, Development: development, Log: log,
		OIDC: access.OIDC{
			Issuer: c.Access.OIDCIssuer, ClientID: c.Access.OIDCClientID, ClientSecret: c.Access.OIDCClientSecret,
			Name: c.Access.OIDCName, DefaultRole: account.Role(c.Access.OIDCDefaultRole),
		},
	})
}
