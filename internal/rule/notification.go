// Package rule says what a notification is: when it fires, for whom, and what it says. It is pure: rules are data, and
// nothing here reads a database, a file, the network or the clock.
package rule

import "time"

// Channel is the way a message travels.
type Channel string

// The channels.
const (
	Email    Channel = "email"
	SMS      Channel = "sms"
	WhatsApp Channel = "whatsapp"
)

// Channels lists every channel, in the order in which people see them.
var Channels = []Channel{Email, SMS, WhatsApp}

// Trigger is what makes a notification fire.
type Trigger string

// The triggers.
const (
	OnNew         Trigger = "new"
	OnUpdate      Trigger = "update"
	OnDelete      Trigger = "delete"
	OnValueChange Trigger = "value_change"
	DaysBefore    Trigger = "days_before"
	DaysAfter     Trigger = "days_after"
)

// Triggers lists every trigger, in the order in which people see them.
var Triggers = []Trigger{OnNew, OnUpdate, OnDelete, OnValueChange, DaysBefore, DaysAfter}

// Action is what happened to a row.
type Action string

// The actions. Test and Retry enter by the same door as changes of rows: a test message, and a delivery that a person
// wants handed over again.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
	Test   Action = "test"
	Retry  Action = "retry"
	// Alert is a date that has come near enough, or lies far enough back, for one notification.
	Alert Action = "alert"
)

// TriggersFor lists the triggers that an action can set off.
func TriggersFor(a Action) []Trigger {
	switch a {
	case Create:
		return []Trigger{OnNew}
	case Update:
		return []Trigger{OnUpdate, OnValueChange}
	case Delete:
		return []Trigger{OnDelete}
	case Alert:
		return []Trigger{DaysBefore, DaysAfter}
	default:
		return nil
	}
}

// Notification is the rule that an administrator writes: when this happens to a row of that model, and these
// conditions hold, tell these recipients this.
type Notification struct {
	ID string `json:"id"`
	// Title is the email's subject; it is a template.
	Title string `json:"title"`
	// Message is the text of the message; it is a template.
	Message string `json:"message"`
	// HTMLMessage is the optional HTML body of an email; it is a template.
	HTMLMessage string  `json:"html_message"`
	Active      bool    `json:"active"`
	Channel     Channel `json:"channel"`
	// Model is the table's name, as the catalog lists it.
	Model   string  `json:"model"`
	Trigger Trigger `json:"trigger"`
	// ValueChangeField is the field that the value_change trigger watches; ValueChangeFields are further ones. A change
	// of any of them fires.
	ValueChangeField  string   `json:"value_change_field"`
	ValueChangeFields []string `json:"value_change_fields"`
	// ValueChangeFrom and ValueChangeTo, when they are set, are the value before and after the change, written as in a
	// condition but without quotes; an empty text stands for null and for an empty text.
	ValueChangeFrom *string `json:"value_change_from"`
	ValueChangeTo   *string `json:"value_change_to"`
	// DateField is the field that the days_before and days_after triggers count from.
	DateField string `json:"date_field"`
	// AlertDays is a whole number of AlertUnit, zero or more; nil when the trigger needs none.
	AlertDays *int `json:"alert_days"`
	// AlertUnit is what AlertDays counts; empty means days.
	AlertUnit AlertUnit `json:"alert_unit"`
	// AlertTime is the time of day, hh:mm, at which an alert of whole days fires; empty means midnight.
	AlertTime string `json:"alert_time"`
	// TimeZone is the IANA name of the zone in which days begin and times are read; empty means the setting's.
	TimeZone string `json:"time_zone"`
	// Conditions holds one condition a line; any true line sends, and none at all sends always.
	Conditions string      `json:"conditions"`
	Recipients []Recipient `json:"recipients"`
	// ReplyTo is where answers to an email go: an address, or a document field; empty means the setting's.
	ReplyTo string `json:"reply_to"`
	// LocaleField says which language a recipient reads: a field of the row that holds the recipient's address, such as
	// language, or a path such as doc.customer.language, which is the same for all.
	LocaleField string `json:"locale_field"`
	// Variants are the texts in other languages. A recipient without one gets Title, Message and HTMLMessage.
	Variants []Variant `json:"variants"`
	// ContentSID names a WhatsApp template approved at Twilio (HX…), which is sent instead of Message.
	ContentSID string `json:"content_sid"`
	// ContentVariables are the template's variables by their names, such as "1"; each is a template.
	ContentVariables map[string]string `json:"content_variables"`
	Attachments      []Attachment      `json:"attachments"`
	// RetryAttempts and RetryInterval (in seconds) replace the settings' where they are not zero.
	RetryAttempts int `json:"retry_attempts"`
	RetryInterval int `json:"retry_interval"`
	// Priority is 1 (first) to 5 (last) among what waits for the same channel; zero means 3.
	Priority int `json:"priority"`
	// ValidFor is how many minutes after the change a message is still of use; zero means for ever.
	ValidFor int `json:"valid_for"`
	// Version counts the changes of this notification, from 1.
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// ActiveSince is when the notification became active, or its dates last changed: no alert looks back beyond it.
	ActiveSince time.Time `json:"active_since"`
}

