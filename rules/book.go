// Package rules keeps notifications for Go programs, the REST API, the console and imports alike: every way in goes
// through a Book, so that the same checks hold everywhere.
package rules

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// The parts of a notification.
type (
	// Notification is the rule that an administrator writes.
	Notification = rule.Notification
	// Recipient says how a notification finds addresses.
	Recipient = rule.Recipient
	// RecipientQuery finds everyone in a model who fits.
	RecipientQuery = rule.RecipientQuery
	// Match is a field that must have a value.
	Match = rule.Match
	// Variant is a notification's texts in one language.
	Variant = rule.Variant
	// Attachment is a file that goes with an email.
	Attachment = rule.Attachment
	// Replacing are conditions under which a notification is replaced.
	Replacing = store.Replacing
	// Settings are what an operator decides about all notifications.
	Settings = rule.Settings
	// Mapping names the fields of a model that hold an address.
	Mapping = rule.Mapping
	// FieldErrors is everything that is wrong with a notification, by the field's name in the API.
	FieldErrors = rule.FieldErrors
)

// The channels.
const (
	Email    = rule.Email
	SMS      = rule.SMS
	WhatsApp = rule.WhatsApp
)

// The triggers.
const (
	OnNew         = rule.OnNew
	OnUpdate      = rule.OnUpdate
	OnDelete      = rule.OnDelete
	OnValueChange = rule.OnValueChange
	DaysBefore    = rule.DaysBefore
	DaysAfter     = rule.DaysAfter
)

// ErrNotFound says that no notification has the ID.
var ErrNotFound = store.ErrNotFound

// ErrVersionConflict says that somebody else has changed the notification since it was read.
var ErrVersionConflict = store.ErrVersionConflict

// Options are what a Book works with.
type Options struct {
	// DefaultRegion is the country (ISO 3166) of phone numbers that are written without one.
	DefaultRegion string
	Settings      Settings
	// Addresses replaces the check of addresses; nil means that of this project, with DefaultRegion.
	Addresses rule.Addresses
	// OnChange is called after a change has been committed; it may be nil.
	OnChange func(ctx context.Context)
}

// Book keeps notifications. It is safe for concurrent use.
type Book struct {
	db            *gorm.DB
	notifications store.Notifications
	lists         store.Lists
	options       Options
}

// New gives a Book on the application's database, whose tables are up to date.
func New(db *gorm.DB, o Options) *Book {
	if o.Addresses == nil {
		o.Addresses = address.Normalizer{DefaultRegion: o.DefaultRegion}
	}
	if o.OnChange == nil {
		o.OnChange = func(context.Context) {}
	}
	return &Book{db: db, notifications: store.Notifications{DB: db}, lists: store.Lists{DB: db}, options: o}
}

// Reader gives what notifications are read with at this moment: the catalog, the lists and the settings.
func (b *Book) Reader(ctx context.Context) (rule.Reader, error) {
	models, err := catalog.Load(ctx, b.db)
	if err != nil {
		return rule.Reader{}, err
	}
	lists, err := b.lists.IDs(ctx)
	if err != nil {
		return rule.Reader{}, err
	}
	return rule.Reader{
		Models: models, Addresses: b.options.Addresses, Settings: b.options.Settings,
		HasList: func(id string) bool { return lists[id] },
	}, nil
}

// Validate gives everything that is wrong with a notification, as FieldErrors, or the database's error.
func (b *Book) Validate(ctx context.Context, n *Notification) error {
	reader, err := b.Reader(ctx)
	if err != nil {
		return err
	}
	return reader.Validate(n).Err()
}

// Get reads one notification, or gives ErrNotFound.
func (b *Book) Get(ctx context.Context, id string) (*Notification, error) {
	return b.notifications.Get(ctx, id)
}

// Create stores a new notification, and fills in its ID, version and times. by says who does it, for the history. What
// is wrong with it is FieldErrors, and then nothing is stored. Settings of triggers that it does not have are dropped.
func (b *Book) Create(ctx context.Context, n *Notification, by string) error {
	return b.write(ctx, n, func() error { return b.notifications.Create(ctx, n, by) })
}

// Update replaces the notification that has n's ID, or gives ErrNotFound. What is wrong with it is FieldErrors, and then
// it stays as it was. Settings of triggers that it does not have are dropped.
func (b *Book) Update(ctx context.Context, n *Notification, by string) error {
	return b.write(ctx, n, func() error { return b.notifications.Update(ctx, n, by) })
}

// UpdateFrom is Update of the version that was read: when somebody else has changed the notification since, it stays as it
// is and the error is ErrVersionConflict.
func (b *Book) UpdateFrom(ctx context.Context, n *Notification, version int64, by string) error {
	return b.Replace(ctx, n, Replacing{From: version}, by)
}

// Replace is Update under conditions.
func (b *Book) Replace(ctx context.Context, n *Notification, how Replacing, by string) error {
	return b.write(ctx, n, func() error { return b.notifications.Replace(ctx, n, how, by) })
}

func (b *Book) write(ctx context.Context, n *Notification, store func() error) error {
	if err := b.Validate(ctx, n); err != nil {
		return err
	}
	n.DropOtherTriggers()
	return b.changed(ctx, listGone(store()))
}

// listGone says that a saved list was deleted between the check and the change as the check would have said it.
func listGone(err error) error {
	var gone *store.NoListError
	if errors.As(err, &gone) {
		return FieldErrors{fmt.Sprintf("recipients[%d].list_id", gone.Recipient): rule.NoSuchList}
	}
	return err
}

// Delete removes a notification, or gives ErrNotFound. Changes that were captured before are still judged by it.
func (b *Book) Delete(ctx context.Context, id, by string) error {
	return b.changed(ctx, b.notifications.Delete(ctx, id, by))
}

// changed tells whoever wants to know.
func (b *Book) changed(ctx context.Context, err error) error {
	if err == nil {
		b.options.OnChange(ctx)
	}
	return err
}

// IsInvalid gives what is wrong with a notification, when that is what the error says.
func IsInvalid(err error) (FieldErrors, bool) {
	var wrong FieldErrors
	return wrong, errors.As(err, &wrong)
}
