package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// NotificationFilter narrows a list; empty fields do not.
type NotificationFilter struct {
	Channel, Trigger, Model string
	Active                  *bool
	// Search looks in title, message and recipients, in any case.
	Search string
	// ListID keeps the notifications that name a saved list.
	ListID string
	// The times are from the first moment on, and before the last.
	CreatedFrom, CreatedUntil, UpdatedFrom, UpdatedUntil time.Time
}

// NotificationSort is the order of a list.
type NotificationSort string

// The orders. One that begins with "-" is the other way round.
const (
	NewestFirst      NotificationSort = "-created"
	OldestFirst      NotificationSort = "created"
	LastChangedFirst NotificationSort = "-changed"
	LastChangedLast  NotificationSort = "changed"
	ByTitle          NotificationSort = "title"
	ByTitleBackward  NotificationSort = "-title"
	ByModel          NotificationSort = "model"
	ByModelBackward  NotificationSort = "-model"
)

// NotificationSorts lists every order.
var NotificationSorts = []NotificationSort{
	NewestFirst, OldestFirst, LastChangedFirst, LastChangedLast, ByTitle, ByTitleBackward, ByModel, ByModelBackward,
}

// ErrBadCursor says that a cursor is not the Next of a page in the same order.
var ErrBadCursor = errors.New("store: the cursor belongs to no page of this list")

// List reads a page, newest first.
func (s Notifications) List(ctx context.Context, f NotificationFilter, p Paging) (Page[*rule.Notification], error) {
	return s.Sorted(ctx, f, NewestFirst, p)
}

// Sorted reads a page in an order; an unknown one is NewestFirst. The cursor is that of a page in the same order,
// otherwise the error is ErrBadCursor.
func (s Notifications) Sorted(ctx context.Context, f NotificationFilter, sort NotificationSort, p Paging) (Page[*rule.Notification], error) {
	order, ok := notificationOrders[sort]
	if !ok {
		order = notificationOrders[NewestFirst]
	}
	query := f.apply(session(s.DB).WithContext(ctx))
	if p.Cursor != "" {
		var err error
		if query, err = order.after(query, p.Cursor); err != nil {
			return Page[*rule.Notification]{}, err
		}
	}
	limit := min(p.Limit, MaxLimit)
	if limit <= 0 {
		limit = DefaultLimit
	}
	var rows []notificationRow
	if err := query.Order(order.by()).Limit(limit + 1).Find(&rows).Error; err != nil {
		return Page[*rule.Notification]{}, fmt.Errorf("store: list notifications: %w", err)
	}
	var page Page[*rule.Notification]
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = order.cursor(rows[limit-1])
	}
	var err error
	page.Items, err = notificationsOf(rows)
	return page, err
}

// Count counts what a filter matches.
func (s Notifications) Count(ctx context.Context, f NotificationFilter) (count int64, err error) {
	if err := f.apply(session(s.DB).WithContext(ctx)).Model(&notificationRow{}).Count(&count).Error; err != nil {
		return 0, fmt.Errorf("store: count notifications: %w", err)
	}
	return count, nil
}

// PerModel counts the notifications of each model that has one.
func (s Notifications) PerModel(ctx context.Context) (map[string]int64, error) {
	var rows []struct {
		Model string
		Count int64
	}
	err := session(s.DB).WithContext(ctx).Model(&notificationRow{}).Select("model, COUNT(*) AS count").Group("model").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("store: count the notifications of each model: %w", err)
	}
	counts := make(map[string]int64, len(rows))
	for _, row := range rows {
		counts[row.Model] = row.Count
	}
	return counts, nil
}

func (f NotificationFilter) apply(query *gorm.DB) *gorm.DB {
	query = equal(query, map[string]string{"channel": f.Channel, "trigger_name": f.Trigger, "model": f.Model})
	if f.Active != nil {
		query = query.Where("active = ?", *f.Active)
	}
	if f.Search != "" {
		query = query.Where(`search_text LIKE ? ESCAPE '\'`, "%"+escapeLike(strings.ToLower(f.Search))+"%")
	}
	if f.ListID != "" {
		query = query.Where(`recipients LIKE ? ESCAPE '\'`, `%"list\_id":"`+escapeLike(f.ListID)+`"%`)
	}
	for condition, at := range map[string]time.Time{
		"created_at >= ?": f.CreatedFrom, "created_at < ?": f.CreatedUntil, "updated_at >= ?": f.UpdatedFrom, "updated_at < ?": f.UpdatedUntil,
	} {
		if !at.IsZero() {
			query = query.Where(condition, at.UTC())
		}
	}
	return query
}