// DropOtherTriggers clears the settings of triggers that the notification does not have: nothing would look at them, and
// they would come to life, unseen, when somebody changes the trigger.
func (n *Notification) DropOtherTriggers() {
	if n.Trigger != OnValueChange {
		n.ValueChangeField, n.ValueChangeFields, n.ValueChangeFrom, n.ValueChangeTo = "", nil, nil, nil
	}
	if n.Trigger != DaysBefore && n.Trigger != DaysAfter {
		n.DateField, n.AlertDays, n.AlertUnit, n.AlertTime = "", nil, "", ""
	}
}

// AlertsDiffer says whether two states of a notification count their dates differently.
func (n *Notification) AlertsDiffer(other *Notification) bool {
	days := func(n *Notification) int {
		if n.AlertDays == nil {
			return -1
		}
		return *n.AlertDays
	}
	return n.Trigger != other.Trigger || n.Model != other.Model || n.DateField != other.DateField ||
		days(n) != days(other) || n.AlertUnit != other.AlertUnit || n.AlertTime != other.AlertTime ||
		n.TimeZone != other.TimeZone
}

// AlertUnit is what a date alert counts.
type AlertUnit string

// The units. Hours and minutes are for fields that hold a time.
const (
	Days    AlertUnit = "days"
	Hours   AlertUnit = "hours"
	Minutes AlertUnit = "minutes"
)

// AlertUnits lists every unit.
var AlertUnits = []AlertUnit{Days, Hours, Minutes}

// Recipient says how a notification finds addresses: a direct one, a document field path or a relation, a saved list, a
// query. A row can have several of them, and then all count.
type Recipient struct {
	Address       string `json:"address"`
	DocumentField string `json:"document_field"`
	// ListID names a saved list.
	ListID string `json:"list_id"`
	// Query finds everyone in a model who fits.
	Query *RecipientQuery `json:"query"`
	// Copy makes them copies (Cc) of an email: each gets a message of its own in which the copies are named.
	Copy bool `json:"copy"`
}

// RecipientQuery finds rows of a model, such as the employees with a role.
type RecipientQuery struct {
	// Model is the table that is searched.
	Model string `json:"model"`
	// Field holds the address, and may be a path; empty means the fields that the mapping, hints and common names give.
	Field string  `json:"field"`
	Where []Match `json:"where"`
}

// Match is a field that must have a value.
type Match struct {
	Field string `json:"field"`
	// Value is a value in the field's type as text, or a document field (doc.region).
	Value string `json:"value"`
}

// Variant is a notification's texts in one language.
type Variant struct {
	// Locale is a BCP 47 tag such as de or pt-BR.
	Locale      string `json:"locale"`
	Title       string `json:"title"`
	Message     string `json:"message"`
	HTMLMessage string `json:"html_message"`
}

// Attachment is a file that goes with an email: the one that a document field names by its path or URL, or Text.
type Attachment struct {
	// Name is the file's name; empty means that of the path or URL. It is a template.
	Name          string `json:"name"`
	DocumentField string `json:"document_field"`
	// Text is a template.
	Text string `json:"text"`
}

// ListEntry is a person on a saved list, with an address for each kind of channel.
type ListEntry struct {
	Name   string `json:"name"`
	Email  string `json:"email"`
	Number string `json:"number"`
	Locale string `json:"locale"`
}
