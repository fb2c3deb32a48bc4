package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// secretLength is in bytes: as long as SHA-256's output, beyond which a key of HMAC gains nothing (RFC 2104, section 3).
const secretLength = 32

// secret is a random key that all processes share.
type secret struct {
	Purpose   string `gorm:"primaryKey"`
	Value     []byte
	CreatedAt time.Time
}

// TableName is fixed by the migrations.
func (secret) TableName() string { return "notify_secrets" }

// Secrets keeps random keys in the database: web and worker agree on them with nothing to set, and a restart, a further
// process or a copy of the database changes none.
type Secrets struct{ DB *gorm.DB }

// Get gives the key for a purpose, 32 random bytes. The first who asks makes it.
func (s Secrets) Get(ctx context.Context, purpose string) ([]byte, error) {
	db := session(s.DB).WithContext(ctx)
	for made := false; ; made = true {
		var kept []secret
		if err := db.Where("purpose = ?", purpose).Limit(1).Find(&kept).Error; err != nil {
			return nil, fmt.Errorf("store: read the key for %s: %w", purpose, err)
		}
		if len(kept) == 1 && len(kept[0].Value) == secretLength {
			return kept[0].Value, nil
		}
		if made || len(kept) == 1 {
			return nil, fmt.Errorf("store: the key for %s is not one: delete its row in notify_secrets, and a new one is made", purpose)
		}
		fresh := secret{Purpose: purpose, Value: make([]byte, secretLength), CreatedAt: db.NowFunc().UTC()}
		_, _ = rand.Read(fresh.Value) // never fails
		if err := db.Clauses(clause.OnConflict{DoNothing: true}).Create(&fresh).Error; err != nil {
			return nil, fmt.Errorf("store: make the key for %s: %w", purpose, err)
		}
	}
}
