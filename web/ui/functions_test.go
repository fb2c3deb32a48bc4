package ui_test

import (
	"testing"

	"github.com/silquetech/silque-notifications/web/ui"
)

func TestCountsAreWrittenWithTheirNoun(t *testing.T) {
	t.Parallel()
	for want, of := range map[string]struct {
		count int
		noun  string
	}{
		"1 address": {1, "address"}, "2 addresses": {2, "address"}, "3 deliveries": {3, "delivery"}, "0 days": {0, "day"},
		"1,234,567 events": {1234567, "event"},
	} {
		if got := ui.Plural(of.count, of.noun); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
