// Package config turns environment variables into one struct, and names every wrong setting at once.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Config is every setting of the web app, the worker and the starter. The tags are the single list of names, defaults
// and meanings: the README's table and the check of docker-compose.yml are made from it.
type Config struct {
	DatabaseURL string `env:"DATABASE_URL" envDefault:"sqlite://.data/notifications.db" secret:"true" desc:"The application's database: postgres://user:password@host/name, or sqlite://path/to/file"`
	SMTP        SMTP
	Twilio      Twilio
	Attachments Attachments
	Limits      Limits
	Notify      Notify
	Rules       Rules
	Access      Access
}

// SMTP says how email leaves. Without a host, email deliveries fail with channel_not_configured.
type SMTP struct {
	Host        string        `env:"SMTP_HOST" desc:"Mail server; empty: email is not configured"`
	Port        int           `env:"SMTP_PORT" envDefault:"587" desc:"Its port"`
	Username    string        `env:"SMTP_USERNAME" desc:"Name to sign in with; empty: no authentication"`
	Password    string        `env:"SMTP_PASSWORD" secret:"true" desc:"Its password"`
	Auth        string        `env:"SMTP_AUTH" envDefault:"auto" desc:"auto, plain, login, cram-md5, scram-sha-256 or none"`
	TLS         string        `env:"SMTP_TLS" envDefault:"mandatory" desc:"mandatory (STARTTLS), opportunistic, implicit (port 465) or none"`
	From        string        `env:"SMTP_FROM" desc:"Sender, such as Shop <shop@example.com>; needed with SMTP_HOST"`
	ReplyTo     string        `env:"SMTP_REPLY_TO" desc:"Where answers go; empty: to the sender"`
	ReturnPath  string        `env:"SMTP_RETURN_PATH" desc:"Where mail servers report what came back, such as bounces@example.com (the envelope's sender); empty: to the sender"`
	HELO        string        `env:"SMTP_HELO" desc:"Name to greet the server with; empty: the host's name"`
	Connections int           `env:"SMTP_CONNECTIONS" envDefault:"4" desc:"Connections at most, and so hand-overs at once, by each worker"`
	Timeout     time.Duration `env:"SMTP_TIMEOUT" envDefault:"20s" desc:"One hand-over may take this long, at most 25s"`
}

// Twilio says how SMS and WhatsApp messages leave. Without an account, their deliveries fail with channel_not_configured.
type Twilio struct {
	AccountSID                  string        `env:"TWILIO_ACCOUNT_SID" desc:"Account (AC…); empty: SMS and WhatsApp are not configured"`
	AuthToken                   string        `env:"TWILIO_AUTH_TOKEN" secret:"true" desc:"The account's token; or use an API key"`
	APIKey                      string        `env:"TWILIO_API_KEY" desc:"API key (SK…), instead of the token"`
	APISecret                   string        `env:"TWILIO_API_SECRET" secret:"true" desc:"The API key's secret"`
	WebhookAuthToken            string        `env:"TWILIO_WEBHOOK_AUTH_TOKEN" secret:"true" desc:"The account's primary token, which proves what Twilio reports: needed with an API key; empty: TWILIO_AUTH_TOKEN"`
	StatusCallback              string        `env:"TWILIO_STATUS_CALLBACK" desc:"Where Twilio reports what becomes of messages; empty: NOTIFY_PUBLIC_URL with /hooks/twilio/status, where Twilio can reach that; none: no reports"`
	BaseURL                     string        `env:"TWILIO_BASE_URL" desc:"Another server with Twilio's API, for development"`
	SMSFrom                     string        `env:"TWILIO_SMS_FROM" desc:"Sender's number for SMS, E.164"`
	SMSMessagingServiceSID      string        `env:"TWILIO_SMS_MESSAGING_SERVICE_SID" desc:"Messaging Service (MG…) for SMS, instead of a number"`
	WhatsAppFrom                string        `env:"TWILIO_WHATSAPP_FROM" desc:"Sender's number for WhatsApp, E.164"`
	WhatsAppMessagingServiceSID string        `env:"TWILIO_WHATSAPP_MESSAGING_SERVICE_SID" desc:"Messaging Service (MG…) for WhatsApp, instead of a number"`
	Concurrency                 int           `env:"TWILIO_CONCURRENCY" envDefault:"10" desc:"Hand-overs at once on each of SMS and WhatsApp, by each worker"`
	Timeout                     time.Duration `env:"TWILIO_TIMEOUT" envDefault:"20s" desc:"One hand-over may take this long, at most 25s"`
}

