package store

import (
	"errors"
	"time"

	"gorm.io/gorm"
)

// ErrNotFound says that nothing has the ID.
var ErrNotFound = errors.New("store: not found")

// Page sizes.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// Paging asks for a part of a list, newest first.
type Paging struct {
	// Limit is the number of items, DefaultLimit when zero, at most MaxLimit.
	Limit int
	// Cursor is the Next of the page before; empty for the first.
	Cursor string
	// Patience is how long a search looks at rows that no index has picked out; 35 ms when zero. It looks at some thousands
	// in any case.
	Patience time.Duration
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	// Next asks for the following page; empty at the end.
	Next string
}

// newestFirst reads one page by the ID, which is in the order of time (UUIDv7): the cost does not grow with the depth.
func newestFirst[T any](query *gorm.DB, p Paging, id func(T) string) (Page[T], error) {
	if p.Cursor != "" {
		query = query.Where("id < ?", p.Cursor)
	}
	return pageOf(query.Order("id DESC"), p.limit(), id)
}

// limit is the number of items asked for, within the bounds.
func (p Paging) limit() int {
	if p.Limit <= 0 {
		return DefaultLimit
	}
	return min(p.Limit, MaxLimit)
}

// pageOf reads up to limit rows of an ordered query, and one more to know whether there are more.
func pageOf[T any](query *gorm.DB, limit int, id func(T) string) (Page[T], error) {
	items := make([]T, 0, limit+1)
	if err := query.Limit(limit + 1).Find(&items).Error; err != nil {
		return Page[T]{}, err
	}
	if len(items) <= limit {
		return Page[T]{Items: items}, nil
	}
	return Page[T]{Items: items[:limit], Next: id(items[limit-1])}, nil
}

// equal adds "column = value" for each filter that is set.
func equal(query *gorm.DB, filters map[string]string) *gorm.DB {
	for column, value := range filters {
		if value != "" {
			query = query.Where(map[string]any{column: value})
		}
	}
	return query
}

// found turns gorm's not-found into ErrNotFound.
func found(err error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return ErrNotFound
	}
	return err
}

// session gives a clean session on the same connection or transaction.
func session(db *gorm.DB) *gorm.DB {
	return db.Session(&gorm.Session{NewDB: true, SkipHooks: true})
}
