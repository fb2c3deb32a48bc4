package bounce

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/silquetech/silque-notifications/internal/address"
)

// MaxJSON is the most bytes of reports as JSON, and maxItems the most of them at a time.
const (
	MaxJSON  = 1 << 20
	maxItems = 1000
	maxText  = 998 // of a message_id or an id: RFC 5322 allows no longer line
)

// InputError says what is wrong with reports as JSON, and where.
type InputError struct {
	// Fields has a sentence by the place of what is wrong: "1.status".
	Fields map[string]string
	text   string
}

// Error is safe to show: it quotes nothing.
func (e *InputError) Error() string { return e.text }

// item is a report as JSON: the generic form that any provider's webhook can be mapped to.
type item struct {
	Type       string `json:"type"`
	MessageID  string `json:"message_id"`
	Recipient  string `json:"recipient"`
	Status     string `json:"status"`
	Diagnostic string `json:"diagnostic"`
	ID         string `json:"id"`
}

// ParseJSON reads one report in the generic form, or a list of them. All of them are good, or an *InputError (or
// ErrTooLarge) says which is not.
func ParseJSON(r io.Reader) ([]Report, error) {
	content, err := io.ReadAll(io.LimitReader(r, MaxJSON+1))
	if err != nil {
		return nil, fmt.Errorf("bounce: read the reports: %w", err)
	}
	if len(content) > MaxJSON {
		return nil, ErrTooLarge
	}
	items, err := items(bytes.TrimSpace(content))
	if err != nil {
		return nil, err
	}
	reports, wrong := make([]Report, len(items)), map[string]string{}
	for i, one := range items {
		reports[i] = one.report(func(field, problem string) { wrong[fmt.Sprintf("%d.%s", i, field)] = problem })
	}
	if len(wrong) > 0 {
		return nil, &InputError{Fields: wrong, text: "some reports are not as they should be; nothing was recorded"}
	}
	return reports, nil
}

func items(content []byte) (list []item, err error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields() // a name that is spelled wrong must not leave its value out without a word
	if len(content) > 0 && content[0] == '[' {
		err = decoder.Decode(&list)
	} else {
		list = make([]item, 1)
		err = decoder.Decode(&list[0])
	}
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something after the reports")
		}
	}
	switch {
	case err != nil:
		return nil, &InputError{text: "this is not one report, or a list of reports, with type, message_id, recipient, status, diagnostic and id as text"}
	case len(list) == 0:
		return nil, &InputError{text: "the list of reports is empty"}
	case len(list) > maxItems:
		return nil, &InputError{text: fmt.Sprintf("there are %d reports, and %d at a time are the most", len(list), maxItems)}
	}
	return list, nil
}

func (i item) report(wrong func(field, problem string)) Report {
	r := Report{
		Kind: Kind(i.Type), MessageID: strings.Trim(i.MessageID, "<> "), Status: i.Status, Diagnostic: words(i.Diagnostic), ID: i.ID,
	}
	switch r.Kind {
	case Bounce, Complaint, Delayed, Delivered:
	default:
		wrong("type", "is one of bounce, complaint, delayed, delivered")
	}
	if r.MessageID == "" || len(r.MessageID) > maxText {
		wrong("message_id", "is the Message-ID of the email, or the value of its header X-Silque-Delivery")
	}
	if len(r.ID) > maxText {
		wrong("id", fmt.Sprintf("has %d characters at most", maxText))
	}
	var err error
	if r.Recipient, err = (address.Normalizer{}).Email(i.Recipient); err != nil {
		wrong("recipient", err.Error())
	}
	if i.Status != "" && !status.MatchString(i.Status) {
		wrong("status", "is an enhanced status code such as 5.1.1, or is left out")
	}
	if r.Kind == Bounce {
		r.Status = precise(i.Status, r.Diagnostic, i.Status)
	}
	return r
}