// Notify is everything else.
type Notify struct {
	Addr          string        `env:"NOTIFY_ADDR" envDefault:"127.0.0.1:8080" desc:"Where the web app listens"`
	HealthAddr    string        `env:"NOTIFY_HEALTH_ADDR" envDefault:"127.0.0.1:8081" desc:"Where the worker answers /healthz, /readyz and /metrics; empty: nowhere"`
	APIToken      string        `env:"NOTIFY_API_TOKEN" secret:"true" desc:"Bearer token that opens all of the REST API, 16 characters or more; empty: only tokens that admins make in the console open it"`
	HookSecret    string        `env:"NOTIFY_HOOK_SECRET" secret:"true" desc:"Bearer token with which bounces and complaints are posted to /hooks/email/bounces, 16 characters or more; empty: there is no such address"`
	RetryAttempts int           `env:"NOTIFY_RETRY_ATTEMPTS" envDefault:"3" desc:"Attempts to hand over a delivery, the first included"`
	RetryInterval time.Duration `env:"NOTIFY_RETRY_INTERVAL" envDefault:"60s" desc:"Wait between two attempts"`
	BatchMax      int           `env:"NOTIFY_BATCH_MAX" envDefault:"50" desc:"Events of one workflow at most when many wait, 1 to 50. 1: one workflow a change, always, at some 50 changes a second"`
	Retention     time.Duration `env:"NOTIFY_RETENTION" envDefault:"2160h" desc:"How long events, deliveries and attempts are kept after their end, 2160h being 90 days, and resolved rows of the error log; unresolved ones twice as long. 24h or more; 0: for ever"`
	DefaultRegion string        `env:"NOTIFY_DEFAULT_REGION" envDefault:"US" desc:"Country (ISO 3166) of phone numbers written without one"`
	TaskQueue     string        `env:"NOTIFY_TASK_QUEUE" envDefault:"silque-notifications" desc:"Temporal task queue of the workflows; each channel's queue is named after it"`
	UIURL         string        `env:"NOTIFY_TEMPORAL_UI_URL" envDefault:"http://127.0.0.1:8233" desc:"Temporal Web UI, for links"`
	StopTimeout   time.Duration `env:"NOTIFY_STOP_TIMEOUT" envDefault:"40s" desc:"How long a stop waits for sends under way, at least 30s for none to be cut off"`
	LogLevel      string        `env:"NOTIFY_LOG_LEVEL" envDefault:"info" desc:"debug, info, warn or error"`
	LogFormat     string        `env:"NOTIFY_LOG_FORMAT" envDefault:"text" desc:"text or json"`
}

// fileSuffix marks a variable that names a file with the value: secrets need not stand in the environment.
const fileSuffix = "_FILE"

// Load reads the environment, such as os.Environ(). The error joins one line for each wrong setting.
func Load(environ []string) (*Config, error) {
	variables, problems := withFiles(env.ToMap(environ))
	problems = append(problems, unknown(variables)...)
	config := new(Config)
	unreadable := config.parse(variables)
	problems = append(problems, unreadable...)
	problems = append(problems, others(config.check(), unreadable)...)
	if len(problems) > 0 {
		return nil, fmt.Errorf("settings: %w", errors.Join(problems...))
	}
	return config, nil
}

// withFiles fills in each setting that is given as NAME_FILE.
func withFiles(variables map[string]string) (map[string]string, []error) {
	var problems []error
	for _, s := range Settings() {
		path, given := variables[s.Name+fileSuffix]
		if !given || path == "" {
			continue
		}
		if variables[s.Name] != "" {
			problems = append(problems, fmt.Errorf("%s and %s%s are both set: keep one", s.Name, s.Name, fileSuffix))
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s%s: %w", s.Name, fileSuffix, err))
			continue
		}
		variables[s.Name] = strings.TrimRight(string(content), "\r\n")
	}
	return variables, problems
}

// unknown finds misspelt settings among those that carry our own prefix. NOTIFY_SOCKET is systemd's.
func unknown(variables map[string]string) []error {
	known := map[string]bool{"NOTIFY_SOCKET": true}
	for _, s := range Settings() {
		known[s.Name], known[s.Name+fileSuffix] = true, true
	}
	var problems []error
	for name := range variables {
		if strings.HasPrefix(name, "NOTIFY_") && !known[name] {
			problems = append(problems, fmt.Errorf("%s is no setting: see the table in README.md", name))
		}
	}
	return problems
}

