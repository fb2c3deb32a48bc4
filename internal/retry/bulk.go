package retry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/store"
)

// BulkStatus is how far a bulk retry has come.
type BulkStatus string

// The statuses of a bulk retry.
const (
	Running BulkStatus = "running"
	Stopped BulkStatus = "stopped"
	Ended   BulkStatus = "ended"
)

// Bulk is the retry of everything that a filter matched when a person asked, in steps of one transaction each. It goes on
// whoever looks, also in another process after a restart, until it has ended or somebody stops it.
type Bulk struct {
	ID     string `gorm:"primaryKey"`
	Filter outbox.Snapshot
	Actor  string
	Status BulkStatus
	// Total is what matched at the beginning; zero until the first step has counted.
	Total int64
	// AfterID is the last delivery that was looked at; UntilID is greater than those that were there at the beginning.
	AfterID, UntilID  string
	Accepted, Skipped int64
	CreatedAt         time.Time
	UpdatedAt         time.Time
	EndedAt           *time.Time
}

// TableName is fixed by the migrations.
func (Bulk) TableName() string { return "notify_bulk_retries" }

// Done is what has been looked at.
func (b *Bulk) Done() int64 { return b.Accepted + b.Skipped }

// Matched says which deliveries the bulk retry is about.
func (b *Bulk) Matched() (f store.DeliveryFilter, err error) {
	if err := json.Unmarshal(b.Filter, &f); err != nil {
		return f, fmt.Errorf("retry: filter of bulk retry %s: %w", b.ID, err)
	}
	return f, nil
}

// Begin keeps a bulk retry, which Run carries out.
func (r Retries) Begin(ctx context.Context, f store.DeliveryFilter, by By) (*Bulk, error) {
	filter, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("retry: filter: %w", err)
	}
	now := r.DB.NowFunc().UTC().Truncate(time.Microsecond)
	until, err := r.untilID(ctx)
	if err != nil {
		return nil, err
	}
	b := &Bulk{
		ID: outbox.NewID(), Filter: filter, Actor: by.Actor, Status: Running, UntilID: until,
		CreatedAt: now, UpdatedAt: now,
	}
	err = r.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(b).Error; err != nil {
			return err
		}
		return audit.RecordTx(tx, audit.Entry{
			Actor: by.Actor, Action: "delivery.retried", Detail: "all that a filter matches",
		})
	})
	if err != nil {
		return nil, fmt.Errorf("retry: begin a bulk retry: %w", err)
	}
	return b, nil
}

// untilID gives an ID that is greater than those of all deliveries there are. A worker whose clock is ahead of ours gives
// IDs that ours reaches only later.
func (r Retries) untilID(ctx context.Context) (string, error) {
	var last []string
	if err := r.DB.WithContext(ctx).Model(&store.Delivery{}).Order("id DESC").Limit(1).Pluck("id", &last).Error; err != nil {
		return "", fmt.Errorf("retry: read the last delivery: %w", err)
	}
	until := outbox.NewID()
	if len(last) == 1 && last[0] >= until {
		until = last[0] + "0"
	}
	return until, nil
}

// Bulk reads one, or gives store.ErrNotFound.
func (r Retries) Bulk(ctx context.Context, id string) (*Bulk, error) {
	b := new(Bulk)
	err := r.DB.WithContext(ctx).Take(b, "id = ?", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("retry: read bulk retry %s: %w", id, err)
	}
	return b, nil
}

// Running gives the bulk retries that go on, oldest first.
func (r Retries) Running(ctx context.Context) (bulks []*Bulk, err error) {
	err = r.DB.WithContext(ctx).Where("status = 'running'").Order("id").Limit(20).Find(&bulks).Error
	if err != nil {
		return nil, fmt.Errorf("retry: read bulk retries: %w", err)
	}
	return bulks, nil
}

