package bounce_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/bounce"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// complaint makes an abuse report with its fields, and the header of the original.
func complaint(fields, original string) string {
	return "From: feedback@isp.example.net\r\nMessage-ID: <complaint-1@isp.example.net>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain\r\n\r\nThis is an email abuse report.\r\n" +
		"--b\r\nContent-Type: message/feedback-report\r\n\r\n" + fields + "\r\n" +
		"--b\r\nContent-Type: message/rfc822\r\n\r\n" + original + "\r\n\r\nOrder 7 is late.\r\n--b--\r\n"
}

const (
	abuse     = "Feedback-Type: abuse\r\nUser-Agent: Loop/1.0\r\nVersion: 1\r\n"
	addressed = original + "\r\nTo: <ann@example.org>"
)

func TestComplaintsAreReadAsProvidersSendThem(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bounce.Report{
		"arf.eml": {
			MessageID: messageID, Recipient: "ann@example.org", Diagnostic: "abuse, by ISP-Feedback/1.4", ID: "<20261125081401.778@feedback.isp.example.net>",
		},
		"arf-redacted.eml": {
			MessageID: deliveryID, Recipient: "5f4dcc3b5aa765d61d8327deb882cf99@redacted.example.net", Original: "ann@example.org",
			Diagnostic: "abuse, by Complaint Feedback Loop",
		},
	} {
		want.Kind = bounce.Complaint
		for form, content := range map[string]string{
			"with LF": kept(t, name), "with CRLF": strings.ReplaceAll(kept(t, name), "\n", "\r\n"), "in a mailbox": "From feedback Wed Nov 25 08:14:02 2026\n" + kept(t, name),
		} {
			t.Run(name+" "+form, func(t *testing.T) {
				t.Parallel()
				got, err := bounce.Parse(strings.NewReader(content))
				if err != nil || len(got) != 1 {
					t.Fatalf("read %+v, %v", got, err)
				}
				want := want
				if want.ID == "" { // without a Message-ID, the fields themselves tell one from another
					want.ID = got[0].ID
				}
				if got[0] != want || got[0].ID == "" || got[0].DeliveryID() != deliveryID {
					t.Errorf("read %+v;\nwant %+v", got[0], want)
				}
			})
		}
	}
}

func TestAComplaintNamesItsMessageAndWhomItWentTo(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ content, want string }{
		"by both, which agree":         {complaint(abuse+"Original-Rcpt-To: <ANN@example.org>\r\n", addressed), "ann@example.org"},
		"by the original":              {complaint(abuse, addressed), "ann@example.org"},
		"by the report":                {complaint(abuse+"Original-Rcpt-To: <ann@example.org>\r\n", original), "ann@example.org"},
		"by the report with a type":    {complaint(abuse+"Original-Rcpt-To: rfc822; ann@example.org\r\n", original), "ann@example.org"},
		"by the report more than once": {complaint(abuse+"Original-Rcpt-To: <ann@example.org>\r\noriginal-rcpt-to: bob@example.org\r\n", original), "ann@example.org bob@example.org"},
		"through a forwarding":         {complaint(abuse+"Original-Rcpt-To: <a.lee@corp.example.net>\r\n", addressed), "a.lee@corp.example.net<ann@example.org"},
		"to one of several":            {complaint(abuse, original+"\r\nTo: Ann <ann@example.org>,\r\n bob@example.org"), "ann@example.org bob@example.org"},
		"a fraud":                      {complaint("feedback-type: Fraud (phishing)\r\n", addressed), "ann@example.org"},
		"a wish to leave":              {complaint("Feedback-Type: opt-out\r\n", addressed), "ann@example.org"},
		"without the end":              {strings.TrimSuffix(complaint(abuse, addressed), "--b--\r\n"), "ann@example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := bounce.Parse(strings.NewReader(tc.content))
			if err != nil {
				t.Fatal(err)
			}
			var whom []string
			for _, r := range got {
				if r.Kind != bounce.Complaint || r.DeliveryID() != deliveryID || r.Hard() {
					t.Errorf("read %+v", r)
				}
				one := r.Recipient
				if r.Original != "" {
					one += "<" + r.Original
				}
				whom = append(whom, one)
			}
			if strings.Join(whom, " ") != tc.want {
				t.Errorf("about %q, want %q", whom, tc.want)
			}
		})
	}
}

func TestWhatIsNoComplaintIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		content string
		want    error
	}{
		"it is no spam after all":               {complaint("Feedback-Type: not-spam\r\n", addressed), bounce.ErrNoComplaint},
		"a signature that does not hold":        {complaint("Feedback-Type: auth-failure\r\n", addressed), bounce.ErrNoComplaint},
		"something else":                        {complaint("Feedback-Type: other\r\n", addressed), bounce.ErrNoComplaint},
		"a type that begins like another":       {complaint("Feedback-Type: abuse-not\r\n", addressed), bounce.ErrNoComplaint},
		"no type":                               {complaint("Version: 1\r\n", addressed), bounce.ErrNoComplaint},
		"no fields":                             {complaint("", addressed), bounce.ErrNoComplaint},
		"nothing of the original":               {strings.Replace(complaint(abuse, addressed), "message/rfc822", "text/plain", 1), bounce.ErrNoOriginal},
		"an original without a Message-ID":      {complaint(abuse, "To: ann@example.org"), bounce.ErrNoOriginal},
		"nobody":                                {complaint(abuse, original), bounce.ErrNoComplainer},
		"nobody, because it is blacked out":     {complaint(abuse+"Original-Rcpt-To: [redacted]\r\n", original+"\r\nTo: [redacted]"), bounce.ErrNoComplainer},
		"the words of a complaint in an answer": {"Content-Type: text/plain\r\n\r\n" + complaint(abuse, addressed), bounce.ErrNoReport},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := bounce.Parse(strings.NewReader(tc.content))
			if !errors.Is(err, tc.want) || len(got) > 0 {
				t.Errorf("read %+v, %v; want %v", got, err, tc.want)
			}
		})
	}
	endless := &endless{"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n", abuse}
	if _, err := bounce.Parse(endless); !errors.Is(err, bounce.ErrTooLarge) {
		t.Errorf("fields without end: %v", err)
	}
}

func TestAComplaintSuppressesTheAddressOfItsDeliveryAlone(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		for name, tc := range map[string]struct {
			fields, to string
			suppressed bool
		}{
			"as it is":                             {"Original-Rcpt-To: <ann@example.org>\r\n", "ann@example.org", true},
			"in other letters":                     {"Original-Rcpt-To: <ANN@EXAMPLE.ORG>\r\n", "ann@example.org", true},
			"blacked out in the report":            {"Original-Rcpt-To: <redacted@isp.example.net>\r\n", "ann@example.org", true},
			"one of those that the original names": {"", "bob@example.org, Ann <ann@example.org>", true},
			"somebody else":                        {"Original-Rcpt-To: <eve@example.org>\r\n", "eve@example.org", false},
			"blacked out everywhere":               {"Original-Rcpt-To: <redacted@isp.example.net>\r\n", "redacted@isp.example.net", false},
		} {
			t.Run(name, func(t *testing.T) {
				if err := db.Exec("DELETE FROM notify_suppressions").Error; err != nil {
					t.Fatal(err)
				}
				d := sent(t, db, func(d *store.Delivery) { d.Address = "ann@example.org" })
				content := complaint(abuse+tc.fields, fmt.Sprintf("Message-ID: <%s@example.com>\r\nTo: %s", d.ID, tc.to))
				reports, err := bounce.Parse(strings.NewReader(content))
				if err != nil {
					t.Fatal(err)
				}
				want := state{Status: store.DeliverySent}
				if tc.suppressed {
					want.Errors, want.Suppressed = []string{"EMAIL_COMPLAINT resolved:false"}, []string{"ann@example.org complaint"}
				}
				for range 2 { // a second time changes nothing
					record(t, db, reports...)
					wantState(t, db, d.ID, want)
				}
			})
		}
	})
}
