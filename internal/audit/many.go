package audit

import (
	"fmt"

	"gorm.io/gorm"
)

// RecordAllTx is RecordTx for several entries at once.
func RecordAllTx(tx *gorm.DB, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	rows := make([]row, len(entries))
	for i, e := range entries {
		rows[i] = rowOf(e)
	}
	if err := session(tx).Create(&rows).Error; err != nil {
		return fmt.Errorf("audit: record %s: %w", entries[0].Action, err)
	}
	return nil
}
