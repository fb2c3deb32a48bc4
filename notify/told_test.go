package notify_test

import (
	"database/sql"
	"fmt"
	"math"
	"testing"
	"time"

	"gorm.io/gorm"
)

func TestADocToldByAnUpdateIsWhatTheDatabaseGivesBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		values any
	}{
		{"a text", map[string]any{"text": "ä \"quoted\"\n"}},
		{"a number as text", map[string]any{"count": "12"}},
		{"a fraction for a whole number", map[string]any{"ratio": 1}},
		{"every column", plainRow{Text: "b", Count: math.MinInt32, Ratio: 0.1, Yes: true, Maybe: text("m"),
			Perhaps: sql.NullInt64{Int64: 5, Valid: true}, CreatedAt: time.Now()}},
		{"null", map[string]any{"maybe": nil, "perhaps": sql.NullInt64{}}},
		{"a pointer", map[string]any{"maybe": text("x")}},
		{"an expression", map[string]any{"count": gorm.Expr("count + 1")}},
		{"a time in another zone", map[string]any{"created_at": time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.FixedZone("x", 5*3600))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			watched(t, func(t *testing.T, s *shop) {
				must(t, s.db.Create(&[]plainRow{{Text: "a", Count: 3, Maybe: text("y")}, {Text: "other", Maybe: text("z")}}).Error)
				s.take()
				must(t, s.db.Model(&plainRow{ID: 1}).Updates(c.values).Error)
				// The database is asked when the conditions hold a call.
				must(t, s.db.Model(&plainRow{}).Where("id = abs(1)").Update("text", gorm.Expr("text")).Error)
				events := s.expect("update plain_rows 1", "update plain_rows 1")
				if told, read := fmt.Sprint(events[0].doc), fmt.Sprint(events[1].old); told != read {
					t.Fatalf("the doc is %s, and the row %s", told, read)
				}
				events[0].old.expect(t, "maybe", "y")
				events[0].old.expect(t, "text", "a")
			})
		})
	}
}

func TestAnUpdateWhoseConditionsVaryIsCapturedAsItHappened(t *testing.T) {
	watched(t, func(t *testing.T, s *shop) {
		must(t, s.db.CreateInBatches(make([]plainRow, 60), 60).Error)
		s.take()
		chosen := s.db.Model(&plainRow{}).Select("id").Order("random()").Limit(20)
		result := s.db.Model(&plainRow{}).Where("id IN (?)", chosen).Update("text", "chosen")
		must(t, result.Error)
		events := s.take()
		if len(events) != 20 || result.RowsAffected != 20 {
			t.Fatalf("%d events for %d rows instead of 20", len(events), result.RowsAffected)
		}
		for _, e := range events {
			e.doc.expect(t, "text", "chosen")
		}
	})
}
