package webapp_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/internal/wiring/webapp"
)

func TestAProxyWithoutThePublicAddressIsWarnedOf(t *testing.T) {
	t.Parallel()
	db := testdb.SQLite(t)
	for name, test := range map[string]struct {
		access config.Access
		warns  bool
	}{
		"a proxy alone":                 {config.Access{TrustedProxies: []string{"10.0.0.0/8"}}, true},
		"a proxy and where people come": {config.Access{TrustedProxies: []string{"10.0.0.0/8"}, PublicURL: "https://notify.example.com"}, false},
		"no proxy":                      {config.Access{}, false},
	} {
		var said bytes.Buffer
		entrance, err := webapp.Access(&config.Config{Access: test.access}, db, slog.New(slog.NewTextHandler(&said, nil)), false)
		if err != nil {
			t.Fatal(err)
		}
		if err := entrance.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if strings.Contains(said.String(), "NOTIFY_PUBLIC_URL") != test.warns {
			t.Errorf("%s: said %q", name, said.String())
		}
	}
}
