package console

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// The kinds of a recipient's row in the form.
const (
	toRow    = "to" // an address or a document field
	listRow  = "list"
	queryRow = "query"
)

// What value_change_from_is and value_change_to_is ask for.
const (
	anyValue   = "any"
	thisValue  = "value"
	emptyValue = "empty"
)

// formValues is the form as it is sent. Its names are those of the API, with rows as in recipients[0].to.
type formValues struct{ url.Values }

// newFormValues reads what a browser sends: its lines end as the API's do.
func newFormValues(sent url.Values) formValues {
	v := formValues{make(url.Values, len(sent))}
	for name, texts := range sent {
		for _, text := range texts {
			v.Add(name, strings.ReplaceAll(text, "\r\n", "\n"))
		}
	}
	return v
}

func (v formValues) trimmed(name string) string { return strings.TrimSpace(v.Get(name)) }

// rowNumber finds the number in recipients[3].to.
var rowNumber = regexp.MustCompile(`^\[(\d{1,4})\]`)

// rows lists the numbers of the rows that begin with a prefix, in their order. They may have gaps: a row can be removed.
func (v formValues) rows(prefix string) []int {
	found := make(map[int]bool)
	for name := range v.Values {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		if match := rowNumber.FindStringSubmatch(rest); match != nil {
			number, _ := strconv.Atoi(match[1]) // digits
			found[number] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// number reads a whole number; nothing is 0.
func (v formValues) number(errs rule.FieldErrors, name string) int {
	text := v.trimmed(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		errs[name] = "write a whole number, such as 3"
	}
	return n
}

// apply puts what the form says into a notification, and keeps what the form does not show. Rows that are blank stay
// rows: tidied removes them. What is no number is told.
func (v formValues) apply(n *rule.Notification) rule.FieldErrors {
	errs := rule.FieldErrors{}
	n.Title, n.Message, n.HTMLMessage = v.Get("title"), v.Get("message"), v.Get("html_message")
	n.Active = v.Get("active") == "true"
	n.Channel, n.Model, n.Trigger = rule.Channel(v.Get("channel")), v.Get("model"), rule.Trigger(v.Get("trigger"))
	n.ValueChangeField, n.ValueChangeFields = v.trimmed("value_change_field"), nil
	for _, name := range v.Values["value_change_fields"] {
		if name != "" && name != n.ValueChangeField {
			n.ValueChangeFields = append(n.ValueChangeFields, name)
		}
	}
	n.ValueChangeFrom, n.ValueChangeTo = v.wanted("value_change_from"), v.wanted("value_change_to")
	n.DateField, n.AlertUnit, n.AlertTime = v.trimmed("date_field"), rule.AlertUnit(v.Get("alert_unit")), v.trimmed("alert_time")
	n.AlertDays = nil
	if v.trimmed("alert_days") != "" {
		days := v.number(errs, "alert_days")
		n.AlertDays = &days
	}
	n.TimeZone, n.Conditions = v.trimmed("time_zone"), v.Get("conditions")
	n.ReplyTo, n.LocaleField, n.ContentSID = v.trimmed("reply_to"), v.trimmed("locale_field"), v.trimmed("content_sid")
	n.RetryAttempts, n.RetryInterval = v.number(errs, "retry_attempts"), v.number(errs, "retry_interval")
	n.Priority, n.ValidFor = v.number(errs, "priority"), v.number(errs, "valid_for")
	n.Recipients, n.Variants, n.Attachments, n.ContentVariables = v.recipients(), v.variants(), v.attachments(), v.variables(errs)
	return errs
}

func (v formValues) wanted(name string) *string {
	text := v.Get(name)
	switch v.Get(name + "_is") {
	case thisValue:
		return &text
	case emptyValue:
		text = ""
		return &text
	default:
		return nil
	}
}

func (v formValues) recipients() (rows []rule.Recipient) {
	for _, i := range v.rows("recipients") {
		prefix := fmt.Sprintf("recipients[%d].", i)
		row := rule.Recipient{Copy: v.Get(prefix+"copy") != ""}
		switch v.Get(prefix + "kind") {
		case listRow:
			row.ListID = v.Get(prefix + "list_id")
		case queryRow:
			row.Query = v.query(prefix + "query.")
		default:
			if to := v.trimmed(prefix + "to"); isAddress(to) {
				row.Address = to
			} else {
				row.DocumentField = to
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func (v formValues) query(prefix string) *rule.RecipientQuery {
	q := &rule.RecipientQuery{Model: v.Get(prefix + "model"), Field: v.trimmed(prefix + "field")}
	for _, j := range v.rows(prefix + "where") {
		row := fmt.Sprintf("%swhere[%d].", prefix, j)
		if match := (rule.Match{Field: v.trimmed(row + "field"), Value: v.trimmed(row + "value")}); match != (rule.Match{}) {
			q.Where = append(q.Where, match)
		}
	}
	return q
}

// isAddress tells an address from a document field, which begins with a letter and has no @.
func isAddress(to string) bool {
	return strings.Contains(to, "@") || strings.HasPrefix(to, "whatsapp:") || to != "" && strings.ContainsRune("+0123456789(", rune(to[0]))
}

func (v formValues) variants() (rows []rule.Variant) {
	for _, i := range v.rows("variants") {
		prefix := fmt.Sprintf("variants[%d].", i)
		rows = append(rows, rule.Variant{
			Locale: v.trimmed(prefix + "locale"), Title: v.Get(prefix + "title"),
			Message: v.Get(prefix + "message"), HTMLMessage: v.Get(prefix + "html_message"),
		})
	}
	return rows
}

func (v formValues) attachments() (rows []rule.Attachment) {
	for _, i := range v.rows("attachments") {
		prefix := fmt.Sprintf("attachments[%d].", i)
		rows = append(rows, rule.Attachment{
			Name: v.Get(prefix + "name"), DocumentField: v.trimmed(prefix + "document_field"), Text: v.Get(prefix + "text"),
		})
	}
	return rows
}

// variables gives the WhatsApp template's variables. Of two with one name the first counts, and that is told.
func (v formValues) variables(errs rule.FieldErrors) map[string]string {
	var variables map[string]string
	for _, i := range v.rows("content_variables") {
		prefix := fmt.Sprintf("content_variables[%d].", i)
		name, text := v.trimmed(prefix+"name"), v.Get(prefix+"text")
		if name == "" && strings.TrimSpace(text) == "" {
			continue
		}
		if _, known := variables[name]; known {
			errs["content_variables"] = "two variables have the same name: each needs its own"
			continue
		}
		if variables == nil {
			variables = make(map[string]string)
		}
		variables[name] = text
	}
	return variables
}

// valuesOf writes a notification as the form holds it. A recipient's row that finds people in several ways becomes
// several rows, which find the same.
func valuesOf(n *rule.Notification) formValues {
	v := formValues{url.Values{}}
	for name, text := range map[string]string{
		"title": n.Title, "message": n.Message, "html_message": n.HTMLMessage, "active": strconv.FormatBool(n.Active),
		"channel": string(n.Channel), "model": n.Model, "trigger": string(n.Trigger), "value_change_field": n.ValueChangeField,
		"date_field": n.DateField, "alert_unit": string(n.AlertUnit), "alert_time": n.AlertTime, "time_zone": n.TimeZone,
		"conditions": n.Conditions, "reply_to": n.ReplyTo, "locale_field": n.LocaleField, "content_sid": n.ContentSID,
		"retry_attempts": written(n.RetryAttempts), "retry_interval": written(n.RetryInterval), "priority": written(n.Priority),
		"valid_for": written(n.ValidFor),
	} {
		v.Set(name, text)
	}
	for _, name := range n.ValueChangeFields {
		v.Add("value_change_fields", name)
	}
	v.setWanted("value_change_from", n.ValueChangeFrom)
	v.setWanted("value_change_to", n.ValueChangeTo)
	if n.AlertDays != nil {
		v.Set("alert_days", strconv.Itoa(*n.AlertDays))
	}
	for i, row := range separated(n.Recipients) {
		v.setRecipient(fmt.Sprintf("recipients[%d].", i), row)
	}
	for i, row := range n.Variants {
		v.setRow("variants", i, "locale", row.Locale, "title", row.Title, "message", row.Message, "html_message", row.HTMLMessage)
	}
	for i, row := range n.Attachments {
		v.setRow("attachments", i, "name", row.Name, "document_field", row.DocumentField, "text", row.Text)
	}
	for i, name := range slices.Sorted(maps.Keys(n.ContentVariables)) {
		v.setRow("content_variables", i, "name", name, "text", n.ContentVariables[name])
	}
	return v
}

// written leaves 0 out, which means the setting's value.
func written(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (v formValues) setWanted(name string, text *string) {
	switch {
	case text == nil:
		v.Set(name+"_is", anyValue)
	case *text == "":
		v.Set(name+"_is", emptyValue)
	default:
		v.Set(name+"_is", thisValue)
		v.Set(name, *text)
	}
}

func (v formValues) setRow(group string, i int, pairs ...string) {
	for ; len(pairs) > 1; pairs = pairs[2:] {
		v.Set(fmt.Sprintf("%s[%d].%s", group, i, pairs[0]), pairs[1])
	}
}

func (v formValues) setRecipient(prefix string, r rule.Recipient) {
	if r.Copy {
		v.Set(prefix+"copy", "true")
	}
	switch {
	case r.ListID != "":
		v.Set(prefix+"kind", listRow)
		v.Set(prefix+"list_id", r.ListID)
	case r.Query != nil:
		v.Set(prefix+"kind", queryRow)
		v.Set(prefix+"query.model", r.Query.Model)
		v.Set(prefix+"query.field", r.Query.Field)
		for j, match := range r.Query.Where {
			v.setRow(prefix+"query.where", j, "field", match.Field, "value", match.Value)
		}
	default:
		v.Set(prefix+"kind", toRow)
		v.Set(prefix+"to", r.Address+r.DocumentField)
	}
}

// separated gives each way of finding people a row of its own.
func separated(rows []rule.Recipient) (single []rule.Recipient) {
	for _, r := range rows {
		before := len(single)
		for _, one := range []rule.Recipient{{Address: r.Address}, {DocumentField: r.DocumentField}, {ListID: r.ListID}, {Query: r.Query}} {
			if one.Address+one.DocumentField+one.ListID != "" || one.Query != nil {
				one.Copy = r.Copy
				single = append(single, one)
			}
		}
		if len(single) == before {
			single = append(single, rule.Recipient{Copy: r.Copy}) // a blank row stays one
		}
	}
	return single
}

// tidied gives a copy without blank rows, and without what its channel cannot have, which is named.
func tidied(n *rule.Notification) (out *rule.Notification, dropped []string) {
	kept := *n
	kept.Recipients = slices.DeleteFunc(slices.Clone(n.Recipients), func(r rule.Recipient) bool {
		noQuery := r.Query == nil || r.Query.Model+r.Query.Field == "" && len(r.Query.Where) == 0
		return noQuery && strings.TrimSpace(r.Address+r.DocumentField+r.ListID) == ""
	})
	kept.Variants = slices.DeleteFunc(slices.Clone(n.Variants), func(v rule.Variant) bool { return v == rule.Variant{} })
	kept.Attachments = slices.DeleteFunc(slices.Clone(n.Attachments), func(a rule.Attachment) bool { return a == rule.Attachment{} })
	if kept.Channel != rule.Email {
		if strings.TrimSpace(kept.HTMLMessage) != "" {
			dropped = append(dropped, "the HTML")
		}
		kept.HTMLMessage = ""
		for i := range kept.Variants {
			kept.Variants[i].HTMLMessage = ""
		}
		if len(kept.Attachments) > 0 {
			dropped = append(dropped, "the attachments")
		}
		if kept.ReplyTo != "" {
			dropped = append(dropped, "the reply-to address")
		}
		kept.Attachments, kept.ReplyTo = nil, ""
	}
	if kept.Channel != rule.WhatsApp && kept.ContentSID != "" {
		dropped = append(dropped, "the WhatsApp template")
	}
	if kept.Channel != rule.WhatsApp {
		kept.ContentSID, kept.ContentVariables = "", nil
	}
	return &kept, dropped
}
