package hooks

import (
	"errors"
	"math"
	"net/http"
	"net/mail"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// leaving is what the page behind a link shows.
type leaving struct {
	// Refusal says why there is nothing to leave, in place of all else; empty otherwise.
	Refusal string
	// Address is masked: the link may have been forwarded with its email.
	Address string
	// Sender is whom the emails come from; empty when it is not known.
	Sender string
	// Subject is that of the email with the link. Single: it came of a notification that can be left by itself.
	Subject string
	Single  bool
	// All and Own say that the recipient has unsubscribed from everything, and from this notification.
	All, Own bool
	// Held says that the address gets nothing for another reason, which the recipient cannot take back here.
	Held bool
}

// Left says whether further emails like this one are kept from the address because its owner wanted it so.
func (l leaving) Left() bool { return l.All || l.Own }

// refusal is an error that the recipient may see.
type refusal struct {
	status         int
	title, message string
}

// Error gives the title.
func (r *refusal) Error() string { return r.title }

var (
	errNoLink = &refusal{http.StatusNotFound, "There is nothing here",
		"This link is not one of ours, or not whole. Open it from the email again; if a program broke it into two lines, copy both."}
	errLinkGone = &refusal{http.StatusGone, "This link is too old",
		"The email that it belongs to is not kept any more, so we cannot tell whom it was sent to. Use the link of a newer one, or answer to the sender."}
	errForm    = &refusal{http.StatusBadRequest, "This cannot be done", "The form is not one of this page. Open the link of the email again."}
	errTooMuch = &refusal{http.StatusRequestEntityTooLarge, "This is too large", "No form here is as large as this."}
	errOften   = &refusal{http.StatusTooManyRequests, "Not so often", "Nothing was changed: this link has changed its mind often within an hour. Come back in an hour; to unsubscribe is possible at any time."}
	errAway    = &refusal{http.StatusServiceUnavailable, "Try again in a moment", "Nothing was changed: our database cannot be reached now."}
	errOurs    = &refusal{http.StatusInternalServerError, "Something went wrong here", "Nothing was changed. It is our mistake, not yours, and the log says what."}
)

// maxLeavingForm is the largest form in bytes: one field.
const maxLeavingForm = 64 << 10

func boundedForm(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxLeavingForm)
}

// unlisted keeps search engines from what only recipients are to find.
func unlisted(c *gin.Context) { c.Header("X-Robots-Tag", "noindex, nofollow, noarchive") }

// page turns a handler's error into a page.
func (e *Email) page(h func(c *gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		err := h(c)
		if err == nil {
			return
		}
		var r *refusal
		if !errors.As(err, &r) {
			e.logFailure(c, err)
			if r = errOurs; away(err) {
				r = errAway
			}
		}
		c.Abort()
		err = e.show(c, r.status, r.title, leaving{Refusal: r.message})
		if err != nil {
			e.logFailure(c, err)
			c.String(http.StatusInternalServerError, "Something went wrong here; the log says what.\n")
		}
	}
}

// delivery gives the delivery that the link names. For a forged link the database is not even asked.
func (e *Email) delivery(c *gin.Context) (*store.Delivery, error) {
	tokens, err := e.tokens(c.Request.Context())
	if err != nil {
		return nil, err
	}
	id, ok := tokens.Open(c.Param("token"))
	if !ok {
		return nil, errNoLink
	}
	d, err := store.Deliveries{DB: e.config.DB}.Get(c.Request.Context(), id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, errLinkGone
	case err != nil:
		return nil, err
	case d.Channel != rule.Email:
		return nil, errNoLink
	}
	return d, nil
}

// showLeaving asks what is to be left. It changes nothing: programs that look for harmful links follow this one too.
func (e *Email) showLeaving(c *gin.Context) error {
	d, err := e.delivery(c)
	if err != nil {
		return err
	}
	all, own, err := store.Suppressions{DB: e.config.DB}.Standing(c.Request.Context(), d)
	if err != nil {
		return err
	}
	data := leaving{
		Address: store.Masked(d.Address), Sender: sender(e.config.Sender), Subject: d.Subject, Single: d.NotificationID != "",
		All: unsubscribed(all), Own: unsubscribed(own),
		Held: all != nil && !unsubscribed(all) || own != nil && !unsubscribed(own),
	}
	title := "Unsubscribe"
	if data.Left() {
		title = "You are unsubscribed"
	}
	return e.show(c, http.StatusOK, title, data)
}

func (e *Email) show(c *gin.Context, status int, title string, data leaving) error {
	return e.ui.Render(c, status, "unsubscribe", &ui.Page{Title: title, Plain: true, Bare: true, Styles: []string{"access.css"}, Data: data})
}

// leave does what a form of the page says, or what a mail program says for its user with one click (RFC 8058): that one
// gets a plain answer and no redirect, as the RFC demands. Neither needs a cookie: the link is the proof.
func (e *Email) leave(c *gin.Context) error {
	d, err := e.delivery(c)
	if err != nil {
		return err
	}
	if err := readForm(c.Request); err != nil {
		return err
	}
	ctx, suppressions := c.Request.Context(), store.Suppressions{DB: e.config.DB}
	form := c.Request.PostForm
	if form.Get("List-Unsubscribe") == "One-Click" {
		if err := suppressions.Unsubscribe(ctx, d, false, "one click"); err != nil {
			return err
		}
		c.Header("Cache-Control", "no-store")
		c.String(http.StatusOK, "You are unsubscribed.\n")
		return nil
	}
	switch form.Get("leave") {
	case "notification":
		err = suppressions.Unsubscribe(ctx, d, false, "link")
	case "all":
		err = suppressions.Unsubscribe(ctx, d, true, "link")
	case "nothing":
		wait, allowed := e.takeBacks.another(d.ID, e.config.Now())
		if !allowed {
			c.Header("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			return errOften
		}
		err = suppressions.Resubscribe(ctx, d)
	default:
		return errForm
	}
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.Redirect(http.StatusSeeOther, c.Request.URL.Path)
	return nil
}

// readForm reads either kind of form. ParseMultipartForm alone would keep to itself what is wrong with the simple kind.
func readForm(r *http.Request) error {
	err := r.ParseForm()
	if err == nil {
		if err = r.ParseMultipartForm(maxLeavingForm); errors.Is(err, http.ErrNotMultipart) {
			return nil
		}
	}
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &large):
		return errTooMuch
	default:
		return errForm
	}
}

func unsubscribed(s *store.Suppression) bool {
	return s != nil && s.Reason == store.SuppressedUnsubscribe
}

// sender gives the name of a From, or its address when it has none.
func sender(from string) string {
	parsed, err := mail.ParseAddress(from)
	switch {
	case err != nil:
		return ""
	case parsed.Name != "":
		return parsed.Name
	default:
		return parsed.Address
	}
}
