package hooks

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"mime"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/bounce"
)

// tooEarlyPause is what a sender of reports is asked to wait, in seconds, when a delivery is still under way: an attempt
// takes up to 30.
const tooEarlyPause = 60

// takeReports takes what mail servers and providers report: a delivery or abuse report as it is (message/rfc822), or the
// generic form (application/json). Who may not is told so before the body is read.
func (e *Email) takeReports(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	given, secret := sha256.Sum256([]byte(bearer(c.Request))), sha256.Sum256([]byte(e.config.Secret))
	if subtle.ConstantTimeCompare(given[:], secret[:]) != 1 {
		c.Header("WWW-Authenticate", "Bearer")
		answer(c, http.StatusUnauthorized, "unauthorized", `send the header "Authorization: Bearer …" with the secret of NOTIFY_HOOK_SECRET`, nil)
		return
	}
	reports, ok := e.readReports(c)
	if !ok {
		return
	}
	results, err := bounce.NewRecorder(e.config.DB, "bounce hook").Record(c.Request.Context(), reports...)
	switch {
	case err != nil && away(err):
		e.logFailure(c, err)
		c.Header("Retry-After", strconv.Itoa(tooEarlyPause))
		answer(c, http.StatusServiceUnavailable, "unavailable", "the database cannot be reached; send it again in a moment, which does no harm", nil)
	case err != nil:
		e.logFailure(c, err)
		answer(c, http.StatusInternalServerError, "internal", "something went wrong on our side; the log says what", nil)
	case bounce.Retry(results):
		c.Header("Retry-After", strconv.Itoa(tooEarlyPause))
		c.PureJSON(http.StatusServiceUnavailable, gin.H{"results": results, "error": gin.H{
			"code": "too_early", "message": "a delivery is still under way; send the same again later, which does no harm"}})
	default:
		c.PureJSON(http.StatusOK, gin.H{"results": results})
	}
}

// readReports reads the body, or answers with what is wrong with it.
func (e *Email) readReports(c *gin.Context) ([]bounce.Report, bool) {
	kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil {
		kind = ""
	}
	var reports []bounce.Report
	switch kind {
	case "application/json":
		reports, err = bounce.ParseJSON(http.MaxBytesReader(c.Writer, c.Request.Body, bounce.MaxBody))
	case "message/rfc822":
		reports, err = bounce.Parse(http.MaxBytesReader(c.Writer, c.Request.Body, bounce.MaxBody))
	default:
		answer(c, http.StatusUnsupportedMediaType, "unsupported_media_type",
			`send a delivery or abuse report with "Content-Type: message/rfc822", or JSON with "Content-Type: application/json"`, nil)
		return nil, false
	}
	var input *bounce.InputError
	switch {
	case err == nil:
		return reports, true
	case errors.As(err, &input):
		answer(c, http.StatusUnprocessableEntity, "invalid", input.Error(), input.Fields)
	case errors.Is(err, bounce.ErrTooLarge):
		answer(c, http.StatusRequestEntityTooLarge, "body_too_large", bounce.ErrTooLarge.Error(), nil)
	case errors.Is(err, bounce.ErrNoReport):
		answer(c, http.StatusUnprocessableEntity, "no_report", err.Error(), nil)
	case errors.Is(err, bounce.ErrNoComplaint):
		answer(c, http.StatusUnprocessableEntity, "no_complaint", err.Error(), nil)
	case errors.Is(err, bounce.ErrNoComplainer):
		answer(c, http.StatusUnprocessableEntity, "no_recipient", err.Error(), nil)
	case errors.Is(err, bounce.ErrNoOriginal):
		answer(c, http.StatusUnprocessableEntity, "no_original", err.Error(), nil)
	case errors.Is(err, bounce.ErrMalformed):
		answer(c, http.StatusBadRequest, "malformed", err.Error(), nil)
	default:
		answer(c, http.StatusBadRequest, "incomplete_body", "the body did not arrive whole", nil)
	}
	return nil, false
}

func answer(c *gin.Context, status int, code, message string, fields map[string]string) {
	body := gin.H{"code": code, "message": message}
	if len(fields) > 0 {
		body["fields"] = fields
	}
	c.Abort()
	c.PureJSON(status, gin.H{"error": body})
}
