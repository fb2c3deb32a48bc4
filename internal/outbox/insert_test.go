package outbox_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// later lists what a new event does not have. A field that is neither written nor here was forgotten in the INSERT.
var later = []string{"Decisions", "BatchID", "ClaimedAt", "StartedAt", "ResolvedAt", "SettledAt", "CheckedAt", "PassedAt"}

// filled is an event with a value in every field, and no two alike.
func filled() *outbox.Event {
	e := new(outbox.Event)
	for i, v := 0, reflect.ValueOf(e).Elem(); i < v.NumField(); i++ {
		name, field := v.Type().Field(i).Name, v.Field(i)
		switch field.Interface().(type) {
		case outbox.Snapshot:
			field.SetBytes([]byte(`{"field":"` + name + `"}`))
		case time.Time:
			field.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)))
		case *time.Time:
			field.Set(reflect.ValueOf(new(time.Time)))
		case *string:
			field.Set(reflect.ValueOf(&name))
		default:
			if field.CanInt() {
				field.SetInt(int64(i))
			} else {
				field.SetString(name)
			}
		}
	}
	return e
}

func TestAppendWritesEverythingThatANewEventHas(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		e := filled()
		if err := outbox.Append(db, e); err != nil {
			t.Fatal(err)
		}
		got, want := reflect.ValueOf(stored(t, db, e.ID)), reflect.ValueOf(*e)
		for i := range got.NumField() {
			name := got.Type().Field(i).Name
			if slices.Contains(later, name) {
				if !got.Field(i).IsZero() {
					t.Errorf("%s is written", name)
				}
				continue
			}
			a, b := got.Field(i).Interface(), want.Field(i).Interface()
			if moment, ok := a.(time.Time); ok {
				a = moment.UTC()
			}
			if !reflect.DeepEqual(a, b) {
				t.Errorf("%s is %v, want %v", name, a, b)
			}
		}
	})
}

func TestAppendFailsAsTheDatabaseSays(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		id := appended(t, db, 1)[0]
		e := change("again")
		e.ID = id
		if err := outbox.Append(db, change("other"), e); err == nil {
			t.Error("an ID that is there already was taken")
		}
		if count := countOf(t, db); count != 1 {
			t.Errorf("%d events, want 1", count)
		}
	})
}
