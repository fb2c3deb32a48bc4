package hooks

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	twilioclient "github.com/twilio/twilio-go/client"
	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/receipt"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

// Where Twilio reports what becomes of messages, and passes on what people answer.
const (
	TwilioStatusPath   = twilio.StatusPath
	TwilioMessagesPath = "/hooks/twilio/messages"
)

const (
	// twilioForm bounds a callback's body in bytes: the longest is an answer of 1,600 characters, percent-encoded.
	twilioForm = 64 << 10
	// signatureHeader carries Twilio's signature of a call.
	signatureHeader = "X-Twilio-Signature"
	// twilioPatience bounds the work of one callback: Twilio waits 15 seconds.
	twilioPatience = 10 * time.Second
)

// TwilioConfig is what Twilio's callbacks are proved and applied with.
type TwilioConfig struct {
	DB *gorm.DB
	// AuthToken is the account's primary token, which Twilio signs with; empty: no callback is taken.
	AuthToken string
	// AccountSID is the account whose messages count.
	AccountSID string
	// PublicURLs are the addresses, without a path, under which Twilio may reach the web app: what it signs is the address
	// that it called, whatever a proxy makes of that.
	PublicURLs []string
	Addresses  rule.Addresses
	Log        *slog.Logger
}

// Twilio takes Twilio's callbacks: reports of what became of messages, and people's STOP and START. Each is proved by its
// signature alone.
type Twilio struct {
	config    TwilioConfig
	validator twilioclient.RequestValidator
}

// NewTwilio puts it together.
func NewTwilio(c TwilioConfig) *Twilio {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Twilio{config: c, validator: twilioclient.NewRequestValidator(c.AuthToken)}
}

// Register mounts the routes. None of them knows a session.
func (t *Twilio) Register(r gin.IRouter) {
	r.POST(TwilioStatusPath, t.proved(t.takeStatus))
	r.POST(TwilioMessagesPath, t.proved(t.takeMessage))
}

// proved lets through what Twilio has signed, with its form. Whatever is not is refused in the same words, before anything
// is looked up: a refusal tells nothing.
func (t *Twilio) proved(next func(c *gin.Context, form url.Values)) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Header("Cache-Control", "no-store")
		if t.config.AuthToken == "" || t.config.AccountSID == "" || len(t.config.PublicURLs) == 0 {
			t.config.Log.Warn("A callback of Twilio's was not taken: the web app needs TWILIO_ACCOUNT_SID, TWILIO_WEBHOOK_AUTH_TOKEN (the account's primary token) and NOTIFY_PUBLIC_URL",
				"path", c.FullPath())
			c.AbortWithStatus(http.StatusServiceUnavailable)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, twilioForm))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			c.AbortWithStatus(http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			c.AbortWithStatus(http.StatusBadRequest)
			return
		}
		form, err := url.ParseQuery(string(body))
		if err != nil || !t.signed(c.Request, body) || form.Get("AccountSid") != t.config.AccountSID {
			t.config.Log.Warn("A callback without Twilio's signature was refused: it is not from Twilio, or NOTIFY_PUBLIC_URL or the token differs from Twilio's",
				"path", c.FullPath())
			c.AbortWithStatus(http.StatusForbidden)
			return
		}
		if !whole(form) {
			t.config.Log.Warn("A callback that has Twilio's signature, and not Twilio's form, was refused: a parameter came twice, or it names no message. If Twilio's console tells of it too, Twilio has changed its form",
				"path", c.FullPath())
			c.AbortWithStatus(http.StatusBadRequest)
			return
		}
		next(c, form)
	}
}

// messageSID is the form of a message's name (twilio.com/docs/glossary/what-is-a-sid).
var messageSID = regexp.MustCompile(`^[SM]M[0-9a-fA-F]{32}$`)

// whole says whether a signed form names a message, and each parameter once. The signature is over names and values without
// anything between them, so whoever has caught a call can move the boundaries: MessageSid=SM… and MessageSidS=M… are signed
// alike. Of a name that comes twice, the first value alone is signed.
func whole(form url.Values) bool {
	for _, values := range form {
		if len(values) != 1 {
			return false
		}
	}
	return messageSID.MatchString(form.Get("MessageSid"))
}

func (t *Twilio) signed(r *http.Request, body []byte) bool {
	signature := r.Header.Get(signatureHeader)
	valid := false
	for _, base := range t.config.PublicURLs {
		valid = t.validator.ValidateBody(base+r.URL.RequestURI(), body, signature) || valid
	}
	return valid
}

// takeStatus applies a report. What is not about a message of ours is taken and dropped: Twilio would only repeat it.
func (t *Twilio) takeStatus(c *gin.Context, form url.Values) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), twilioPatience)
	defer cancel()
	outcome, err := receipt.Recorder{DB: t.config.DB}.Record(ctx, receipt.Report{
		DeliveryID: c.Query("delivery"), SID: form.Get("MessageSid"), To: form.Get("To"),
		Status: form.Get("MessageStatus"), Code: form.Get("ErrorCode"),
	})
	if err != nil {
		t.fail(c, err)
		return
	}
	t.config.Log.Debug("Twilio reported on a message", "outcome", outcome)
	c.Status(http.StatusNoContent)
}

// noAnswer tells Twilio to answer nothing: it answers STOP and START itself.
const noAnswer = `<?xml version="1.0" encoding="UTF-8"?><Response></Response>`

// takeMessage looks at what a person answered: STOP keeps messages of the channel from their number, START lifts that. Each
// message counts once: one that is repeated does not undo what was said after it.
// Everything else is nobody's here, and is neither kept nor logged.
func (t *Twilio) takeMessage(c *gin.Context, form url.Values) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), twilioPatience)
	defer cancel()
	if err := t.heed(ctx, form, c.GetHeader(signatureHeader)); err != nil {
		t.fail(c, err)
		return
	}
	c.Data(http.StatusOK, "text/xml; charset=utf-8", []byte(noAnswer))
}

func (t *Twilio) heed(ctx context.Context, form url.Values, signature string) error {
	from, whatsApp := strings.CutPrefix(form.Get("From"), "whatsapp:")
	channel := rule.SMS
	if whatsApp {
		channel = rule.WhatsApp
	}
	word := wordOf(form)
	number, err := t.config.Addresses.Normalize(channel, from)
	if word == "" || err != nil {
		return nil //nolint:nilerr // not about consent, or from a sender whom nothing is sent to, such as a short code
	}
	suppressions := store.Suppressions{DB: t.config.DB}
	return t.config.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// By its signature too: moved boundaries can make another parameter's SID the message's.
		for _, name := range []string{form.Get("MessageSid"), signature} {
			if fresh, err := suppressions.HearTx(tx, name); err != nil || !fresh {
				return err
			}
		}
		if word == wordStart {
			_, err := suppressions.LiftTx(tx, channel, number, receipt.Provider, store.SuppressedStop)
			return err
		}
		_, err := suppressions.AddTx(tx, &store.Suppression{
			Channel: channel, Address: number, Reason: store.SuppressedStop, Source: store.SuppressedByHook,
			Detail: "answered by message", CreatedBy: receipt.Provider,
		})
		return err
	})
}

// fail says that the call was not taken. Twilio comes again only where the address that it was given says so, and for no more
// than 15 seconds: docs/operations.md tells what is lost then.
func (t *Twilio) fail(c *gin.Context, err error) {
	logFailure(c, t.config.Log, err)
	c.Header("Retry-After", "60")
	c.AbortWithStatus(http.StatusServiceUnavailable)
}
