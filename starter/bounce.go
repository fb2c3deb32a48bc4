package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/silquetech/silque-notifications/internal/bounce"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/wiring"
)

const bounceUsage = `starter bounce reads what mail servers report of emails that they could not deliver (RFC 3464), and what mail
providers report of recipients who called one spam (RFC 5965): one message from standard input, or from each of the files.

  starter bounce < message              what a mail server pipes into it, or one message of a mailbox
  starter bounce Maildir/new/*          the messages of a Maildir

A report about an email that was sent from here fails its delivery, and suppresses an address that is no mailbox; a
complaint suppresses the address, and the delivery stays as it was. Whatever else comes to such a mailbox, answers and spam, is passed over: a mail server must not send it back.

It needs the database (DATABASE_URL). Reading a message twice does no harm.
Exit code: 0 read or passed over, 1 a file cannot be read, 2 wrong usage, 75 try again later (the database is away, or the
delivery is still under way); mail servers keep a message for which their pipe ends with 75.
`

// tryLater is sysexits.h's EX_TEMPFAIL: Postfix, Exim and Sendmail then keep the message and call again.
const tryLater = 75

// runBounce gives the exit code. settings is nil when they are wrong, which has been said: a message must not be lost for
// that.
func runBounce(ctx context.Context, settings *config.Config, arguments []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("starter bounce", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, bounceUsage) }
	if err := flags.Parse(arguments); err != nil {
		return wiring.UsageCode(err)
	}
	if settings == nil {
		return tryLater
	}
	ctx, stop := wiring.UntilStopped(ctx)
	defer stop()
	db, err := wiring.DatabaseAsItIs(ctx, settings, wiring.Logger(settings.Notify, stderr))
	if err != nil {
		fmt.Fprintln(stderr, "starter:", err)
		return tryLater
	}
	defer func() { _ = store.Close(db) }()
	mailbox := mailbox{recorder: bounce.NewRecorder(db, "bounce mailbox"), stdout: stdout, stderr: stderr}
	if flags.NArg() == 0 {
		return mailbox.read(ctx, "standard input", stdin)
	}
	code := 0
	for _, name := range flags.Args() {
		code = worse(code, mailbox.readFile(ctx, name))
	}
	return code
}

// worse gives the exit code that says more: what can be tried again is to be, whatever else there was.
func worse(a, b int) int { return max(a, b) }

// mailbox reads messages, and says what each came to without an address.
type mailbox struct {
	recorder       bounce.Recorder
	stdout, stderr io.Writer
}

func (m mailbox) readFile(ctx context.Context, name string) int {
	file, err := os.Open(name)
	if err != nil {
		fmt.Fprintln(m.stderr, "starter:", err)
		return 1
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		fmt.Fprintf(m.stderr, "starter: %s is no file with a message\n", name)
		return 1
	}
	return m.read(ctx, name, file)
}

func (m mailbox) read(ctx context.Context, name string, in io.Reader) int {
	reports, err := bounce.Parse(in)
	if err != nil {
		fmt.Fprintf(m.stderr, "%s: passed over: %v\n", name, err)
		return 0
	}
	results, err := m.recorder.Record(ctx, reports...)
	if err != nil {
		fmt.Fprintf(m.stderr, "starter: %s: %v\n", name, errors.Unwrap(err))
		return tryLater
	}
	for _, r := range results {
		fmt.Fprintf(m.stdout, "%s: %s\n", name, told(r))
	}
	if bounce.Retry(results) {
		return tryLater
	}
	return 0
}

// told says what a report came to.
func told(r bounce.Result) string {
	switch r.Outcome {
	case bounce.NoDelivery:
		return "passed over: not about an email that was sent from here, or not any more"
	case bounce.OtherRecipient:
		return "passed over: delivery " + r.DeliveryID + " went to another address"
	case bounce.Repeated:
		return "delivery " + r.DeliveryID + ": nothing new"
	case bounce.TooEarly:
		text := "delivery " + r.DeliveryID + " is still under way: try again later"
		if r.Suppressed {
			text += "; the address gets no more emails from now on"
		}
		return text
	default:
		text := "delivery " + r.DeliveryID + ": " + string(r.Outcome)
		if r.Suppressed {
			text += "; the address gets no more emails"
		}
		return text
	}
}
