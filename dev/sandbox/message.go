package sandbox

import (
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Channel is the way by which a message came: email, sms or whatsapp.
type Channel string

// The channels that the sandbox stands in for.
const (
	Email    Channel = "email"
	SMS      Channel = "sms"
	WhatsApp Channel = "whatsapp"
)

// Channels lists every channel, in the order in which people see them.
var Channels = []Channel{Email, SMS, WhatsApp}

// Label is the channel's name for people.
func (c Channel) Label() string {
	switch c {
	case Email:
		return "Email"
	case SMS:
		return "SMS"
	case WhatsApp:
		return "WhatsApp"
	default:
		return string(c)
	}
}

func (c Channel) known() bool { return slices.Contains(Channels, c) }

// Message is one message that the sandbox took for one recipient.
type Message struct {
	// ID is a UUIDv7: later messages have greater IDs. A Twilio message SID is "SM" and the ID's 32 hexadecimal digits.
	ID      string  `json:"id" gorm:"primaryKey"`
	Channel Channel `json:"channel" gorm:"index"`
	// From is the address in the From header of an email (the envelope's sender without one), a number, an alphanumeric
	// sender, or the SID of a Twilio messaging service.
	From string `json:"from" gorm:"column:sender"`
	// To is the recipient of the envelope: an email address, or a number without the prefix "whatsapp:".
	To      string `json:"to" gorm:"column:recipient;index"`
	Subject string `json:"subject"`
	// Text is the readable text with "\n" between lines and none at the end.
	Text string `json:"text"`
	HTML string `json:"html"`
	// Headers are an email's header fields as they were spelled, or the further parameters of a request to Twilio. A
	// field that occurs more than once has one value a line.
	Headers map[string]string `json:"headers" gorm:"serializer:json"`
	// Attachments are the files that came with an email. The inbox keeps their contents in the source alone.
	Attachments []Attachment `json:"attachments" gorm:"serializer:json"`
	// Source is an email as it came over the wire, up to maxSource bytes; lists leave it out.
	Source     string    `json:"-"`
	ReceivedAt time.Time `json:"received_at"`
}

// Attachment is a file that came with an email.
type Attachment struct {
	// Name is empty when the email gives the file none.
	Name string `json:"name"`
	// ContentType is the type alone, such as text/plain, without its parameters.
	ContentType string `json:"content_type"`
	// Size is in bytes, after the transfer encoding was undone.
	Size int64 `json:"size"`
}

// SID is the message's identifier in Twilio's words; empty for an email.
func (m Message) SID() string {
	if m.Channel == Email {
		return ""
	}
	return sidOf(m.ID)
}

// TableName is the table in the inbox's own file.
func (Message) TableName() string { return "messages" }

// AfterFind gives a message that was kept before attachments were told of an empty list of them.
func (m *Message) AfterFind(*gorm.DB) error {
	if m.Attachments == nil {
		m.Attachments = []Attachment{}
	}
	return nil
}

// Heading is what stands for the message in a list: the subject, or the first line of the text.
func (m Message) Heading() string {
	if m.Subject != "" {
		return m.Subject
	}
	line, _, _ := strings.Cut(strings.TrimSpace(m.Text), "\n")
	if line == "" {
		return "(no text)"
	}
	return line
}
