package sandbox

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// twilioVersion is the version of the API that is stood in for; https://www.twilio.com/docs/messaging/api/message-resource
// documents its requests and answers.
const twilioVersion = "2010-04-01"

// The parameters of a request to create a message that the sandbox reads.
const (
	paramTo               = "To"
	paramFrom             = "From"
	paramBody             = "Body"
	paramService          = "MessagingServiceSid"
	paramContentSID       = "ContentSid"
	paramContentVariables = "ContentVariables"
	paramMedia            = "MediaUrl"
)

// whatsAppPrefix marks both sides of a WhatsApp message.
const whatsAppPrefix = "whatsapp:"

// maxTwilioRequest bounds the form of one request.
const maxTwilioRequest = 1 << 20

var serviceSID = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)

type credentials struct{ sid, token string }

func (c credentials) match(user, password string) bool {
	sid := subtle.ConstantTimeCompare([]byte(c.sid), []byte(user))
	token := subtle.ConstantTimeCompare([]byte(c.token), []byte(password))
	return sid&token == 1
}

func (s *Sandbox) twilioRoutes(r gin.IRouter) {
	account := r.Group("/"+twilioVersion+"/Accounts/:account", s.authenticateTwilio)
	account.POST("/Messages.json", s.createTwilioMessage)
	account.GET("/Messages.json", s.listTwilioMessages)
	account.GET("/Messages/:message", s.fetchTwilioMessage)
	r.GET("/"+twilioVersion+"/Accounts/:account", s.authenticateTwilio, s.fetchTwilioAccount)
}

func (s *Sandbox) authenticateTwilio(c *gin.Context) {
	user, password, ok := c.Request.BasicAuth()
	sid, _ := strings.CutSuffix(c.Param("account"), ".json")
	if !ok || !s.account.match(user, password) || sid != s.account.sid {
		c.Header("WWW-Authenticate", `Basic realm="Twilio API"`)
		refuseTwilio(c, errTwilioCredentials)
	}
}

// createTwilioMessage takes one message. A fault is met before the parameters are looked at, as a rate limit or an outage
// would be, so every request with good credentials is one hand-over.
func (s *Sandbox) createTwilioMessage(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxTwilioRequest)
	if err := c.Request.ParseForm(); err != nil {
		refuseTwilio(c, errTwilioForm)
		return
	}
	request := twilioRequest{form: c.Request.PostForm}
	lost := s.faults.meet(request.channel(), Lost) == Lost
	if !lost && !s.passTwilioFault(c, request.channel()) {
		return
	}
	if problem := request.problem(); problem != nil {
		refuseTwilio(c, *problem)
		return
	}
	m := request.message()
	if err := s.inbox.add(c.Request.Context(), m); err != nil {
		s.log.Error("sandbox: a Twilio message was refused because it could not be kept", "error", err)
		refuseTwilio(c, errTwilioInternal)
		return
	}
	s.report(*m)
	if lost {
		cut(c)
		return
	}
	created := s.twilioMessage(*m)
	created.Status, created.DateSent = "queued", nil
	if created.From == nil {
		created.Status, created.NumSegments = "accepted", "0" // a messaging service has not yet chosen its sender
	}
	c.JSON(http.StatusCreated, created)
}

// passTwilioFault meets what is set for the channel; it is false when the request ends there.
func (s *Sandbox) passTwilioFault(c *gin.Context, channel Channel) bool {
	switch s.faults.meet(channel, Modes...) {
	case Temporary:
		refuseTwilio(c, errTwilioUnavailable)
	case Permanent:
		refuseTwilio(c, errTwilioTo.about(c.PostForm(paramTo)))
	case RateLimit:
		c.Header("Retry-After", "2")
		refuseTwilio(c, errTwilioTooMany)
	case Hang:
		select {
		case <-c.Request.Context().Done():
		case <-s.ending.Done():
		}
		cut(c)
	case Drop:
		cut(c)
	case Slow:
		if s.pause(c.Request.Context()) {
			return true
		}
		cut(c)
	default:
		return true
	}
	return false
}

// cut ends the connection without an answer.
func cut(c *gin.Context) {
	c.Abort()
	conn, _, err := c.Writer.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 has no connection to take over: the web server resets the stream
	}
	_ = conn.Close()
}

func (s *Sandbox) fetchTwilioMessage(c *gin.Context) {
	sid, isJSON := strings.CutSuffix(c.Param("message"), ".json")
	id, isSID := idOfSID(sid)
	if !isJSON || !isSID {
		refuseTwilio(c, errTwilioNotFound.about(c.Request.URL.Path))
		return
	}
	m, err := s.inbox.get(c.Request.Context(), id)
	switch {
	case errors.Is(err, errNoMessage), err == nil && m.Channel == Email:
		refuseTwilio(c, errTwilioNotFound.about(c.Request.URL.Path))
	case err != nil:
		s.log.Error("sandbox: the inbox could not be read", "error", err)
		refuseTwilio(c, errTwilioInternal)
	default:
		c.JSON(http.StatusOK, s.twilioMessage(m))
	}
}

// twilioList is one page of messages.
type twilioList struct {
	End             int             `json:"end"`
	FirstPageURI    string          `json:"first_page_uri"`
	Messages        []twilioMessage `json:"messages"`
	NextPageURI     *string         `json:"next_page_uri"`
	Page            int             `json:"page"`
	PageSize        int             `json:"page_size"`
	PreviousPageURI *string         `json:"previous_page_uri"`
	Start           int             `json:"start"`
	URI             string          `json:"uri"`
}

func (s *Sandbox) listTwilioMessages(c *gin.Context) {
	page, problem := readTwilioPage(c.Request.URL.Query())
	if problem != nil {
		refuseTwilio(c, *problem)
		return
	}
	found, more, err := s.findTwilio(c.Request.Context(), page.query)
	if err != nil {
		s.log.Error("sandbox: the inbox could not be read", "error", err)
		refuseTwilio(c, errTwilioInternal)
		return
	}
	first := page.number * page.query.limit
	list := twilioList{
		Messages:     make([]twilioMessage, 0, len(found)),
		Start:        first,
		End:          first + max(len(found)-1, 0),
		Page:         page.number,
		PageSize:     page.query.limit,
		FirstPageURI: s.twilioListURI(page.at(0, "")),
		URI:          s.twilioListURI(page.at(page.number, page.token)),
	}
	for _, m := range found {
		list.Messages = append(list.Messages, s.twilioMessage(m))
	}
	if more {
		next := s.twilioListURI(page.at(page.number+1, "PA"+sidOf(found[len(found)-1].ID)))
		list.NextPageURI = &next
	}
	c.JSON(http.StatusOK, list)
}

// findTwilio finds among the messages that came by Twilio.
func (s *Sandbox) findTwilio(ctx context.Context, q query) ([]Message, bool, error) {
	if q.channel == "" {
		q.channels = []Channel{SMS, WhatsApp}
	}
	return s.inbox.find(ctx, q)
}

// twilioTime is a time as Twilio writes it: RFC 2822, in UTC, to the second.
func twilioTime(t time.Time) string { return t.UTC().Format(time.RFC1123Z) }
