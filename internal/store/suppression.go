package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// SuppressionReason is why an address gets no messages.
type SuppressionReason string

// The reasons.
const (
	SuppressedStop        SuppressionReason = "stop"        // the person answered STOP, or the provider says that they did
	SuppressedUnsubscribe SuppressionReason = "unsubscribe" // the person followed the link
	SuppressedBounce      SuppressionReason = "bounce"      // nobody is at the address
	SuppressedComplaint   SuppressionReason = "complaint"   // the person called a message spam
	SuppressedManual      SuppressionReason = "manual"      // somebody here entered it
)

// SuppressionReasons lists all of them.
var SuppressionReasons = []SuppressionReason{
	SuppressedStop, SuppressedUnsubscribe, SuppressedBounce, SuppressedComplaint, SuppressedManual,
}

// suppressedCode begins the codes of deliveries that were not sent because of a suppression.
const suppressedCode = "suppressed_"

// Code is the error code of a delivery that is not sent for this reason, such as suppressed_stop.
func (r SuppressionReason) Code() string { return suppressedCode + string(r) }

// IsSuppressedCode says whether an error code is one of a delivery that its address did not want.
func IsSuppressedCode(code string) bool { return strings.HasPrefix(code, suppressedCode) }

// weight orders the reasons of which only one can stand: whoever lifts an entry is to see the strongest. What its owner said
// counts more than what was met or entered here, and a complaint more than a leaving, which a link takes back.
func (r SuppressionReason) weight() int {
	switch r {
	case SuppressedComplaint:
		return 2
	case SuppressedStop, SuppressedUnsubscribe:
		return 1
	default:
		return 0
	}
}

// SuppressionSource is by which door a suppression came.
type SuppressionSource string

// The doors.
const (
	SuppressedByHook    SuppressionSource = "hook"
	SuppressedByConsole SuppressionSource = "console"
	SuppressedByAPI     SuppressionSource = "api"
)

// Suppression keeps messages from one address on one channel.
type Suppression struct {
	ID      string `gorm:"primaryKey"`
	Channel rule.Channel
	// Address is in the channel's normal form, and in lower case.
	Address string
	// NotificationID is the notification that is not wanted; empty: none is.
	NotificationID string
	Reason         SuppressionReason
	Source         SuppressionSource
	// DeliveryID is the delivery that told of it; empty when none did.
	DeliveryID string
	// Detail says more in a few words, such as the provider's code or a person's note.
	Detail    string
	CreatedAt time.Time
	// CreatedBy is a user's email, a token's name, or the provider that told.
	CreatedBy string
}

// TableName is fixed by the migrations.
func (Suppression) TableName() string { return "notify_suppressions" }

// SuppressionDetailLimit is how long a person's note may be, in characters.
const SuppressionDetailLimit = 500

// Suppressions keeps the addresses that get no messages.
type Suppressions struct{ DB *gorm.DB }

// FoldAddress gives the form in which suppressions keep an address that is in its channel's normal form: mailboxes whose
// names differ in case alone are one as good as everywhere, and an answer may come from either.
func FoldAddress(address string) string { return strings.ToLower(address) }

// AddTx adds a suppression in the caller's transaction, with its line in the audit log, and says whether it is new. It
// fills in ID and CreatedAt. One that is there for the same address, channel and notification stays as it is, unless the
// new one's reason is stronger: then it takes its place.
func (s Suppressions) AddTx(tx *gorm.DB, added *Suppression) (fresh bool, err error) {
	added.ID, added.CreatedAt = outbox.NewID(), time.Now().UTC().Truncate(time.Microsecond)
	tx = session(tx)
	for {
		if fresh, err = s.insert(tx, added); err != nil {
			return false, err
		}
		if fresh {
			return true, recordSuppression(tx, "added", added, added.CreatedBy)
		}
		if err := s.weigh(tx, added); !errors.Is(err, ErrNotFound) {
			return false, err
		}
		// Somebody has lifted it since: then it is new after all.
	}
}

// insert keeps a suppression as it is given, unless there is one for the same address, channel and notification.
func (s Suppressions) insert(tx *gorm.DB, added *Suppression) (inserted bool, err error) {
	added.Address = FoldAddress(added.Address)
	result := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(added)
	if result.Error != nil {
		return false, fmt.Errorf("store: add a suppression: %w", result.Error)
	}
	return result.RowsAffected > 0, nil
}

// Restore puts back, as it was, a suppression that was lifted, and says so in the audit log. One that has come in its
// place since stays, and restored is false.
func (s Suppressions) Restore(ctx context.Context, was *Suppression, by string) (restored bool, err error) {
	err = session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if restored, err = s.insert(tx, was); err != nil || !restored {
			return err
		}
		return recordSuppression(tx, "restored", was, by)
	})
	return restored, err
}

// weigh leaves the suppression that is there, or puts the given one in its place, and gives which one stands in added.
func (s Suppressions) weigh(tx *gorm.DB, added *Suppression) error {
	var there Suppression
	query := tx.Where("channel = ? AND address = ? AND notification_id = ?", added.Channel, added.Address, added.NotificationID)
	if tx.Name() == "postgres" {
		query = query.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	}
	if err := query.Take(&there).Error; err != nil {
		return fmt.Errorf("store: read a suppression: %w", found(err))
	}
	if added.Reason.weight() <= there.Reason.weight() {
		*added = there
		return nil
	}
	added.ID = there.ID
	if err := tx.Save(added).Error; err != nil {
		return fmt.Errorf("store: change a suppression: %w", err)
	}
	return recordSuppression(tx, "changed", added, added.CreatedBy)
}

