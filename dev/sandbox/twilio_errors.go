package sandbox

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
)

// twilioError is a refusal as Twilio's API words it; https://www.twilio.com/docs/api/errors lists the codes.
type twilioError struct {
	Code     int    `json:"code"`
	Message  string `json:"message"`
	MoreInfo string `json:"more_info"`
	Status   int    `json:"status"`
}

// subject is the place in a message for what it is about.
const subject = "{subject}"

var (
	errTwilioCredentials = newTwilioError(20003, http.StatusUnauthorized, "Authenticate")
	errTwilioNotFound    = newTwilioError(20404, http.StatusNotFound, "The requested resource "+subject+" was not found")
	errTwilioTooMany     = newTwilioError(20429, http.StatusTooManyRequests, "Too Many Requests")
	errTwilioInternal    = newTwilioError(20500, http.StatusInternalServerError, "An internal server error has occurred")
	errTwilioUnavailable = newTwilioError(20503, http.StatusServiceUnavailable, "Service Unavailable")
	errTwilioForm        = newTwilioError(20001, http.StatusBadRequest, "Bad request: the form could not be read")
	errTwilioPageSize    = newTwilioError(20006, http.StatusBadRequest, "Page size must be a whole number from 1 to 1000")
	errTwilioDate        = newTwilioError(20001, http.StatusBadRequest, "Parameter "+subject+" is not valid: write YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ")
	errTwilioPage        = newTwilioError(20007, http.StatusBadRequest, "Page or PageToken is not valid")

	errTwilioTo        = newTwilioError(21211, http.StatusBadRequest, "Invalid 'To' Phone Number: "+subject)
	errTwilioFrom      = newTwilioError(21212, http.StatusBadRequest, "Invalid 'From' Phone Number: "+subject)
	errTwilioRegion    = newTwilioError(21408, http.StatusBadRequest, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: "+subject)
	errTwilioNoBody    = newTwilioError(21602, http.StatusBadRequest, "Message body is required.")
	errTwilioNoFrom    = newTwilioError(21603, http.StatusBadRequest, "A 'From' phone number is required.")
	errTwilioNoTo      = newTwilioError(21604, http.StatusBadRequest, "A 'To' phone number is required.")
	errTwilioNotOwned  = newTwilioError(21606, http.StatusBadRequest, "The From phone number "+subject+" is not a valid, SMS-capable inbound phone number or short code for your account.")
	errTwilioOptedOut  = newTwilioError(21610, http.StatusBadRequest, "Attempt to send to unsubscribed recipient")
	errTwilioQueueFull = newTwilioError(21611, http.StatusBadRequest, "This 'From' number has exceeded the maximum number of queued messages")
	errTwilioRoute     = newTwilioError(21612, http.StatusBadRequest, "Message cannot be sent with the current combination of 'To' ("+subject+") and/or 'From' parameters")
	errTwilioNotMobile = newTwilioError(21614, http.StatusBadRequest, "'To' number: "+subject+", is not a valid mobile number")
	errTwilioTooLong   = newTwilioError(21617, http.StatusBadRequest, "The concatenated message body exceeds the 1600 character limit.")
	errTwilioNoContent = newTwilioError(21654, http.StatusBadRequest, "ContentSid Required: there are ContentVariables")
	errTwilioTemplate  = newTwilioError(21655, http.StatusBadRequest, "The ContentSid is invalid: write HX and 32 hexadecimal digits")
	errTwilioVariables = newTwilioError(21656, http.StatusBadRequest, "The Content Variables parameter is invalid.")
	errTwilioService   = newTwilioError(21701, http.StatusBadRequest, "The Messaging Service does not exist: write MG and 32 hexadecimal digits")
	errTwilioPair      = newTwilioError(21910, http.StatusBadRequest, "Invalid From and To pair. From and To should be of the same channel")
)

func newTwilioError(code, status int, message string) twilioError {
	return twilioError{
		Code:     code,
		Message:  message,
		MoreInfo: "https://www.twilio.com/docs/errors/" + strconv.Itoa(code),
		Status:   status,
	}
}

// about fills in what the refusal is about.
func (e twilioError) about(what string) twilioError {
	e.Message = strings.ReplaceAll(e.Message, subject, what)
	return e
}

func refuseTwilio(c *gin.Context, e twilioError) {
	c.AbortWithStatusJSON(e.Status, e)
}
