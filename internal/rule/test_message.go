package rule

import "encoding/json"

// TestMessage is what a test event carries: where it goes, and perhaps what it says. It is kept in the event's snapshot.
type TestMessage struct {
	Channel Channel `json:"channel"`
	To      string  `json:"to"`
	// Subject, Text and HTML are those of a notification that is tried out; without any of them the message says that the
	// channel works.
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text,omitempty"`
	HTML    string `json:"html,omitempty"`
	// Details are what the message needs besides: reply-to, WhatsApp template, files.
	Details *Details `json:"details,omitempty"`
}

// The text of a test message that brings none of its own.
const (
	testSubject = "Test message"
	testText    = "This is a test message from Silque Notifications. If you can read it, this channel works."
)

// ReadTestMessage reads a test event's snapshot; ok is false when it names nobody. A message without a text gets one.
func ReadTestMessage(doc []byte) (m TestMessage, ok bool) {
	if err := json.Unmarshal(doc, &m); err != nil || m.To == "" {
		return m, false
	}
	if m.Text == "" && m.HTML == "" && (m.Details == nil || m.Details.ContentSID == "") {
		m.Subject, m.Text = testSubject, testText
	}
	if m.Details == nil {
		m.Details = new(Details)
	}
	return m, true
}