// notificationOrder is a column, its direction, and how its value is written in a cursor. The ID decides between equals.
type notificationOrder struct {
	column   string
	backward bool
	value    func(notificationRow) any
	read     func(raw json.RawMessage) (any, error)
}

var notificationOrders = map[NotificationSort]notificationOrder{
	NewestFirst:      {backward: true},
	OldestFirst:      {},
	LastChangedFirst: {"updated_at", true, func(r notificationRow) any { return r.UpdatedAt.UTC() }, cursorPart[time.Time]},
	LastChangedLast:  {"updated_at", false, func(r notificationRow) any { return r.UpdatedAt.UTC() }, cursorPart[time.Time]},
	ByTitle:          {"sort_title", false, func(r notificationRow) any { return r.SortTitle }, cursorPart[string]},
	ByTitleBackward:  {"sort_title", true, func(r notificationRow) any { return r.SortTitle }, cursorPart[string]},
	ByModel:          {"model", false, func(r notificationRow) any { return r.Model }, cursorPart[string]},
	ByModelBackward:  {"model", true, func(r notificationRow) any { return r.Model }, cursorPart[string]},
}

func cursorPart[T any](raw json.RawMessage) (any, error) {
	var value T
	err := json.Unmarshal(raw, &value)
	return value, err
}

func (o notificationOrder) by() string {
	direction := ""
	if o.backward {
		direction = " DESC"
	}
	if o.column == "" {
		return "id" + direction
	}
	return o.column + direction + ", id" + direction
}

// cursor is the ID where the ID is the order, and otherwise the value and the ID in a form that goes into a URL.
func (o notificationOrder) cursor(row notificationRow) string {
	if o.column == "" {
		return row.ID
	}
	text, _ := json.Marshal([]any{o.value(row), row.ID}) // texts and times always encode
	return base64.RawURLEncoding.EncodeToString(text)
}

// after narrows a query to what follows a cursor: the cost does not grow with the depth.
func (o notificationOrder) after(query *gorm.DB, cursor string) (*gorm.DB, error) {
	sign := ">"
	if o.backward {
		sign = "<"
	}
	if o.column == "" {
		if !utf8.ValidString(cursor) || strings.ContainsRune(cursor, 0) {
			return nil, ErrBadCursor // Postgres takes neither
		}
		return query.Where("id "+sign+" ?", cursor), nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	var parts []json.RawMessage
	if err != nil || json.Unmarshal(text, &parts) != nil || len(parts) != 2 {
		return nil, ErrBadCursor
	}
	value, err := o.read(parts[0])
	var id string
	if err != nil || json.Unmarshal(parts[1], &id) != nil || strings.ContainsRune(id, 0) {
		return nil, ErrBadCursor
	}
	if text, ok := value.(string); ok && strings.ContainsRune(text, 0) {
		return nil, ErrBadCursor
	}
	return query.Where("("+o.column+", id) "+sign+" (?, ?)", value, id), nil
}

// sortTitleLimit is in characters: an index has small entries, and people do not sort by more.
const sortTitleLimit = 100

func sortTitle(title string) string {
	letters := []rune(strings.ToLower(title))
	return string(letters[:min(len(letters), sortTitleLimit)])
}

// searchText joins what a search looks in. The lines keep a search from finding what spans two of them.
func searchText(n *rule.Notification) string {
	parts := []string{n.Title, n.Message}
	for _, r := range n.Recipients {
		parts = append(parts, r.Address, r.DocumentField)
		if r.Query != nil {
			parts = append(parts, r.Query.Model, r.Query.Field)
			for _, match := range r.Query.Where {
				parts = append(parts, match.Field, match.Value)
			}
		}
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	return strings.ToLower(strings.Join(parts, "\n"))
}

func notificationsOf(rows []notificationRow) (notifications []*rule.Notification, err error) {
	notifications = make([]*rule.Notification, len(rows))
	for i, row := range rows {
		if notifications[i], err = row.notification(); err != nil {
			return nil, err
		}
	}
	return notifications, nil
}
