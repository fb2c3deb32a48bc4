package sandbox

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/google/uuid"
)

// twilioMessage is a message as Twilio's API shows it.
type twilioMessage struct {
	AccountSID          string            `json:"account_sid"`
	APIVersion          string            `json:"api_version"`
	Body                string            `json:"body"`
	DateCreated         string            `json:"date_created"`
	DateSent            *string           `json:"date_sent"`
	DateUpdated         string            `json:"date_updated"`
	Direction           string            `json:"direction"`
	ErrorCode           *int              `json:"error_code"`
	ErrorMessage        *string           `json:"error_message"`
	From                *string           `json:"from"`
	MessagingServiceSID *string           `json:"messaging_service_sid"`
	NumMedia            string            `json:"num_media"`
	NumSegments         string            `json:"num_segments"`
	Price               *string           `json:"price"`
	PriceUnit           *string           `json:"price_unit"`
	SID                 string            `json:"sid"`
	Status              string            `json:"status"`
	SubresourceURIs     map[string]string `json:"subresource_uris"`
	To                  string            `json:"to"`
	URI                 string            `json:"uri"`
}

// twilioMessage shows a message that was delivered.
func (s *Sandbox) twilioMessage(m Message) twilioMessage {
	sid := sidOf(m.ID)
	uri := "/" + twilioVersion + "/Accounts/" + s.account.sid + "/Messages/" + sid
	at := twilioTime(m.ReceivedAt)
	prefix := ""
	if m.Channel == WhatsApp {
		prefix = whatsAppPrefix
	}
	shown := twilioMessage{
		AccountSID:      s.account.sid,
		APIVersion:      twilioVersion,
		Body:            m.Text,
		DateCreated:     at,
		DateSent:        &at,
		DateUpdated:     at,
		Direction:       "outbound-api",
		NumMedia:        "0",
		NumSegments:     strconv.Itoa(segments(m.Text)),
		SID:             sid,
		Status:          "delivered",
		SubresourceURIs: map[string]string{"media": uri + "/Media.json"},
		To:              prefix + m.To,
		URI:             uri + ".json",
	}
	if media := m.Headers[paramMedia]; media != "" {
		shown.NumMedia = strconv.Itoa(1 + strings.Count(media, "\n"))
	}
	if service := m.Headers[paramService]; service != "" {
		shown.MessagingServiceSID = &service
	}
	if !serviceSID.MatchString(m.From) {
		from := prefix + m.From
		shown.From = &from
	}
	return shown
}

// sidOf makes a Twilio message SID of a message's ID; idOfSID is its inverse.
func sidOf(id string) string { return "SM" + strings.ReplaceAll(id, "-", "") }

func idOfSID(sid string) (id string, ok bool) {
	digits, ok := strings.CutPrefix(sid, "SM")
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil {
		return "", false
	}
	parsed, err := uuid.FromBytes(raw)
	return parsed.String(), err == nil
}

// The characters of GSM 03.38: those of the second row take two places.
const (
	gsmBasic    = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "\f^{}\\[~]|€"
)

// segments says in how many pieces a text goes over the air: of 160 places, or 153 each when there are more, and of 70
// or 67 once a character is outside GSM 03.38; https://www.twilio.com/docs/glossary/what-sms-character-limit
func segments(text string) int {
	places := 0
	for _, r := range text {
		switch {
		case strings.ContainsRune(gsmBasic, r):
			places++
		case strings.ContainsRune(gsmExtended, r):
			places += 2
		default:
			return pieces(len(utf16.Encode([]rune(text))), 70, 67)
		}
	}
	return pieces(places, 160, 153)
}

func pieces(places, single, each int) int {
	if places <= single {
		return 1
	}
	return (places + each - 1) / each
}
