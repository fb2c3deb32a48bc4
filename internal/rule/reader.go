package rule

import "time"

// Reader reads notifications: it knows the models that they are about, what an address looks like, and the settings
// under which they are read. Every way in uses the same one: form, API, import, worker.
type Reader struct {
	Models    Models
	Addresses Addresses
	Settings  Settings
	// HasList says whether a saved list exists; nil when that is not to be checked.
	HasList func(id string) bool
}

// Settings are what an operator decides about all notifications.
type Settings struct {
	// EmailFields and NumberFields say which fields of a related row hold its address.
	EmailFields, NumberFields Mapping
	// Zone is where days begin for a notification that names no time zone; nil means UTC.
	Zone *time.Location
	// KeepUnresolved lets a placeholder that names nothing stay as it is written, which was the Django app's way.
	// Otherwise it is refused when the notification is saved.
	KeepUnresolved bool
}

// Mapping names the fields of a model that hold an address, in the order of priority: the first that gives a usable
// address counts. A field may be a path. The key is the table's name, or the Django app's "app.Model".
type Mapping map[string][]string

// zone is where the notification's days begin.
func (s Settings) zone(n *Notification) *time.Location {
	if n.TimeZone != "" {
		if zone, err := time.LoadLocation(n.TimeZone); err == nil {
			return zone
		}
	}
	if s.Zone != nil {
		return s.Zone
	}
	return time.UTC
}
