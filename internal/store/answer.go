package store

import (
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// heard is a message by which a person said that they want messages or none.
type heard struct {
	ID      string `gorm:"primaryKey"`
	HeardAt time.Time
}

// TableName is fixed by the migrations.
func (heard) TableName() string { return "notify_answers" }

// HearTx writes down in the caller's transaction that an answer of the name was heard, and says whether it is new. The
// name is the message's, or the signature of the call that told of it. One that comes again, by a provider's repetition or from whoever has caught the call, must not undo what the person has said
// since: of a signed call nothing says when it was made.
func (s Suppressions) HearTx(tx *gorm.DB, name string) (fresh bool, err error) {
	tx = session(tx)
	result := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&heard{ID: name, HeardAt: tx.NowFunc().UTC()})
	if result.Error != nil {
		return false, fmt.Errorf("store: write an answer down: %w", result.Error)
	}
	return result.RowsAffected > 0, nil
}
