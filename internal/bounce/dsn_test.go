package bounce_test

import (
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/bounce"
)

const (
	deliveryID = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"
	messageID  = deliveryID + "@example.com"
)

func kept(t testing.TB, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// report makes a delivery report with the fields about one recipient, and the header of the original.
func report(fields, original string) string {
	return "From: MAILER-DAEMON@mx.example.org\r\nMessage-ID: <report-1@mx.example.org>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain\r\n\r\nIt came back.\r\n" +
		"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n" + fields + "\r\n" +
		"--b\r\nContent-Type: message/rfc822\r\n\r\n" + original + "\r\n\r\nOrder 7 is late.\r\n--b--\r\n"
}

const original = "From: no-reply@example.com\r\nMessage-ID: <" + messageID + ">\r\nSubject: Order 7"

func TestTheReportsOfRealMailServersAreRead(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bounce.Report{
		"exim.eml": {
			Recipient: "ann@example.org", Status: "5.1.1",
			Diagnostic: "smtp; 550-5.1.1 <ann@example.org>: Recipient address rejected: 550 5.1.1 User unknown in virtual mailbox table",
			ID:         "<E1xVvhr-0001tE-09@mx.example.org>",
		},
		"postfix.eml": {
			Recipient: "ann.lee@corp.example.net", Original: "ann@example.org", Status: "5.1.1",
			Diagnostic: "smtp; 550 5.1.1 <ann.lee@corp.example.net>: Recipient address rejected: User unknown",
			ID:         "<20261124100211.9F1B23E0A1@mail.example.com>",
		},
	} {
		want.Kind, want.MessageID = bounce.Bounce, messageID
		for form, content := range map[string]string{
			"with LF": kept(t, name), "with CRLF": strings.ReplaceAll(kept(t, name), "\n", "\r\n"),
		} {
			t.Run(name+" "+form, func(t *testing.T) {
				t.Parallel()
				got, err := bounce.Parse(strings.NewReader(content))
				if err != nil || len(got) != 1 || got[0] != want {
					t.Errorf("read %+v, %v;\nwant %+v", got, err, want)
				}
			})
		}
	}
}

func TestWhatAReportSaysIsClassed(t *testing.T) {
	t.Parallel()
	const to = "Final-Recipient: rfc822; ann@example.org\r\n"
	for name, tc := range map[string]struct {
		fields, status string
		kind           bounce.Kind
		hard           bool
	}{
		"a mailbox that is not there":                     {to + "Action: failed\r\nStatus: 5.1.1 (no such user)\r\n", "5.1.1", bounce.Bounce, true},
		"a domain that is not there":                      {to + "Action: failed\r\nStatus: 5.1.2\r\n", "5.1.2", bounce.Bounce, true},
		"a domain without mail":                           {to + "Action: failed\r\nStatus: 5.1.10\r\n", "5.1.10", bounce.Bounce, true},
		"a mailbox that is closed":                        {to + "Action: failed\r\nStatus: 5.2.1\r\n", "5.2.1", bounce.Bounce, true},
		"a mailbox that is full":                          {to + "Action: failed\r\nStatus: 5.2.2\r\n", "5.2.2", bounce.Bounce, false},
		"a sender that is blocked":                        {to + "Action: failed\r\nStatus: 5.7.1\r\n", "5.7.1", bounce.Bounce, false},
		"days of trying in vain":                          {to + "Action: failed\r\nStatus: 4.4.7\r\n", "4.4.7", bounce.Bounce, false},
		"a general code with a precise one in the words":  {to + "Action: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 550 5.1.1 unknown\r\n", "5.1.1", bounce.Bounce, true},
		"no code, and a precise one in the words":         {to + "Action: failed\r\nDiagnostic-Code: smtp; 550 5.2.2 full\r\n", "5.2.2", bounce.Bounce, false},
		"words of another class":                          {to + "Action: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 450 4.1.1 later\r\n", "5.0.0", bounce.Bounce, false},
		"an IP address in the words":                      {to + "Action: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 550 5.1.1.7 is blocked\r\n", "5.0.0", bounce.Bounce, false},
		"no code at all":                                  {to + "Action: failed\r\n", "5.0.0", bounce.Bounce, false},
		"a code that is none":                             {to + "Action: failed\r\nStatus: 9.1.1\r\n", "5.0.0", bounce.Bounce, false},
		"a delay":                                         {to + "ACTION: Delayed (will retry)\r\nstatus: 4.4.1\r\n", "4.4.1", bounce.Delayed, false},
		"a delay with a hard code":                        {to + "Action: delayed\r\nStatus: 5.1.1\r\n", "5.1.1", bounce.Delayed, false},
		"an arrival":                                      {to + "Action: delivered\r\nStatus: 2.1.5\r\n", "2.1.5", bounce.Delivered, false},
		"an address in angle brackets":                    {"Final-Recipient: RFC822;<ann@example.org>\r\nAction: failed\r\nStatus: 5.1.1\r\n", "5.1.1", bounce.Bounce, true},
		"a field that occurs twice: the first one counts": {to + "Action: failed\r\nStatus: 5.1.1\r\nStatus: 5.2.2\r\n", "5.1.1", bounce.Bounce, true},
		"the original address alone":                      {"Original-Recipient: rfc822;ann@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n", "5.1.1", bounce.Bounce, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := bounce.Parse(strings.NewReader(report(tc.fields, original)))
			if err != nil || len(got) != 1 {
				t.Fatalf("read %+v, %v", got, err)
			}
			r := got[0]
			if r.Kind != tc.kind || r.Status != tc.status || r.Hard() != tc.hard || r.Recipient != "ann@example.org" || r.Original != "" {
				t.Errorf("read %+v, hard %v; want %s %s, hard %v", r, r.Hard(), tc.kind, tc.status, tc.hard)
			}
		})
	}
}

