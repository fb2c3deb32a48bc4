package sandbox

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxBody is Twilio's limit on the text of one message, in characters.
const maxBody = 1600

// maxVariables is how many variables a template may be given.
const maxVariables = 100

var (
	e164            = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	shortCode       = regexp.MustCompile(`^[0-9]{5,6}$`)
	alphanumeric    = regexp.MustCompile(`^[0-9A-Za-z +&_-]{1,11}$`)
	holdsLetter     = regexp.MustCompile(`[A-Za-z]`)
	contentTemplate = regexp.MustCompile(`^HX[0-9a-fA-F]{32}$`)
)

// The numbers that Twilio documents for tests, and what they are refused with: https://www.twilio.com/docs/iam/test-credentials
var (
	magicTo = map[string]twilioError{
		"+15005550001": errTwilioTo,
		"+15005550002": errTwilioRoute,
		"+15005550003": errTwilioRegion,
		"+15005550004": errTwilioOptedOut,
		"+15005550009": errTwilioNotMobile,
	}
	magicFrom = map[string]twilioError{
		"+15005550001": errTwilioFrom,
		"+15005550007": errTwilioNotOwned,
		"+15005550008": errTwilioQueueFull,
	}
)

// twilioRequest is the form of a request to create a message.
type twilioRequest struct{ form url.Values }

func (r twilioRequest) channel() Channel {
	if strings.HasPrefix(r.form.Get(paramTo), whatsAppPrefix) {
		return WhatsApp
	}
	return SMS
}

// problem is the first thing that Twilio would refuse the request for, or nil.
func (r twilioRequest) problem() *twilioError {
	for _, check := range []func() *twilioError{r.missing, r.badText, r.badSender, r.badRecipient} {
		if problem := check(); problem != nil {
			return problem
		}
	}
	return nil
}

func (r twilioRequest) missing() *twilioError {
	switch {
	case r.form.Get(paramTo) == "":
		return &errTwilioNoTo
	case r.form.Get(paramFrom) == "" && r.form.Get(paramService) == "":
		return &errTwilioNoFrom
	case r.form.Get(paramBody) == "" && r.form.Get(paramContentSID) == "" && r.form.Get(paramMedia) == "":
		return &errTwilioNoBody
	default:
		return nil
	}
}

func (r twilioRequest) badText() *twilioError {
	switch template, variables := r.form.Get(paramContentSID), r.form.Get(paramContentVariables); {
	case utf8.RuneCountInString(r.form.Get(paramBody)) > maxBody:
		return &errTwilioTooLong
	case template != "" && !contentTemplate.MatchString(template):
		return &errTwilioTemplate
	case template == "" && variables != "":
		return &errTwilioNoContent
	case variables != "" && !validVariables(variables):
		return &errTwilioVariables
	default:
		return nil
	}
}

// validVariables says whether Twilio takes the variables of a template: a JSON object of strings that are neither empty
// nor hold a line break, a tab or more than four spaces in a row; https://www.twilio.com/docs/api/errors/21656. There are
// 100 of them at most.
func validVariables(object string) bool {
	var variables map[string]*string
	if err := json.Unmarshal([]byte(object), &variables); err != nil || variables == nil || len(variables) > maxVariables {
		return false
	}
	for _, value := range variables {
		if value == nil || *value == "" || strings.ContainsAny(*value, "\r\n\t") || strings.Contains(*value, "     ") {
			return false
		}
	}
	return true
}

func (r twilioRequest) badSender() *twilioError {
	if service := r.form.Get(paramService); service != "" {
		if !serviceSID.MatchString(service) {
			return &errTwilioService
		}
		return nil
	}
	from, isWhatsApp := strings.CutPrefix(r.form.Get(paramFrom), whatsAppPrefix)
	if isWhatsApp != (r.channel() == WhatsApp) {
		return &errTwilioPair
	}
	if magic, ok := magicFrom[from]; ok {
		return new(magic.about(from))
	}
	isName := alphanumeric.MatchString(from) && holdsLetter.MatchString(from)
	if e164.MatchString(from) || !isWhatsApp && (shortCode.MatchString(from) || isName) {
		return nil
	}
	return new(errTwilioFrom.about(from))
}

func (r twilioRequest) badRecipient() *twilioError {
	to := strings.TrimPrefix(r.form.Get(paramTo), whatsAppPrefix)
	if magic, ok := magicTo[to]; ok {
		return new(magic.about(to))
	}
	if !e164.MatchString(to) {
		return new(errTwilioTo.about(to))
	}
	return nil
}

// message is the request as the inbox keeps it. A template has no text of its own here: its SID and variables stand for
// it.
func (r twilioRequest) message() *Message {
	m := &Message{
		Channel: r.channel(),
		From:    strings.TrimPrefix(r.form.Get(paramFrom), whatsAppPrefix),
		To:      strings.TrimPrefix(r.form.Get(paramTo), whatsAppPrefix),
		Text:    r.form.Get(paramBody),
		Headers: map[string]string{},
	}
	if m.From == "" {
		m.From = r.form.Get(paramService)
	}
	if template := r.form.Get(paramContentSID); template != "" && m.Text == "" {
		m.Text = strings.TrimSpace(template + " " + r.form.Get(paramContentVariables))
	}
	for name, values := range r.form {
		if name != paramTo && name != paramFrom && name != paramBody {
			m.Headers[name] = strings.Join(values, "\n")
		}
	}
	return m
}
