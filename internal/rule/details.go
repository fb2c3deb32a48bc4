package rule

// Details is what a message needs besides its address and texts. The zero value is a message that needs nothing more.
type Details struct {
	// To and Cc are whom an email's headers name. Both are empty in an email to one recipient without copies: then To
	// names the address. A message that has Cc but no To names nobody else, because recipients do not see each other.
	To []string `json:"to,omitempty"`
	Cc []string `json:"cc,omitempty"`
	// ReplyTo is where answers to an email go; empty means the setting's.
	ReplyTo string `json:"reply_to,omitempty"`
	// ContentSID is a WhatsApp template, which is sent instead of the text, with its variables.
	ContentSID       string            `json:"content_sid,omitempty"`
	ContentVariables map[string]string `json:"content_variables,omitempty"`
	// Files go with an email.
	Files []File `json:"files,omitempty"`
}

// IsZero says that the message needs nothing more.
func (d Details) IsZero() bool {
	return len(d.To)+len(d.Cc)+len(d.Files) == 0 && d.ReplyTo == "" && d.ContentSID == ""
}

// File is a file that goes with a message: Text, or what is found at Location when the message is handed over.
type File struct {
	Name string `json:"name,omitempty"`
	// Location is a path or a URL on the allow-list; empty for an inline text.
	Location string `json:"location,omitempty"`
	Text     string `json:"text,omitempty"`
}