// Add is AddTx in a transaction of its own.
func (s Suppressions) Add(ctx context.Context, added *Suppression) (fresh bool, err error) {
	err = session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		fresh, err = s.AddTx(tx, added)
		return err
	})
	return fresh, err
}

// RemoveTx lifts a suppression in the caller's transaction, with its line in the audit log, and gives what it was, or
// ErrNotFound.
func (s Suppressions) RemoveTx(tx *gorm.DB, id, by string) (*Suppression, error) {
	removed, err := s.removeTx(tx, by, "id = ?", id)
	if err != nil || len(removed) == 0 {
		return nil, cmp.Or(err, ErrNotFound)
	}
	return removed[0], nil
}

// LiftTx lifts what a person takes back: the suppressions of an address on a channel, of any notification, that have one
// of the reasons. It gives them.
func (s Suppressions) LiftTx(tx *gorm.DB, channel rule.Channel, address, by string, reasons ...SuppressionReason) ([]*Suppression, error) {
	return s.removeTx(tx, by, "channel = ? AND address = ? AND reason IN ?", channel, FoldAddress(address), reasons)
}

func (s Suppressions) removeTx(tx *gorm.DB, by, condition string, arguments ...any) (removed []*Suppression, err error) {
	tx = session(tx)
	if err := tx.Clauses(clause.Returning{}).Where(condition, arguments...).Delete(&removed).Error; err != nil {
		return nil, fmt.Errorf("store: lift suppressions: %w", err)
	}
	for _, r := range removed {
		if err := recordSuppression(tx, "removed", r, by); err != nil {
			return nil, err
		}
	}
	return removed, nil
}

// Remove is RemoveTx in a transaction of its own.
func (s Suppressions) Remove(ctx context.Context, id, by string) (removed *Suppression, err error) {
	err = session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		removed, err = s.RemoveTx(tx, id, by)
		return err
	})
	return removed, err
}

// recordSuppression tells the audit log, which is kept for ever and so does not name the address in full.
func recordSuppression(tx *gorm.DB, change string, s *Suppression, by string) error {
	return audit.RecordTx(tx, audit.Entry{
		Actor: by, Action: "suppression." + change, TargetID: s.ID,
		Detail: fmt.Sprintf("%s, %s: %s", s.Channel, s.Reason, Masked(s.Address)),
	})
}

// Masked gives as much of an address as tells one from the next: a…@example.com, …0123.
func Masked(address string) string {
	if name, domain, ok := strings.Cut(address, "@"); ok {
		return name[:min(1, len(name))] + "…@" + domain
	}
	return "…" + address[max(0, len(address)-4):]
}

// Get reads one suppression, or gives ErrNotFound.
func (s Suppressions) Get(ctx context.Context, id string) (*Suppression, error) {
	kept := new(Suppression)
	if err := session(s.DB).WithContext(ctx).Take(kept, "id = ?", id).Error; err != nil {
		return nil, found(err)
	}
	return kept, nil
}

// Active gives what keeps a notification's messages from each of the addresses, by the address as it was given; what
// suppresses every notification comes before what suppresses this one. An empty notificationID asks for the former alone.
func (s Suppressions) Active(ctx context.Context, channel rule.Channel, addresses []string, notificationID string) (map[string]*Suppression, error) {
	there, err := s.standing(ctx, channel, addresses, []string{notificationID})
	if err != nil {
		return nil, err
	}
	active := make(map[string]*Suppression)
	for _, address := range addresses {
		if by := there.against(address, notificationID); by != nil {
			active[address] = by
		}
	}
	return active, nil
}

// standing holds suppressions of one channel by address, folded, and notification.
type standing map[[2]string]*Suppression

func (s standing) against(address, notificationID string) *Suppression {
	address = FoldAddress(address)
	return cmp.Or(s[[2]string{address, ""}], s[[2]string{address, notificationID}])
}

// standingAtOnce bounds the addresses of one statement.
const standingAtOnce = 1000

// standing reads what there is against addresses, of every notification or of the given ones.
func (s Suppressions) standing(ctx context.Context, channel rule.Channel, addresses, notificationIDs []string) (standing, error) {
	there := make(standing)
	notificationIDs = append([]string{""}, notificationIDs...)
	for part := range slices.Chunk(addresses, standingAtOnce) {
		folded := make([]string, len(part))
		for i, address := range part {
			folded[i] = FoldAddress(address)
		}
		var kept []*Suppression
		err := session(s.DB).WithContext(ctx).
			Where("channel = ? AND address IN ? AND notification_id IN ?", channel, folded, notificationIDs).Find(&kept).Error
		if err != nil {
			return nil, fmt.Errorf("store: look for suppressions: %w", err)
		}
		for _, k := range kept {
			there[[2]string{k.Address, k.NotificationID}] = k
		}
	}
	return there, nil
}
