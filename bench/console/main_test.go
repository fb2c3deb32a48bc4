package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/bench/postgres"
	"github.com/silquetech/silque-notifications/bench/system"
)

// missing are the pages that must not be there.
var missing = map[string]bool{"a page that is not there": true}

func TestEveryPageAnswersOnAFilledDatabase(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			if database == "postgres" {
				server, err := postgres.Start(t.Context())
				if errors.Is(err, system.ErrNotInstalled) {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				server.Stop()
			}
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), []string{"-database", database, "-deliveries", "2000", "-rules", "300", "-requests", "1", "-json"}, &stdout, &stderr); code != 0 {
				t.Fatalf("code %d: %s", code, &stderr)
			}
			var results []result
			if err := json.Unmarshal(stdout.Bytes(), &results); err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if (r.Status == http.StatusOK) == missing[r.Page] {
					t.Errorf("%s (%s) answers %d", r.Page, r.Path, r.Status)
				}
				if r.Bytes > limitWeight {
					t.Errorf("%s weighs %d bytes", r.Page, r.Bytes)
				}
			}
		})
	}
}

func TestWrongUsageIsNamed(t *testing.T) {
	t.Parallel()
	for _, arguments := range [][]string{{"-database", "oracle"}, {"-rules", "0"}, {"-deliveries", "-1"}, {"extra"}} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), arguments, &stdout, &stderr); code != 2 || stderr.Len() == 0 {
			t.Errorf("%v: code %d, %s", arguments, code, &stderr)
		}
	}
}

func TestATableMarksWhatIsOverItsLimits(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := table(&out, []result{
		{Database: "sqlite", Page: "fine", Status: 200}, {Database: "sqlite", Page: "slow", Status: 200, P95: 101, Over: []string{"time"}},
		{Database: "sqlite", Page: "gone", Status: 404},
	})
	if err != nil || strings.Count(out.String(), "OVER") != 1 || !strings.Contains(out.String(), "answers 404") {
		t.Errorf("%v\n%s", err, &out)
	}
}
