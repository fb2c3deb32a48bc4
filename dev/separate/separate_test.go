package separate_test

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/dev/apiclient"
	"github.com/silquetech/silque-notifications/dev/sandbox"
	"github.com/silquetech/silque-notifications/dev/temporalserver/servertest"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestTheProgramsWorkAsProcessesOfTheirOwn(t *testing.T) {
	t.Parallel()
	programs := programs(t)
	server := servertest.Start(t)
	box, err := sandbox.Start(t.Context(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close(context.Background()) })
	host, port, _ := net.SplitHostPort(box.SMTPAddr())
	webAddr, healthAddr := free(t), free(t)
	environ := []string{
		"DATABASE_URL=" + testdb.PostgresURL(t), "TEMPORAL_ADDRESS=" + server.Addr(), "HOME=" + t.TempDir(),
		"SMTP_HOST=" + host, "SMTP_PORT=" + port, "SMTP_TLS=none", "SMTP_FROM=Shop <shop@example.com>",
		"NOTIFY_ADDR=" + webAddr, "NOTIFY_HEALTH_ADDR=" + healthAddr, "NOTIFY_API_TOKEN=" + token, "NOTIFY_RETRY_INTERVAL=1s",
	}
	web := start(t, environ, filepath.Join(programs, "web"))
	worker := start(t, environ, filepath.Join(programs, "worker"))
	for _, program := range []string{"web", "worker"} {
		untilHealthy(t, environ, filepath.Join(programs, program))
	}
	client := apiclient.Client{URL: "http://" + webAddr, Token: token}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var accepted struct {
		EventID string `json:"event_id"`
	}
	if err := client.Call(ctx, http.MethodPost, "/api/v1/test", map[string]any{"channel": "email", "to": "api@example.com"}, &accepted); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Settled(ctx, accepted.EventID); err != nil {
		t.Fatalf("the event is not settled: %v", err)
	}

	for _, test := range []struct {
		name      string
		arguments []string
		code      int
		says      string
	}{
		{"a test email is sent", []string{"--email", "--to", "starter@example.com"}, 0, "see it:"},
		{"a channel without settings fails with its reason", []string{"--sms", "--to", "+12025550123"}, 1, "channel_not_configured"},
		{"wrong usage is code 2", []string{"--email"}, 2, "--to"},
		{"without waiting it only starts", []string{"--email", "--to", "soon@example.com", "--wait=false"}, 0, "workflow:"},
	} {
		code, output := runOnce(t, environ, filepath.Join(programs, "starter"), test.arguments...)
		if code != test.code || !strings.Contains(output, test.says) {
			t.Errorf("%s: exit %d, want %d and %q in:\n%s", test.name, code, test.code, test.says, output)
		}
	}
	web.stop(t)
	worker.stop(t)
}
