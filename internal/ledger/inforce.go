package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// inForceLimit bounds what is remembered: one entry a model, kind of change and revision.
const inForceLimit = 64

// latestLimit bounds the notifications that are held once.
const latestLimit = 50_000

// rulesInForce remembers which notifications were in force at a revision. That never changes: a later change of the rules
// has a later revision.
type rulesInForce struct {
	mutex sync.Mutex
	known map[string][]*rule.Notification
	// order lists the keys, oldest first.
	order []string
	// latest holds each notification once, by its ID, for all revisions in which it did not change.
	latest map[string]*rule.Notification
}

func (r *rulesInForce) get(key string) ([]*rule.Notification, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	found, ok := r.known[key]
	return found, ok
}

func (r *rulesInForce) put(key string, notifications []*rule.Notification) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.known == nil {
		r.known, r.latest = make(map[string][]*rule.Notification), make(map[string]*rule.Notification)
	}
	if len(r.latest) > latestLimit {
		clear(r.latest) // deleted ones would stay for ever
	}
	for i, n := range notifications {
		if known := r.latest[n.ID]; known != nil && known.Version == n.Version {
			notifications[i] = known
		} else {
			r.latest[n.ID] = n
		}
	}
	if _, ok := r.known[key]; !ok {
		r.order = append(r.order, key)
	}
	r.known[key] = notifications
	if len(r.order) > inForceLimit {
		delete(r.known, r.order[0])
		r.order = slices.Delete(r.order, 0, 1)
	}
}

// InForce reads the active notifications of a model and triggers as they were at a revision. They are shared: nobody
// changes them.
func (l *Ledger) InForce(
	ctx context.Context, model string, triggers []rule.Trigger, revision int64,
) ([]*rule.Notification, error) {
	names := make([]string, len(triggers))
	for i, t := range triggers {
		names[i] = string(t)
	}
	key := fmt.Sprintf("%d %s %s", revision, strings.Join(names, ","), model)
	if known, ok := l.inForce.get(key); ok {
		return known, nil
	}
	notifications, err := l.notifications.InForce(ctx, model, triggers, revision)
	if err != nil {
		return nil, err
	}
	l.inForce.put(key, notifications)
	return notifications, nil
}
