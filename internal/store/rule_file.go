package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
)

// RuleFile is a file of notifications between its upload and its import.
type RuleFile struct {
	ID string `gorm:"primaryKey"`
	// Name is what the file was called.
	Name      string
	Content   []byte
	CreatedBy string
	CreatedAt time.Time
}

// TableName is fixed by the migrations.
func (RuleFile) TableName() string { return "notify_rule_files" }

// RuleFiles keeps uploaded files for RuleFileAge, so that any web process can carry on with an import.
type RuleFiles struct{ DB *gorm.DB }

// RuleFileAge is how long an uploaded file is kept: it may hold addresses.
const RuleFileAge = 24 * time.Hour

// Put keeps a file, and fills in its ID and time; files that are too old go.
func (s RuleFiles) Put(ctx context.Context, f *RuleFile) error {
	f.ID, f.CreatedAt = outbox.NewID(), time.Now().UTC().Truncate(time.Microsecond)
	err := session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Delete(&RuleFile{}, "created_at < ?", f.CreatedAt.Add(-RuleFileAge)).Error; err != nil {
			return err
		}
		return tx.Create(f).Error
	})
	if err != nil {
		return fmt.Errorf("store: keep an uploaded file: %w", err)
	}
	return nil
}

// Get reads a file, or gives ErrNotFound.
func (s RuleFiles) Get(ctx context.Context, id string) (*RuleFile, error) {
	f := new(RuleFile)
	err := session(s.DB).WithContext(ctx).Take(f, "id = ? AND created_at >= ?", id, time.Now().UTC().Add(-RuleFileAge)).Error
	if err != nil {
		return nil, found(err)
	}
	return f, nil
}

// Remove forgets a file.
func (s RuleFiles) Remove(ctx context.Context, id string) error {
	if err := session(s.DB).WithContext(ctx).Delete(&RuleFile{}, "id = ?", id).Error; err != nil {
		return fmt.Errorf("store: forget an uploaded file: %w", err)
	}
	return nil
}
