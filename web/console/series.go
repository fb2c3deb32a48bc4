package console

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// span is a length of time that the dashboard looks back.
type span struct {
	// Name stands in the URL, Label on the page.
	Name, Label string
	// days is how many days there are, today included; zero: the last 24 hours, hour by hour.
	days int
}

var spans = []span{{"day", "24 hours", 0}, {"week", "7 days", 7}, {"month", "30 days", 30}}

// spanOf gives the span of a name; what is no name stands for the first.
func spanOf(name string) span {
	for _, s := range spans {
		if s.Name == name {
			return s
		}
	}
	return spans[0]
}

// begin is the beginning of the span's first bucket, by the reader's clock.
func (s span) begin(now time.Time, in *time.Location) time.Time {
	if s.days == 0 {
		return now.Truncate(time.Hour).Add(-23 * time.Hour)
	}
	year, month, day := now.In(in).Date()
	return time.Date(year, month, day-s.days+1, 0, 0, 0, 0, in)
}

// next is the beginning of the bucket after the one that begins at a moment. A day in which the clock is changed has 23
// or 25 hours.
func (s span) next(at time.Time, in *time.Location) time.Time {
	if s.days == 0 {
		return at.Add(time.Hour)
	}
	year, month, day := at.In(in).Date()
	return time.Date(year, month, day+1, 0, 0, 0, 0, in)
}

// label says which bucket begins at a moment.
func (s span) label(at time.Time, in *time.Location) string {
	if s.days == 0 {
		return at.In(in).Format("15:04")
	}
	return at.In(in).Format("2 Jan")
}

// bucket is an hour or a day.
type bucket struct {
	Begin                                    time.Time
	Label                                    string
	Sent, Failed, Unknown, Suppressed, Total int64
	Email, SMS, WhatsApp                     int64
}

// series is the deliveries of a span that have ended, by the time of their creation.
type series struct {
	Buckets                                  []bucket
	Sent, Failed, Unknown, Suppressed, Total int64
}

// seriesOf sorts the counts of hours into buckets; hours without any are there, too. In a zone whose offset is no whole
// number of hours, an hour belongs to the day in which it begins.
func seriesOf(of span, counts []store.HourCount, now time.Time, in *time.Location) series {
	var s series
	for at := of.begin(now, in); !at.After(now); {
		next := of.next(at, in)
		b := bucket{Begin: at, Label: of.label(at, in)}
		for len(counts) > 0 && counts[0].Hour.Before(next) {
			if !counts[0].Hour.Before(at) {
				b.add(counts[0])
			}
			counts = counts[1:]
		}
		s.Buckets = append(s.Buckets, b)
		s.Sent, s.Failed, s.Unknown, s.Suppressed = s.Sent+b.Sent, s.Failed+b.Failed, s.Unknown+b.Unknown, s.Suppressed+b.Suppressed
		s.Total += b.Total
		at = next
	}
	return s
}

func (b *bucket) add(c store.HourCount) {
	b.Total += c.Count
	switch c.Status {
	case store.DeliverySent, store.DeliveryDelivered:
		b.Sent += c.Count
	case store.DeliveryFailed:
		b.Failed += c.Count
	case store.DeliveryUnknown:
		b.Unknown += c.Count
	default:
		b.Suppressed += c.Count
	}
	switch c.Channel {
	case rule.Email:
		b.Email += c.Count
	case rule.SMS:
		b.SMS += c.Count
	default:
		b.WhatsApp += c.Count
	}
}

// exportDashboard answers with the series as CSV.
func (s *Console) exportDashboard(c *gin.Context) error {
	chosen, in := spanOf(c.Query("span")), zone(c)
	found, err := s.series(c.Request.Context(), chosen, time.Now(), in)
	if err != nil {
		return err
	}
	c.Header("Content-Disposition", fmt.Sprintf("attachment; filename=deliveries-%s.csv", chosen.Name))
	c.Header("Content-Type", "text/csv; charset=utf-8")
	c.Header("Cache-Control", "no-store")
	c.Status(http.StatusOK)
	out := csv.NewWriter(c.Writer)
	_ = out.Write([]string{"from", "sent", "failed", "unknown", "suppressed", "email", "sms", "whatsapp", "total"})
	for _, b := range found.Buckets {
		row := []string{b.Begin.In(in).Format(time.RFC3339)}
		for _, n := range []int64{b.Sent, b.Failed, b.Unknown, b.Suppressed, b.Email, b.SMS, b.WhatsApp, b.Total} {
			row = append(row, strconv.FormatInt(n, 10))
		}
		_ = out.Write(row)
	}
	out.Flush() // an error means that nobody reads any more
	return nil
}