func TestTheOriginalIsNamedInManyWays(t *testing.T) {
	t.Parallel()
	const fields = "Final-Recipient: rfc822; ann@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"
	whole := report(fields, original)
	encoded := base64.StdEncoding.EncodeToString([]byte(original + "\r\n"))
	for name, tc := range map[string]struct{ content, want string }{
		"the whole message":                  {whole, messageID},
		"its headers alone":                  {strings.Replace(whole, "message/rfc822", "text/rfc822-headers; charset=klingon", 1), messageID},
		"an international message":           {strings.Replace(whole, "message/rfc822", "message/global", 1), messageID},
		"in base64":                          {strings.Replace(report(fields, encoded), "message/rfc822\r\n", "text/rfc822-headers\r\nContent-Transfer-Encoding: BASE64\r\n", 1), messageID},
		"a Message-ID on the next line":      {report(fields, "Message-ID:\r\n <"+messageID+">"), messageID},
		"a Message-ID that a provider wrote": {report(fields, "Message-ID: <other@provider.example>\r\nX-Silque-Delivery: "+deliveryID), deliveryID},
		"our Message-ID and our header":      {report(fields, original+"\r\nX-Silque-Delivery: "+deliveryID), messageID},
		"without the end of the report":      {strings.TrimSuffix(whole, "--b--\r\n"), messageID},
		"in a message of several parts":      {strings.Replace(whole, "multipart/report; report-type=delivery-status;", "multipart/mixed;", 1), messageID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := bounce.Parse(strings.NewReader(tc.content))
			if err != nil || len(got) != 1 || got[0].MessageID != tc.want || got[0].DeliveryID() != strings.TrimSuffix(tc.want, "@example.com") {
				t.Errorf("read %+v, %v; want %s", got, err, tc.want)
			}
		})
	}
}

func TestEachRecipientOfAReportIsRead(t *testing.T) {
	t.Parallel()
	got, err := bounce.Parse(strings.NewReader(report("Final-Recipient: rfc822; ann@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"+
		"Final-Recipient: rfc822; bob@example.org\r\nAction: relayed\r\nStatus: 2.0.0\r\n\r\n"+
		"Final-Recipient: rfc822; eve@example.org\r\nAction: delayed\r\nStatus: 4.2.2\r\n", original)))
	if err != nil || len(got) != 2 || got[0].Recipient != "ann@example.org" || got[1].Recipient != "eve@example.org" || got[1].Kind != bounce.Delayed {
		t.Errorf("read %+v, %v", got, err)
	}
}

// endless is a message of which more comes for ever.
type endless struct{ start, more string }

