package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// List is a saved list of recipients, which any notification can name.
type List struct {
	ID        string           `json:"id"`
	Name      string           `json:"name"`
	Entries   []rule.ListEntry `json:"entries"`
	CreatedAt time.Time        `json:"created_at"`
	UpdatedAt time.Time        `json:"updated_at"`
}

// listRow is a list as stored.
type listRow struct {
	ID        string `gorm:"primaryKey"`
	Name      string
	Entries   outbox.Snapshot
	CreatedAt time.Time
	UpdatedAt time.Time
}

// TableName is fixed by the migrations.
func (listRow) TableName() string { return "notify_lists" }

// ErrNameTaken says that another list has the name.
var ErrNameTaken = errors.New("store: the name is taken")

// Lists keeps the saved lists.
type Lists struct{ DB *gorm.DB }

// Get reads one list, or gives ErrNotFound.
func (s Lists) Get(ctx context.Context, id string) (*List, error) {
	var row listRow
	if err := session(s.DB).WithContext(ctx).Take(&row, "id = ?", id).Error; err != nil {
		return nil, found(err)
	}
	return row.list()
}

// List reads a page, newest first.
func (s Lists) List(ctx context.Context, p Paging) (Page[*List], error) {
	rows, err := newestFirst(session(s.DB).WithContext(ctx), p, func(r listRow) string { return r.ID })
	if err != nil {
		return Page[*List]{}, fmt.Errorf("store: lists: %w", err)
	}
	page := Page[*List]{Items: make([]*List, len(rows.Items)), Next: rows.Next}
	for i, row := range rows.Items {
		if page.Items[i], err = row.list(); err != nil {
			return Page[*List]{}, err
		}
	}
	return page, nil
}

// IDs reads the IDs of every list.
func (s Lists) IDs(ctx context.Context) (map[string]bool, error) {
	var ids []string
	if err := session(s.DB).WithContext(ctx).Model(&listRow{}).Pluck("id", &ids).Error; err != nil {
		return nil, fmt.Errorf("store: IDs of the lists: %w", err)
	}
	known := make(map[string]bool, len(ids))
	for _, id := range ids {
		known[id] = true
	}
	return known, nil
}

// Create stores a new list; it fills in ID and the times. A name that another list has is ErrNameTaken.
func (s Lists) Create(ctx context.Context, l *List, by string) error {
	now := time.Now().UTC().Truncate(time.Microsecond)
	l.ID, l.CreatedAt, l.UpdatedAt = outbox.NewID(), now, now
	return s.write(ctx, l, func(tx *gorm.DB, row *listRow) error {
		if err := tx.Create(row).Error; err != nil {
			return err
		}
		return recordList(tx, Created, row, by)
	})
}

// Update replaces the list with l's ID, or gives ErrNotFound; it fills in the times. A name that another list has is
// ErrNameTaken.
func (s Lists) Update(ctx context.Context, l *List, by string) error {
	return s.write(ctx, l, func(tx *gorm.DB, row *listRow) error {
		var before listRow
		if err := tx.Take(&before, "id = ?", l.ID).Error; err != nil {
			return found(err)
		}
		l.CreatedAt, l.UpdatedAt = before.CreatedAt.UTC(), time.Now().UTC().Truncate(time.Microsecond)
		row.CreatedAt, row.UpdatedAt = l.CreatedAt, l.UpdatedAt
		if err := tx.Save(row).Error; err != nil {
			return err
		}
		return recordList(tx, Changed, row, by)
	})
}

// recordList tells the audit log.
func recordList(tx *gorm.DB, change Change, l *listRow, by string) error {
	return audit.RecordTx(tx, audit.Entry{Actor: by, Action: "list." + string(change), TargetID: l.ID, Detail: l.Name})
}

// write stores a list unless another one has its name.
func (s Lists) write(ctx context.Context, l *List, apply func(tx *gorm.DB, row *listRow) error) error {
	row, err := l.row()
	if err != nil {
		return err
	}
	err = session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var others int64
		if err := tx.Model(&listRow{}).Where("name = ? AND id <> ?", l.Name, l.ID).Count(&others).Error; err != nil {
			return fmt.Errorf("store: list: %w", err)
		}
		if others > 0 {
			return ErrNameTaken
		}
		return apply(tx, row)
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return ErrNameTaken // another one at the same moment
	}
	return err
}

func (l *List) row() (*listRow, error) {
	if l.Entries == nil {
		l.Entries = []rule.ListEntry{}
	}
	entries, err := json.Marshal(l.Entries)
	if err != nil {
		return nil, fmt.Errorf("store: list: %w", err)
	}
	return &listRow{ID: l.ID, Name: l.Name, Entries: entries, CreatedAt: l.CreatedAt, UpdatedAt: l.UpdatedAt}, nil
}

// All reads every list, in the order of their names. A console has some dozens of them.
func (s Lists) All(ctx context.Context) ([]*List, error) {
	var rows []listRow
	if err := session(s.DB).WithContext(ctx).Order("name").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("store: all lists: %w", err)
	}
	lists := make([]*List, len(rows))
	for i, row := range rows {
		var err error
		if lists[i], err = row.list(); err != nil {
			return nil, err
		}
	}
	return lists, nil
}

// Names reads the names of every list, by their IDs.
func (s Lists) Names(ctx context.Context) (map[string]string, error) {
	var rows []listRow
	if err := session(s.DB).WithContext(ctx).Select("id, name").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("store: names of the lists: %w", err)
	}
	names := make(map[string]string, len(rows))
	for _, row := range rows {
		names[row.ID] = row.Name
	}
	return names, nil
}

// ErrListInUse says that a notification names the list.
var ErrListInUse = errors.New("store: a notification names the list")

// Delete removes a list, or gives ErrNotFound. One that a notification names is ErrListInUse: the notification would lose
// its recipients without a word.
func (s Lists) Delete(ctx context.Context, id, by string) error {
	err := session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// Whoever changes notifications holds this lock: none that names the list can come between.
		if err := tx.Exec("UPDATE notify_revision SET revision = revision WHERE id = 1").Error; err != nil {
			return err
		}
		var before listRow
		if err := tx.Take(&before, "id = ?", id).Error; err != nil {
			return found(err)
		}
		var naming []string
		err := NotificationFilter{ListID: id}.apply(tx).Model(&notificationRow{}).Limit(1).Pluck("id", &naming).Error
		if err != nil {
			return err
		}
		if len(naming) > 0 {
			return ErrListInUse
		}
		if err := tx.Delete(&listRow{}, "id = ?", id).Error; err != nil {
			return err
		}
		return recordList(tx, Deleted, &before, by)
	})
	if err != nil {
		return fmt.Errorf("store: delete a list: %w", err)
	}
	return nil
}

func (r listRow) list() (*List, error) {
	l := &List{ID: r.ID, Name: r.Name, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC()}
	if err := json.Unmarshal(r.Entries, &l.Entries); err != nil {
		return nil, fmt.Errorf("store: the entries of list %s cannot be read: %w", r.ID, err)
	}
	return l, nil
}