// parse fills the struct, group by group: the parser names the field that it cannot read, and a field's name is unique
// in its group.
func (c *Config) parse(variables map[string]string) []error {
	options := env.Options{Environment: variables}
	var problems []error
	for _, group := range []any{&c.SMTP, &c.Twilio, &c.Attachments, &c.Limits, &c.Notify, &c.Rules, &c.Access} {
		if err := env.ParseWithOptions(group, options); err != nil {
			problems = append(problems, readable(reflect.TypeOf(group).Elem(), err)...)
		}
	}
	if len(problems) > 0 {
		c.DatabaseURL = cmp.Or(variables["DATABASE_URL"], Settings()[0].Default)
		return problems
	}
	if err := env.ParseWithOptions(c, options); err != nil {
		return []error{err}
	}
	if addr, given := variables["NOTIFY_HEALTH_ADDR"]; given && addr == "" {
		c.Notify.HealthAddr = "" // nowhere; the parser takes an empty value for one that is not given
	}
	c.Attachments.Dirs, c.Attachments.Hosts = trimmed(c.Attachments.Dirs), trimmed(c.Attachments.Hosts)
	c.Attachments.Networks = trimmed(c.Attachments.Networks)
	c.Access.TrustedProxies, c.Access.PublicURL = trimmed(c.Access.TrustedProxies), strings.TrimSuffix(c.Access.PublicURL, "/")
	c.fillCallbacks()
	return nil
}

// others leaves out the problems of settings that could not be read: they have been named.
func others(problems, unreadable []error) []error {
	return slices.DeleteFunc(problems, func(problem error) bool {
		return slices.ContainsFunc(unreadable, func(u error) bool {
			name, _, _ := strings.Cut(u.Error(), " ")
			return strings.HasPrefix(problem.Error(), name+" ")
		})
	})
}

// readable turns the parser's errors into lines that name the variable, never its value.
func readable(group reflect.Type, err error) []error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []error{err}
	}
	problems := make([]error, 0, len(all.Errors))
	for _, one := range all.Errors {
		var parse env.ParseError
		if errors.As(one, &parse) {
			problems = append(problems, fmt.Errorf("%s must be %s", nameOf(group, parse.Name), form(parse.Type)))
			continue
		}
		problems = append(problems, one)
	}
	return problems
}

// form describes what a setting of a type looks like.
func form(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "a duration such as 60s or 2160h"
	case reflect.TypeFor[float64]():
		return "a number such as 14 or 0.5"
	case reflect.TypeFor[Mapping]():
		return strings.TrimPrefix(errMapping.Error(), "not ")
	case reflect.TypeFor[Size]():
		return "a size such as 10MiB, or a whole number of bytes"
	default:
		return "a whole number"
	}
}

// check finds values that cannot work, and settings that need each other.
func (c *Config) check() []error {
	var problems []error
	wrong := func(format string, arguments ...any) { problems = append(problems, fmt.Errorf(format, arguments...)) }
	oneOf := func(name, value string, allowed ...string) {
		for _, a := range allowed {
			if value == a {
				return
			}
		}
		wrong("%s must be one of %s", name, strings.Join(allowed, ", "))
	}
	if !strings.HasPrefix(c.DatabaseURL, "postgres://") && !strings.HasPrefix(c.DatabaseURL, "postgresql://") &&
		!strings.HasPrefix(c.DatabaseURL, "sqlite://") {
		wrong("DATABASE_URL must start with postgres:// or sqlite://")
	}
	oneOf("SMTP_AUTH", c.SMTP.Auth, "auto", "plain", "login", "cram-md5", "scram-sha-256", "none")
	oneOf("SMTP_TLS", c.SMTP.TLS, "mandatory", "opportunistic", "implicit", "none")
	oneOf("NOTIFY_LOG_LEVEL", c.Notify.LogLevel, "debug", "info", "warn", "error")
	oneOf("NOTIFY_LOG_FORMAT", c.Notify.LogFormat, "text", "json")
	if c.SMTP.Host != "" && c.SMTP.From == "" {
		wrong("SMTP_FROM is needed with SMTP_HOST: who the email is from")
	}
	if c.SMTP.Port < 1 || c.SMTP.Port > 65535 {
		wrong("SMTP_PORT must be 1 to 65535")
	}
	if c.SMTP.Connections < 1 || c.SMTP.Connections > 100 {
		wrong("SMTP_CONNECTIONS must be 1 to 100")
	}
	if c.Twilio.Concurrency < 1 || c.Twilio.Concurrency > 1000 {
		wrong("TWILIO_CONCURRENCY must be 1 to 1000")
	}
	for name, timeout := range map[string]time.Duration{"SMTP_TIMEOUT": c.SMTP.Timeout, "TWILIO_TIMEOUT": c.Twilio.Timeout} {
		if timeout < time.Second || timeout > MaxProviderTimeout {
			wrong("%s must be 1s to %s: an attempt must have ended before the next begins", name, MaxProviderTimeout)
		}
	}
	problems = append(problems, c.Twilio.check()...)
	problems = append(problems, c.Attachments.check()...)
	problems = append(problems, c.Limits.check()...)
	problems = append(problems, c.Rules.check()...)
	problems = append(problems, c.Access.check()...)
	return append(problems, c.Notify.check()...)
}

