package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/config"
)

func TestASizeIsReadWithItsUnit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]config.Size{
		"10MiB": 10 << 20, "10 mib": 10 << 20, "500KB": 500_000, "1GiB": 1 << 30, "7": 7, "7B": 7, " 2KiB ": 2048, "0": 0,
	} {
		var got config.Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
		var again config.Size
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%d is written as %s, which is read as %d, %v", got, got, again, err)
		}
	}
	for _, text := range []string{"", "MiB", "ten", "-1", "1.5MiB", "10M", "10MiBB", "99999999999GiB", "0x10"} {
		if err := new(config.Size).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestAttachmentsAreRefusedUntilSettingsAllowThem(t *testing.T) {
	t.Parallel()
	c, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := c.Attachments; len(a.Dirs)+len(a.Hosts) > 0 || a.MaxSize != 10*config.MiB || a.MaxTotal() != 20<<20 {
		t.Errorf("without settings: %+v", a)
	}
	c, err = config.Load([]string{
		"NOTIFY_ATTACHMENT_DIRS=/srv/invoices, /srv/terms,", "NOTIFY_ATTACHMENT_HOSTS= files.example.com ,http://intranet:8000",
		"NOTIFY_ATTACHMENT_MAX_SIZE=512KiB",
	})
	if err != nil {
		t.Fatal(err)
	}
	a := c.Attachments
	if !slices.Equal(a.Dirs, []string{"/srv/invoices", "/srv/terms"}) || !slices.Equal(a.Hosts, []string{"files.example.com", "http://intranet:8000"}) ||
		a.MaxSize != 512*config.KiB {
		t.Errorf("got %+v", a)
	}
}

func TestAWrongSizeOfAttachmentsIsNamed(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"huge":   "NOTIFY_ATTACHMENT_MAX_SIZE must be a size such as 10MiB",
		"0":      "NOTIFY_ATTACHMENT_MAX_SIZE must be 1B to 100MiB",
		"101MiB": "NOTIFY_ATTACHMENT_MAX_SIZE must be 1B to 100MiB",
	} {
		_, err := config.Load([]string{"NOTIFY_ATTACHMENT_MAX_SIZE=" + value})
		if err == nil || strings.Count(err.Error(), "NOTIFY_ATTACHMENT_MAX_SIZE") != 1 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
}
