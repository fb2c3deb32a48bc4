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
	// ValueChangeField is the field that the value_change trigger watches.
	ValueChangeField string `json:"value_change_field"`
	// DateField is the field that the days_before and days_after triggers count from.
	DateField string `json:"date_field"`
	// AlertDays is a whole number of days, zero or more; nil when the trigger needs none.
	AlertDays *int `json:"alert_days"`
	// Conditions holds one condition a line; any true line sends, and none at all sends always.
	Conditions string      `json:"conditions"`
	Recipients []Recipient `json:"recipients"`
	// Version counts the changes of this notification, from 1.
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Recipient says how a notification finds addresses: a direct one, a document field path, or both.
type Recipient struct {
	Address       string `json:"address"`
	DocumentField string `json:"document_field"`
}