// MaxProviderTimeout leaves the activity (30 s, see workflows) time to write down how the hand-over ended.
const MaxProviderTimeout = 25 * time.Second

// MaxBatch is how many event IDs fit the search attribute by which Temporal Web UI finds each of them: 2 KB.
const MaxBatch = 50

// leastRetention leaves whoever looks at what has just ended the time to do so, and workflows the time to close.
const leastRetention = 24 * time.Hour

func (t Twilio) check() []error {
	problems := t.checkCallback()
	if t.AccountSID == "" {
		return problems
	}
	if t.AuthToken == "" && (t.APIKey == "" || t.APISecret == "") {
		problems = append(problems, errors.New("TWILIO_ACCOUNT_SID needs TWILIO_AUTH_TOKEN, or TWILIO_API_KEY with TWILIO_API_SECRET"))
	}
	if t.SMSFrom == "" && t.SMSMessagingServiceSID == "" && t.WhatsAppFrom == "" && t.WhatsAppMessagingServiceSID == "" {
		problems = append(problems, errors.New("TWILIO_ACCOUNT_SID needs a sender: TWILIO_SMS_FROM, TWILIO_WHATSAPP_FROM or a Messaging Service"))
	}
	return problems
}

func (n Notify) check() []error {
	var problems []error
	wrong := func(problem string) { problems = append(problems, errors.New(problem)) }
	if _, _, err := net.SplitHostPort(n.Addr); err != nil {
		wrong("NOTIFY_ADDR must look like 127.0.0.1:8080 or :8080")
	}
	if _, _, err := net.SplitHostPort(n.HealthAddr); n.HealthAddr != "" && err != nil {
		wrong("NOTIFY_HEALTH_ADDR must look like 127.0.0.1:8081 or :8081")
	}
	if n.APIToken != "" && len(n.APIToken) < 16 {
		wrong("NOTIFY_API_TOKEN must have 16 characters or more")
	}
	if n.HookSecret != "" && len(n.HookSecret) < 16 {
		wrong("NOTIFY_HOOK_SECRET must have 16 characters or more")
	}
	if n.RetryAttempts < 1 || n.RetryAttempts > 100 {
		wrong("NOTIFY_RETRY_ATTEMPTS must be 1 to 100")
	}
	if n.RetryInterval < time.Millisecond || n.RetryInterval > 24*time.Hour {
		wrong("NOTIFY_RETRY_INTERVAL must be 1ms to 24h")
	}
	if n.BatchMax < 1 || n.BatchMax > MaxBatch {
		wrong("NOTIFY_BATCH_MAX must be 1 to 50")
	}
	if n.Retention != 0 && n.Retention < leastRetention {
		wrong("NOTIFY_RETENTION must be 0 (for ever), or 24h or more")
	}
	if len(n.DefaultRegion) != 2 || strings.ToUpper(n.DefaultRegion) != n.DefaultRegion {
		wrong("NOTIFY_DEFAULT_REGION must be two capital letters, such as US")
	}
	if n.TaskQueue == "" || len(n.TaskQueue) > 200 {
		wrong("NOTIFY_TASK_QUEUE must have 1 to 200 characters")
	}
	if n.StopTimeout < 0 || n.StopTimeout > time.Hour {
		wrong("NOTIFY_STOP_TIMEOUT must be 0s to 1h")
	}
	return problems
}
