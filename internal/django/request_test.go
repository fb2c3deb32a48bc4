package django

import (
	"errors"
	"flag"
	"reflect"
	"strings"
	"testing"
)

func TestFlagsMayStandBeforeAndBehindTheFile(t *testing.T) {
	t.Parallel()
	mapped := []Mapping{{"shop.Order", "orders"}, {"shop.Customer", "people"}}
	tests := map[string]Request{
		"export.json":           {File: "export.json"},
		"-":                     {File: "-"},
		"--dry-run export.json": {File: "export.json", DryRun: true},
		"export.json --dry-run": {File: "export.json", DryRun: true},
		"--map shop.Order=orders export.json --map=shop.Customer=people": {File: "export.json", Mappings: mapped},
		"- --map shop.Order=orders --map shop.Customer=people --dry-run": {File: "-", Mappings: mapped, DryRun: true},
	}
	for arguments, want := range tests {
		var stderr strings.Builder
		got, err := Parse(strings.Fields(arguments), &stderr)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, error %v (%s); want %+v", arguments, got, err, &stderr, want)
		}
	}
}

func TestAMistakeIsExplained(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"": "say which file", "--dry-run": "say which file", "a.json b.json": `"b.json" is not understood`, "a.json --fast": "-fast",
		"a.json --map shop.Order":        "write app.Model=table",
		"a.json --map Order=orders":      "write app.Model=table",
		"a.json --map shop.Order=":       "write app.Model=table",
		"a.json --map shop.a.b=orders":   "write app.Model=table",
		"a.json --map a.B=c --map a.b=d": "a.B is c already",
	}
	for arguments, says := range tests {
		var stderr strings.Builder
		if _, err := Parse(strings.Fields(arguments), &stderr); err == nil || errors.Is(err, flag.ErrHelp) {
			t.Errorf("%s: error %v", arguments, err)
		}
		has(t, stderr.String(), says)
	}
}

func TestHelpIsNoMistake(t *testing.T) {
	t.Parallel()
	for _, argument := range []string{"--help", "-h"} {
		var stderr strings.Builder
		if _, err := Parse([]string{argument}, &stderr); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("error %v", err)
		}
		has(t, stderr.String(), "manage.py dumpdata silque_notifications", "-dry-run", "-map app.Model=table", "Exit code: 0")
	}
}
