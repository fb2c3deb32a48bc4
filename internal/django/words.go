package django

import (
	"strings"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// The names of the app's fields. The first of each is the one that the app's models have in the versions 0.1.0 and
// 0.1.1; the others are what versions of one's own are likely to call it.
var (
	activeNames      = []string{"is_active", "active", "enabled"}
	channelNames     = []string{"channel"}
	titleNames       = []string{"title", "subject", "name"}
	messageNames     = []string{"message", "body", "text"}
	modelNames       = []string{"model", "model_name", "document", "document_type"}
	triggerNames     = []string{"send_alert_on", "trigger", "alert_on", "event", "send_on"}
	valueChangeNames = []string{"value_change_field", "value_changed", "value_field"}
	dateFieldNames   = []string{"date_field", "date_changed"}
	alertDaysNames   = []string{"alert_days", "days", "days_in_advance"}
	conditionNames   = []string{"conditions", "condition"}
	createdNames     = []string{"created", "created_at", "created_on"}
	updatedNames     = []string{"updated", "updated_at", "modified", "last_updated"}

	emailListNames  = []string{"email_recipients", "emailrecipients", "emails"}
	numberListNames = []string{"number_recipients", "numberrecipients", "numbers", "phone_recipients"}
	anyListNames    = []string{"recipients"}

	ownerNames         = []string{"notification", "notification_id", "parent", "parent_id"}
	documentFieldNames = []string{"by_docfield", "document_field", "doc_field", "docfield", "by_document_field", "field"}
	emailNames         = []string{"by_email", "email", "email_address"}
	numberNames        = []string{"by_number", "number", "mobile_number", "phone_number", "phone", "mobile", "contact_number"}
	addressNames       = []string{"address", "recipient", "direct_address", "direct"}
)

// kind is what an object of the app is.
type kind int

const (
	notAnything kind = iota
	aNotification
	anEmailRecipient
	aNumberRecipient
	aRecipient
)

// kindOf tells it by the model's name in lower case.
func kindOf(model string) kind {
	bare := strings.ReplaceAll(model, "_", "")
	switch strings.TrimPrefix(bare, "notification") {
	case "", "rule":
		return aNotification
	case "emailrecipient", "recipientemail":
		return anEmailRecipient
	case "numberrecipient", "phonerecipient", "mobilerecipient", "smsrecipient", "recipientnumber":
		return aNumberRecipient
	case "recipient":
		return aRecipient
	default:
		return notAnything
	}
}

var channels = map[string]rule.Channel{
	"e": rule.Email, "email": rule.Email, "mail": rule.Email,
	"s": rule.SMS, "sms": rule.SMS,
	"w": rule.WhatsApp, "whatsapp": rule.WhatsApp,
}

var triggers = map[string]rule.Trigger{
	"n": rule.OnNew, "new": rule.OnNew, "create": rule.OnNew, "created": rule.OnNew,
	"u": rule.OnUpdate, "update": rule.OnUpdate, "updated": rule.OnUpdate,
	"d": rule.OnDelete, "delete": rule.OnDelete, "deleted": rule.OnDelete,
	"v": rule.OnValueChange, "valuechange": rule.OnValueChange,
	"b": rule.DaysBefore, "daysbefore": rule.DaysBefore, "before": rule.DaysBefore,
	"a": rule.DaysAfter, "daysafter": rule.DaysAfter, "after": rule.DaysAfter,
}

// choice finds a choice by what Django keeps of it or shows of it: "V", "Value Change", "value_change".
func choice[T any](choices map[string]T, text string) (T, bool) {
	found, ok := choices[strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(strings.TrimSpace(text)))]
	return found, ok
}

// withoutLabel gives the key of "key ~ label".
func withoutLabel(text string) string {
	key, _, _ := strings.Cut(text, "~")
	return strings.TrimSpace(key)
}
