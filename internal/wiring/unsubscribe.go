package wiring

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/unsubscribe"
)

// keyTimeout bounds the look for the key of the links, which is one row.
const keyTimeout = 30 * time.Second

// unsubscribeLinks gives the links by which recipients of emails leave; nil where NOTIFY_PUBLIC_URL is none that they
// could follow.
func unsubscribeLinks(c *config.Config, db *gorm.DB) (func(deliveryID string) string, error) {
	if !unsubscribe.Usable(c.Access.PublicURL) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), keyTimeout)
	defer cancel()
	tokens, err := unsubscribe.Load(ctx, store.Secrets{DB: db})
	if err != nil {
		return nil, err
	}
	return tokens.Links(c.Access.PublicURL), nil
}
