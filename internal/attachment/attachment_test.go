package attachment_test

import (
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/attachment"
	"github.com/silquetech/silque-notifications/internal/channel"
)

func TestEveryWrongSettingIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := attachment.New(attachment.Config{
		Dirs:  []string{"relative", ""},
		Hosts: []string{"ftp://a.example", "b.example/path", "user@c.example", "", "d.example?q", "e.example:port"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"MaxBytes", `"relative"`, `directory ""`, `"ftp://a.example"`, `"b.example/path"`, `"user@c.example"`, `host ""`, `"d.example?q"`, `"e.example:port"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named in:\n%v", want, err)
		}
	}
	if _, err := attachment.New(attachment.Config{MaxBytes: 1, Timeout: -time.Second}); err == nil {
		t.Error("a negative timeout was taken")
	}
}

func TestNothingIsAllowedWithoutSettings(t *testing.T) {
	t.Parallel()
	f := fetcher(t, nil)
	for _, location := range []string{
		"/etc/hostname", "secret.pdf", "file:///etc/hostname", "https://secret.example.com/a.pdf", "http://127.0.0.1/secret",
		"ftp://127.0.0.1/secret", "gopher://secret", "https://%zz", "",
	} {
		_, _, err := f.Fetch(t.Context(), location)
		wantRefusal(t, err, channel.Permanent, attachment.CodeNotAllowed, location)
	}
}
