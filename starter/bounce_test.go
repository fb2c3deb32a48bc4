package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// emailed makes a database with the delivery of an email that was taken.
func emailed(t *testing.T, url string, status store.DeliveryStatus) *store.Delivery {
	t.Helper()
	db := database(t, url)
	if err := store.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	d := &store.Delivery{
		ID: outbox.NewID(), EventID: outbox.NewID(), NotificationID: outbox.NewID(), Channel: rule.Email, Address: "ann@example.org",
		Status: status, Attempts: 1, CreatedAt: now, UpdatedAt: now, ClaimedAt: &now,
	}
	d.ProviderID = d.ID + "@example.com"
	if err := db.Create(d).Error; err != nil {
		t.Fatal(err)
	}
	return d
}

func database(t *testing.T, url string) *gorm.DB {
	t.Helper()
	db, err := store.Open(url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(db) })
	return db
}

func bounced(d *store.Delivery, recipient string) string {
	return "From MAILER-DAEMON Tue Nov 24 18:57:37 2026\nContent-Type: multipart/report; boundary=b\nMessage-Id: <r1@mx.example.org>\n\n" +
		"--b\nContent-type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\nAction: failed\nFinal-Recipient: rfc822;" + recipient +
		"\nStatus: 5.1.1\n\n--b\nContent-type: text/rfc822-headers\n\nMessage-ID: <" + d.ProviderID + ">\n\n--b--\n"
}

func complaint(d *store.Delivery) string {
	return "From: feedback@isp.example.net\nContent-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\n" +
		"Feedback-Type: abuse\nOriginal-Rcpt-To: ann@example.org\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <" + d.ProviderID + ">\n\nlate\n--b--\n"
}

// piped runs starter bounce with a message on standard input.
func piped(t *testing.T, url, message string, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	settings, err := config.Load([]string{"DATABASE_URL=" + url})
	if err != nil {
		t.Fatal(err)
	}
	var out, complaints strings.Builder
	code = runBounce(t.Context(), settings, arguments, strings.NewReader(message), &out, &complaints)
	return code, out.String(), complaints.String()
}

func TestAPipedReportFailsItsDelivery(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(testing.TB) string{"SQLite": testdb.SQLiteURL, "Postgres": testdb.PostgresURL} {
		t.Run("on "+name, func(t *testing.T) {
			t.Parallel()
			url := url(t)
			d := emailed(t, url, store.DeliverySent)
			for _, want := range []string{"failed; the address gets no more emails", "nothing new"} {
				code, stdout, stderr := piped(t, url, bounced(d, "ann@example.org"))
				if code != 0 || !strings.Contains(stdout, d.ID+": "+want) || strings.Contains(stdout+stderr, "example.org") {
					t.Errorf("exit code %d, said:\n%s%s; want %q", code, stdout, stderr, want)
				}
			}
			after, err := store.Deliveries{DB: database(t, url)}.Get(t.Context(), d.ID)
			if err != nil || after.Status != store.DeliveryFailed || after.ErrorCode != "bounce_5.1.1" {
				t.Errorf("the delivery is %+v, %v", after, err)
			}
		})
	}
}

func TestTheExitCodeTellsAMailServerWhatToDo(t *testing.T) {
	t.Parallel()
	url := testdb.SQLiteURL(t)
	d := emailed(t, url, store.DeliverySent)
	early := testdb.SQLiteURL(t)
	sending := emailed(t, early, store.DeliverySending)
	complained := testdb.SQLiteURL(t)
	spam := emailed(t, complained, store.DeliverySent)
	folder := t.TempDir()
	for name, content := range map[string]string{"1": bounced(d, "ann@example.org"), "2": "Subject: away\n\nI am away."} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name, url, message string
		arguments          []string
		code               int
		says               string
	}{
		{"a complaint", complained, complaint(spam), nil, 0, spam.ID + ": recorded; the address gets no more emails"},
		{"no complaint", complained, strings.Replace(complaint(spam), "abuse", "not-spam", 1), nil, 0, "passed over: this feedback report is no complaint"},
		{"an answer on holiday", url, "Subject: away\n\nI am away.", nil, 0, "passed over"},
		{"no message at all", url, "", nil, 0, "passed over"},
		{"somebody else's report", url, bounced(&store.Delivery{ProviderID: "x@example.com"}, "ann@example.org"), nil, 0, "passed over"},
		{"another recipient", url, bounced(d, "eve@example.org"), nil, 0, "went to another address"},
		{"files", url, "", []string{folder + "/1", folder + "/2"}, 0, "/1: delivery " + d.ID},
		{"a file that is not there", url, "", []string{folder + "/2", folder + "/3"}, 1, "no such file"},
		{"a folder", url, "", []string{folder}, 1, "is no file"},
		{"a delivery that is under way", early, bounced(sending, "ann@example.org"), nil, 75, "still under way"},
		{"a database that is not there", "sqlite://" + folder + "/none.db", bounced(d, "ann@example.org"), nil, 75, "no database yet"},
		{"help", url, "", []string{"--help"}, 0, "standard input"},
		{"an unknown flag", url, "", []string{"--all"}, 2, "-all"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := piped(t, tc.url, tc.message, tc.arguments...)
			if code != tc.code || !strings.Contains(stdout+stderr, tc.says) {
				t.Errorf("exit code %d, want %d and %q; said:\n%s%s", code, tc.code, tc.says, stdout, stderr)
			}
		})
	}
	if code := run(t.Context(), []string{"bounce"}, []string{"NOTIFY_TYPO=1"}, io.Discard, io.Discard); code != 75 {
		t.Errorf("wrong settings: exit code %d: the mail server must keep the message", code)
	}
}