func (e *endless) Read(p []byte) (int, error) {
	if e.start == "" {
		e.start = e.more
	}
	n := copy(p, e.start)
	e.start = e.start[n:]
	return n, nil
}

func TestWhatIsNoReportIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	const fields = "Final-Recipient: rfc822; ann@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"
	whole := report(fields, original)
	nested := "Content-Type: multipart/mixed; boundary=b0\r\n\r\n"
	for i := range 30 {
		nested += "--b" + string(rune('0'+i)) + "\r\nContent-Type: multipart/mixed; boundary=b" + string(rune('1'+i)) + "\r\n\r\n"
	}
	multipart := "Content-Type: multipart/report; boundary=b\r\n\r\n"
	for name, tc := range map[string]struct {
		content io.Reader
		want    error
	}{
		"nothing":                           {strings.NewReader(""), bounce.ErrMalformed},
		"no message":                        {strings.NewReader("\x00\x01\x02 this is not it"), bounce.ErrMalformed},
		"a line From and nothing more":      {strings.NewReader("From someone"), bounce.ErrMalformed},
		"an answer from holiday":            {strings.NewReader("From: ann@example.org\r\nContent-Type: text/plain\r\n\r\nI am away."), bounce.ErrNoReport},
		"no type":                           {strings.NewReader("From: ann@example.org\r\n\r\nI am away."), bounce.ErrNoReport},
		"a type that cannot be read":        {strings.NewReader("Content-Type: ;;;\r\n\r\nx"), bounce.ErrNoReport},
		"parts without a boundary":          {strings.NewReader("Content-Type: multipart/report\r\n\r\nx"), bounce.ErrMalformed},
		"parts without an end":              {strings.NewReader("Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Ty"), bounce.ErrMalformed},
		"no status fields":                  {strings.NewReader(strings.Replace(whole, "message/delivery-status", "text/plain", 1)), bounce.ErrNoReport},
		"status fields that say nothing":    {strings.NewReader(report("Action: relayed\r\n", original)), bounce.ErrNoReport},
		"nothing of the original":           {strings.NewReader(strings.Replace(whole, "message/rfc822", "text/plain", 1)), bounce.ErrNoOriginal},
		"an original without a Message-ID":  {strings.NewReader(report(fields, "Subject: Order 7")), bounce.ErrNoOriginal},
		"parts in parts in parts":           {strings.NewReader(nested), bounce.ErrMalformed},
		"parts without number":              {&endless{multipart, "--b\r\n\r\nx\r\n"}, bounce.ErrTooLarge},
		"a header without end":              {&endless{"From: a\r\n", "X-Long: " + strings.Repeat("x", 1000) + "\r\n"}, bounce.ErrTooLarge},
		"a line From without end":           {&endless{"From ", strings.Repeat("x", 1000)}, bounce.ErrTooLarge},
		"a part without end":                {&endless{multipart + "--b\r\n\r\n", strings.Repeat("x", 1000) + "\r\n"}, bounce.ErrTooLarge},
		"status fields without end":         {&endless{multipart + "--b\r\nContent-Type: message/delivery-status\r\n\r\n", "Action: failed\r\n\r\n"}, bounce.ErrTooLarge},
		"a header of a part without end":    {&endless{multipart + "--b\r\n", "X-Long: " + strings.Repeat("x", 1000) + "\r\n"}, bounce.ErrTooLarge},
		"an original's header without end":  {&endless{multipart + "--b\r\nContent-Type: message/rfc822\r\n\r\n", "X-Long: " + strings.Repeat("x", 1000) + "\r\n"}, bounce.ErrTooLarge},
		"status fields in broken base64":    {strings.NewReader(strings.Replace(whole, "delivery-status\r\n\r\n", "delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n!!", 1)), bounce.ErrMalformed},
		"an address that holds a new line":  {strings.NewReader(report("Final-Recipient: rfc822; a\x00b@example.org\r\nAction: failed\r\n", original)), bounce.ErrNoReport},
		"an address that is much too long":  {strings.NewReader(report("Final-Recipient: rfc822; "+strings.Repeat("a", 300)+"@example.org\r\nAction: failed\r\n", original)), bounce.ErrNoReport},
		"a report in a returned message":    {strings.NewReader("Content-Type: message/rfc822\r\n\r\n" + whole), bounce.ErrNoReport},
		"a report that was put into quotes": {strings.NewReader("Content-Type: text/plain\r\n\r\n" + whole), bounce.ErrNoReport},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := bounce.Parse(tc.content)
			if !errors.Is(err, tc.want) || len(got) > 0 {
				t.Errorf("read %+v, %v; want %v", got, err, tc.want)
			}
		})
	}
}

