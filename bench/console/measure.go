package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/silquetech/silque-notifications/bench/measure"
)

var longID = regexp.MustCompile(`(send-notification-)?[0-9a-f]{8}-[0-9a-f-]{27}`)

func unescape(text string) string { return html.UnescapeString(text) }

// result is what one page takes.
type result struct {
	Database string  `json:"database"`
	Page     string  `json:"page"`
	Path     string  `json:"path"`
	Status   int     `json:"status"`
	P50      float64 `json:"p50_ms"`
	P95      float64 `json:"p95_ms"`
	Max      float64 `json:"max_ms"`
	// First is the first request's, before anything was warm.
	First float64 `json:"first_ms"`
	// Bytes is the weight of the page with everything that it loads.
	Bytes int `json:"bytes"`
	// Over names the limits that it breaks: "time", "weight".
	Over []string `json:"over,omitempty"`
}

// warm is how many requests go before the measured ones.
const warm = 2

func (v *visitor) measureAll(ctx context.Context, database string, o options, s *seeder) ([]result, error) {
	pages, err := s.pages()
	if err != nil {
		return nil, err
	}
	var results []result
	for _, p := range pages {
		if !strings.HasPrefix(p.path, o.only) {
			continue
		}
		r, err := v.measure(ctx, p, o.requests)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		r.Database = database
		results = append(results, r)
	}
	return results, nil
}

func (v *visitor) measure(ctx context.Context, p page, requests int) (result, error) {
	r := result{Page: p.name, Path: p.path}
	if p.deep > 0 {
		var err error
		if r.Path, err = v.deep(ctx, p.path, p.deep); err != nil && !errors.Is(err, errNoNext) {
			return r, err
		}
	}
	var times []float64
	var last answer
	for i := range warm + requests {
		var err error
		if last, err = v.get(ctx, r.Path); err != nil {
			return r, err
		}
		millis := float64(last.took) / float64(time.Millisecond)
		r.Status = last.status
		if i == 0 {
			r.First = millis
		}
		if i >= warm {
			times = append(times, millis)
		}
	}
	slices.Sort(times)
	r.P50, r.P95, r.Max = times[len(times)/2], times[(len(times)*95-1)/100], times[len(times)-1]
	var err error
	if r.Bytes, err = v.weight(ctx, last); err != nil {
		return r, err
	}
	if r.P95 > limitMillis {
		r.Over = append(r.Over, "time")
	}
	if r.Bytes > limitWeight {
		r.Over = append(r.Over, "weight")
	}
	return r, nil
}

// table writes the results for people; what breaks a limit is marked.
func table(out io.Writer, results []result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "database\tpage\tp50 ms\tp95 ms\tmax ms\tfirst ms\tKB\t")
	over, missing := 0, 0
	for _, r := range results {
		note := ""
		if r.Status != http.StatusOK {
			note = fmt.Sprintf("answers %d", r.Status)
			missing++
		}
		if len(r.Over) > 0 {
			over++
			note = strings.TrimPrefix(note+"  OVER: "+strings.Join(r.Over, ", "), "  ")
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.0f\t%s\n", r.Database, r.Page, r.P50, r.P95, r.Max, r.First, float64(r.Bytes)/1024, note)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%d pages; %d over %d ms (p95) or %d KB; %d that did not answer 200. %s, %s\n",
		len(results), over, limitMillis, limitWeight>>10, missing, measure.Machine(), time.Now().Format("2 January 2006"))
	return err
}
