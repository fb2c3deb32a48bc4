package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// version is one state that a notification had.
type version struct {
	Version      int64             `json:"version"`
	Change       store.Change      `json:"change"`
	ChangedBy    string            `json:"changed_by"`
	ChangedAt    time.Time         `json:"changed_at"`
	Changes      []fieldChange     `json:"changes"`
	Notification rule.Notification `json:"notification"`
}

// fieldChange is a field that differs from the version before.
type fieldChange struct {
	Field string          `json:"field"`
	From  json.RawMessage `json:"from"`
	To    json.RawMessage `json:"to"`
}

// listVersions pages by the version's number, newest first. A deleted notification keeps its versions.
func (a *API) listVersions(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	q := readQuery(c)
	limit, cursor := q.limit(), q.filter("cursor")
	before, notANumber := int64(0), error(nil)
	if cursor != "" {
		if before, notANumber = strconv.ParseInt(cursor, 10, 64); notANumber != nil {
			q.wrong["cursor"] = `must be the "next" of an earlier answer`
		}
	}
	if err := q.err(); err != nil {
		return err
	}
	if limit == 0 {
		limit = store.DefaultLimit
	}
	versions, err := a.notifications.Versions(c.Request.Context(), id, before, limit+1)
	if err != nil {
		return err
	}
	if len(versions) == 0 && before == 0 {
		return store.ErrNotFound
	}
	page, err := versionPage(versions, limit)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, page)
}

// versionPage compares each version with the one before it; the last is there for that alone when the page is full.
func versionPage(versions []store.Version, limit int) (list[version], error) {
	page := list[version]{Items: []version{}}
	for i, v := range versions[:min(limit, len(versions))] {
		item := version{
			Version: v.Notification.Version, Change: v.Change, ChangedBy: v.ChangedBy, ChangedAt: v.ChangedAt,
			Changes: []fieldChange{}, Notification: filledOut(v.Notification),
		}
		if i+1 < len(versions) {
			var err error
			if item.Changes, err = differences(filledOut(versions[i+1].Notification), item.Notification); err != nil {
				return page, err
			}
		}
		page.Items = append(page.Items, item)
	}
	if len(versions) > limit {
		page.Next = strconv.FormatInt(versions[limit-1].Notification.Version, 10)
	}
	return page, nil
}

// decidedHere are the fields that change with every version.
var decidedHere = []string{"version", "updated_at", "created_at", "active_since"}

// differences lists the fields in which two versions differ, in the order of their names.
func differences(before, after rule.Notification) ([]fieldChange, error) {
	from, err := fieldsOf(before)
	if err != nil {
		return nil, err
	}
	to, err := fieldsOf(after)
	if err != nil {
		return nil, err
	}
	changes := []fieldChange{}
	for name, value := range to {
		if !slices.Contains(decidedHere, name) && !bytes.Equal(from[name], value) {
			changes = append(changes, fieldChange{Field: name, From: from[name], To: value})
		}
	}
	slices.SortFunc(changes, func(a, b fieldChange) int { return bytes.Compare([]byte(a.Field), []byte(b.Field)) })
	return changes, nil
}

func fieldsOf(n rule.Notification) (map[string]json.RawMessage, error) {
	whole, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	return fields, json.Unmarshal(whole, &fields)
}