func TestTheWordsOfAReportAreShortAndReadable(t *testing.T) {
	t.Parallel()
	got, err := bounce.Parse(strings.NewReader(report("Final-Recipient: rfc822; ann@example.org\r\nAction: failed\r\nDiagnostic-Code: smtp; "+
		"b\xfcro \x1b[31m"+strings.Repeat("x ", 5000)+"\r\n", original)))
	if err != nil || len(got) != 1 {
		t.Fatalf("read %+v, %v", got, err)
	}
	if d := got[0].Diagnostic; !strings.HasPrefix(d, "smtp; b\uFFFDro [31m") || len([]rune(d)) != 1001 {
		t.Errorf("the words are %q", d)
	}
}

// TestAFieldInManyLinesIsNoMoreWorkThanItsBytes counts what is allocated instead of the time: to copy a field for each of
// its lines would take gigabytes.
func TestAFieldInManyLinesIsNoMoreWorkThanItsBytes(t *testing.T) {
	const recipient = "Final-Recipient: rfc822; ann@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"
	folded := strings.Repeat(" x\r\n", 60_000)
	whole := report(recipient+"Diagnostic-Code: smtp; no\r\n"+folded, original+"\r\nX-Long: a\r\n"+folded)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := bounce.Parse(strings.NewReader(whole))
	runtime.ReadMemStats(&after)
	if err != nil || len(got) != 1 || got[0].Recipient != "ann@example.org" || !strings.HasPrefix(got[0].Diagnostic, "smtp; no x x") {
		t.Errorf("read %+v, %v", got, err)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 32<<20 {
		t.Errorf("%d MiB were allocated for %d KiB", allocated>>20, len(whole)>>10)
	}
}

func TestAFieldWithoutEndIsCutAndTheNextOneRead(t *testing.T) {
	t.Parallel()
	got, err := bounce.Parse(strings.NewReader(report("Diagnostic-Code: smtp; "+strings.Repeat("x", 20<<10)+"\r\n y\r\n"+
		"Final-Recipient: rfc822;\r\n ann@example.org\r\nAction: failed\r\nAction: delayed\r\n (again)\r\nStatus:\r\n\t5.1.1\r\n", original)))
	if err != nil || len(got) != 1 || got[0].Kind != bounce.Bounce || got[0].Recipient != "ann@example.org" || got[0].Status != "5.1.1" {
		t.Errorf("read %+v, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(kept(f, "exim.eml")))
	f.Add([]byte(kept(f, "postfix.eml")))
	f.Add([]byte(kept(f, "arf.eml")))
	f.Add([]byte(kept(f, "arf-redacted.eml")))
	f.Add([]byte(report("Final-Recipient: rfc822; ann@example.org\r\nAction: failed\r\n", original)))
	f.Fuzz(func(t *testing.T, content []byte) {
		reports, err := bounce.Parse(strings.NewReader(string(content)))
		if err != nil {
			for _, one := range []error{bounce.ErrTooLarge, bounce.ErrMalformed, bounce.ErrNoReport, bounce.ErrNoOriginal, bounce.ErrNoComplaint, bounce.ErrNoComplainer} {
				if errors.Is(err, one) {
					return
				}
			}
			t.Fatalf("an error that is not the package's: %v", err)
		}
		if len(reports) == 0 || len(reports) > 101 {
			t.Fatalf("%d reports", len(reports))
		}
		for _, r := range reports {
			if r.MessageID == "" || r.Recipient == "" || r.Kind == "" || (r.Status == "") != (r.Kind == bounce.Complaint) || len([]rune(r.Diagnostic)) > 1001 ||
				strings.ContainsAny(r.Recipient+r.Original+r.Diagnostic, "\r\n\x00") || len(r.Code()) > 20 {
				t.Fatalf("a report %+v", r)
			}
		}
	})
}