// Stop ends a bulk retry after the step that is under way: what it has asked for stays asked for.
func (r Retries) Stop(ctx context.Context, id string, by By) error {
	err := r.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		now := tx.NowFunc().UTC()
		result := tx.Model(&Bulk{}).Where("id = ? AND status = 'running'", id).
			Updates(map[string]any{"status": Stopped, "updated_at": now, "ended_at": now})
		if result.Error != nil || result.RowsAffected == 0 {
			return result.Error
		}
		return audit.RecordTx(tx, audit.Entry{Actor: by.Actor, Action: "delivery.retry_stopped"})
	})
	if err != nil {
		return fmt.Errorf("retry: stop bulk retry %s: %w", id, err)
	}
	return nil
}

const (
	// stepSize is how many deliveries one step takes: small enough for SQLite's other writers, who wait meanwhile.
	stepSize = 200
	// rest is the wait between two steps, look the one between two looks for something to do.
	rest = 50 * time.Millisecond
	look = 2 * time.Second
)

// Run carries bulk retries out until ctx ends. Any number of processes may do so: each takes the steps that no other has
// in hand. A step that fails is tried again, after those of the other bulk retries.
func (r Retries) Run(ctx context.Context) {
	for {
		wait := look
		more, err := r.Step(ctx)
		if err == nil && more {
			wait = rest
		}
		if err != nil && ctx.Err() == nil && r.Log != nil {
			r.Log.WarnContext(ctx, "A step of a bulk retry failed; trying again", "error", store.Unquoted(err), "in", wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// Step takes one step of the bulk retry that has waited longest and that nobody has in hand, and says whether there was one.
func (r Retries) Step(ctx context.Context) (worked bool, err error) {
	var running []Bulk
	fresh := 0
	// A look without a transaction first: on SQLite every transaction waits for the writers.
	if err := r.DB.WithContext(ctx).Where("status = 'running'").Limit(1).Find(&running).Error; err != nil || len(running) == 0 {
		return false, err
	}
	var mine []*Bulk
	err = r.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		query := tx.Where("status = 'running'").Order("updated_at, id").Limit(1)
		if tx.Name() == "postgres" {
			query = query.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate, Options: clause.LockingOptionsSkipLocked})
		}
		if err := query.Find(&mine).Error; err != nil || len(mine) == 0 {
			return err
		}
		worked = true
		fresh, err = step(tx, mine[0])
		return err
	})
	if err != nil {
		if len(mine) > 0 { // the others go first now: one that cannot go on must not hold them up
			err = errors.Join(err, r.DB.WithContext(ctx).Model(&Bulk{}).Where("id = ?", mine[0].ID).UpdateColumn("updated_at", r.DB.NowFunc().UTC()).Error)
		}
		return false, fmt.Errorf("retry: step: %w", err)
	}
	if fresh > 0 && r.Nudge != nil {
		r.Nudge()
	}
	return worked, nil
}

func step(tx *gorm.DB, b *Bulk) (fresh int, err error) {
	filter, err := b.Matched()
	if err != nil {
		return 0, err
	}
	if b.Total == 0 {
		if b.Total, err = (store.Deliveries{DB: tx}).Count(tx.Statement.Context, filter, store.Retryable, b.UntilID); err != nil {
			return 0, err
		}
	}
	ids, more, err := Matching(tx.Statement.Context, tx, filter, b.AfterID, stepSize)
	if err != nil {
		return 0, err
	}
	for i, id := range ids {
		if id >= b.UntilID {
			ids, more = ids[:i], false
			break
		}
	}
	now := tx.NowFunc().UTC().Truncate(time.Microsecond)
	b.UpdatedAt = now
	if len(ids) > 0 {
		var result Result
		if result, fresh, err = deliveriesTx(tx, ids, By{Actor: b.Actor, Source: outbox.FromConsole}); err != nil {
			return 0, err
		}
		b.AfterID = ids[len(ids)-1]
		b.Accepted += int64(len(ids) - len(result.Skipped))
		b.Skipped += int64(len(result.Skipped))
	}
	if !more {
		b.Status, b.EndedAt = Ended, &now
	}
	return fresh, tx.Save(b).Error
}
