package sandbox

import (
	"errors"
	"io"
	"net"
	"net/textproto"
	"sync"
	"testing"
	"time"

	"github.com/wneessen/go-mail"
)

func TestMailFromTheRealClientReachesTheInbox(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	m := newMail(t, "kunde@example.com")
	m.Subject("Bestellung № 7: Größe – 日本語, eine lange Zeile, damit der Betreff gefaltet wird ✓")
	m.SetMessageIDWithValue("delivery-7@example.com")
	m.SetBodyString(mail.TypeTextPlain, "Grüße = aus\nZürich, eine Zeile, die sehr viel länger ist, als quoted-printable es auf einer Zeile erlaubt.")
	m.AddAlternativeString(mail.TypeTextHTML, "<p>Grüße</p>")
	if err := m.AttachReader("secret.txt", newReader("not shown")); err != nil {
		t.Fatal(err)
	}
	if err := s.mailClient(5*time.Second).DialAndSendWithContext(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	list := s.messages("")
	if len(list.Items) != 1 {
		t.Fatalf("%d messages", len(list.Items))
	}
	got := list.Items[0]
	want := Message{
		Channel: Email, From: "shop@example.com", To: "kunde@example.com",
		Subject: "Bestellung № 7: Größe – 日本語, eine lange Zeile, damit der Betreff gefaltet wird ✓",
		Text:    "Grüße = aus\nZürich, eine Zeile, die sehr viel länger ist, als quoted-printable es auf einer Zeile erlaubt.",
		HTML:    "<p>Grüße</p>",
	}
	if got.Channel != want.Channel || got.From != want.From || got.To != want.To || got.Subject != want.Subject || got.Text != want.Text || got.HTML != want.HTML {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
	if len(got.Attachments) != 1 || got.Attachments[0] != (Attachment{"secret.txt", "text/plain", 9}) {
		t.Fatalf("attachments: %+v", got.Attachments)
	}
	if got.Headers["Message-ID"] != "<delivery-7@example.com>" || got.Headers["Subject"] != want.Subject {
		t.Fatalf("headers: %v", got.Headers)
	}
	if got.ReceivedAt.Location() != time.UTC || time.Since(got.ReceivedAt) > time.Minute {
		t.Fatalf("received at %v", got.ReceivedAt)
	}
}

func TestMailIsKeptOnceARecipient(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	if err := s.sendMail("a@example.com", "b@example.com"); err != nil {
		t.Fatal(err)
	}
	if list := s.messages("?to=B@example.com"); len(list.Items) != 1 || list.Items[0].To != "b@example.com" {
		t.Fatalf("%+v", list.Items)
	}
	if list := s.messages(""); len(list.Items) != 2 {
		t.Fatalf("%d messages", len(list.Items))
	}
}

func TestSMTPFaultsRefuseWithTheirCodesAndThenEnd(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode      Mode
		code      int
		enhanced  string
		temporary bool
	}{
		{Temporary, 451, "4.3.0", true},
		{Permanent, 550, "5.1.1", false},
		{RateLimit, 450, "4.7.1", true},
	} {
		t.Run(string(test.mode), func(t *testing.T) {
			t.Parallel()
			s := newStand(t, Options{})
			s.setFault(Email, test.mode, 2)
			for range 2 {
				err := s.sendMail("a@example.com")
				var refusal *mail.SendError
				if !errors.As(err, &refusal) {
					t.Fatalf("got %v, want a refusal", err)
				}
				if refusal.ErrorCode() != test.code || refusal.EnhancedStatusCode() != test.enhanced || refusal.IsTemp() != test.temporary {
					t.Fatalf("got %d %s temporary=%v", refusal.ErrorCode(), refusal.EnhancedStatusCode(), refusal.IsTemp())
				}
			}
			if n := len(s.messages("").Items); n != 0 {
				t.Fatalf("%d refused messages were kept", n)
			}
			if err := s.sendMail("a@example.com"); err != nil {
				t.Fatalf("after the fault: %v", err)
			}
			if n := len(s.messages("").Items); n != 1 {
				t.Fatalf("%d messages", n)
			}
		})
	}
}

func TestDropCutsTheConnectionAfterDATAAndKeepsNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.setFault(Email, Drop, 1)
	err := s.sendMail("a@example.com")
	var refusal *mail.SendError
	if !errors.As(err, &refusal) || refusal.Reason != mail.ErrSMTPDataClose || refusal.ErrorCode() != 0 {
		t.Fatalf("got %v, want a connection that was cut where the answer to DATA was due", err)
	}
	if n := len(s.messages("").Items); n != 0 {
		t.Fatalf("%d messages were kept", n)
	}
	if err := s.sendMail("a@example.com"); err != nil {
		t.Fatal(err)
	}
}

