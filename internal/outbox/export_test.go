package outbox

import (
	"context"

	"gorm.io/gorm"
)

// ClaimFrom claims from lanes that were listed a moment ago.
func (t *Turns) ClaimFrom(ctx context.Context, db *gorm.DB, lanes []string, limit int) (Batch, error) {
	return t.claimFrom(ctx, db, lanes, limit)
}