func TestADropIsNotUsedUpByAMessageThatWasAbandonedBeforeDATA(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.setFault(Email, Drop, 1)
	c := s.dialSMTP()
	c.expect(250, "EHLO localhost")
	c.expect(250, "MAIL FROM:<shop@example.com>")
	c.expect(250, "RCPT TO:<a@example.com>")
	c.expect(250, "RSET")
	if f := s.fault(Email); f.Mode != Drop || f.Count != 1 {
		t.Fatalf("fault: %+v", f)
	}
}

func TestSlowTakesTheMessageLate(t *testing.T) {
	t.Parallel()
	const slow = 300 * time.Millisecond
	s := newStand(t, Options{slowAnswer: slow})
	s.setFault(Email, Slow, 1)
	began := time.Now()
	if err := s.sendMail("a@example.com"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < slow {
		t.Fatalf("answered after %v", took)
	}
	if n := len(s.messages("").Items); n != 1 {
		t.Fatalf("%d messages", n)
	}
}

func TestHangAnswersNothingUntilTheClientGivesUp(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.setFault(Email, Hang, 1)
	if err := s.mailClient(200*time.Millisecond).DialAndSendWithContext(t.Context(), newMail(t, "a@example.com")); err == nil {
		t.Fatal("the message was taken")
	}
	if n := len(s.messages("").Items); n != 0 {
		t.Fatalf("%d messages were kept", n)
	}
	if err := s.sendMail("a@example.com"); err != nil {
		t.Fatal(err)
	}
}

func TestCloseLetsGoOfAClientThatHangs(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.setFault(Email, Hang, 1)
	c := s.dialSMTP()
	c.expect(250, "EHLO localhost")
	c.expect(250, "MAIL FROM:<shop@example.com>")
	c.send("RCPT TO:<a@example.com>")
	waitUntil(t, func() bool { return s.faults.all()[0].Mode == OK })
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadLine(); !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !isReset(err) {
		t.Fatalf("got %v, want a connection that was cut", err)
	}
}

func TestFaultsAreCountedExactlyUnderConcurrency(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	const senders, each, faulty = 8, 5, 17
	s.setFault(Email, Temporary, faulty)
	var refused sync.Map
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for j := range each {
				if err := s.sendMail("a@example.com"); err != nil {
					refused.Store([2]int{i, j}, err)
				}
			}
		})
	}
	all.Wait()
	n := 0
	refused.Range(func(any, any) bool { n++; return true })
	if n != faulty {
		t.Errorf("%d hand-overs met the fault, want %d", n, faulty)
	}
	if kept := len(s.messages("").Items); kept != senders*each-faulty {
		t.Errorf("%d messages were kept, want %d", kept, senders*each-faulty)
	}
	if f := s.fault(Email); f.Mode != OK || f.Count != 0 {
		t.Errorf("fault afterwards: %+v", f)
	}
}

// rawSMTP is a client that can stop in the middle.
type rawSMTP struct {
	*textproto.Conn
	t *testing.T
}

func (s *stand) dialSMTP() rawSMTP {
	s.t.Helper()
	conn, err := new(net.Dialer).DialContext(s.t.Context(), "tcp", s.SMTPAddr())
	if err != nil {
		s.t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	c := rawSMTP{Conn: textproto.NewConn(conn), t: s.t}
	s.t.Cleanup(func() { _ = c.Close() })
	if _, _, err := c.ReadResponse(220); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (c rawSMTP) send(line string) {
	c.t.Helper()
	if err := c.PrintfLine("%s", line); err != nil {
		c.t.Fatal(err)
	}
}

func (c rawSMTP) expect(code int, line string) {
	c.t.Helper()
	c.send(line)
	if _, _, err := c.ReadResponse(code); err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
}
