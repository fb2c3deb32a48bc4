// Package trial is what the starter does: it puts a test message or an event made by hand into the outbox, the one
// entrance, and follows it to its end.
package trial

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// Request is what the command line asks for.
type Request struct {
	// Channel and To make a test message.
	Channel rule.Channel
	To      string
	// Model, Key and Action make an event for a row.
	Model, Key string
	Action     rule.Action
	// Wait is whether the outcome is awaited, for at most Timeout.
	Wait    bool
	Timeout time.Duration
}

const usage = `starter sends a test message, or fires an event for a row, and tells what became of it.

  starter --email --to user@example.com        a test email
  starter --sms --to +12025550123              a test SMS
  starter --whatsapp --to +12025550123         a test WhatsApp message
  starter event --model orders --key 7 --action update
                                               an event for the row with that primary key
  starter import export.json --dry-run         carries notifications over from the Django app: starter import --help
  starter bounce < message                     reads what a mail server reports: starter bounce --help

It needs the database (DATABASE_URL), Temporal (TEMPORAL_ADDRESS) and a running worker.
Exit code: 0 sent, 1 failed, 2 wrong usage.

Flags:
`

const noTime = "--timeout must be more than 0, such as 30s; to wait for nothing say --wait=false"

// errUsage stands for a mistake that has been explained already.
var errUsage = errors.New("wrong usage")

// Parse reads the command line. It explains a mistake on stderr; the error is flag.ErrHelp when help was asked for.
func Parse(arguments []string, stderr io.Writer, addresses rule.Addresses) (Request, error) {
	if len(arguments) > 0 && arguments[0] == "event" {
		return parseEvent(arguments[1:], stderr)
	}
	return parseTest(arguments, stderr, addresses)
}

func flagSet(r *Request, stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet("starter", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage); flags.PrintDefaults() }
	flags.BoolVar(&r.Wait, "wait", true, "wait for the outcome")
	flags.DurationVar(&r.Timeout, "timeout", 10*time.Minute, "how long to wait at most")
	return flags
}

func parseTest(arguments []string, stderr io.Writer, addresses rule.Addresses) (r Request, err error) {
	flags := flagSet(&r, stderr)
	email := flags.Bool("email", false, "send a test email")
	sms := flags.Bool("sms", false, "send a test SMS")
	whatsapp := flags.Bool("whatsapp", false, "send a test WhatsApp message")
	to := flags.String("to", "", "the address or number to send it to")
	if err := flags.Parse(arguments); err != nil {
		return r, err
	}
	chosen := 0
	for channel, picked := range map[rule.Channel]bool{rule.Email: *email, rule.SMS: *sms, rule.WhatsApp: *whatsapp} {
		if picked {
			r.Channel = channel
			chosen++
		}
	}
	switch {
	case flags.NArg() > 0:
		return r, wrong(stderr, "%q is not understood; see starter --help", flags.Arg(0))
	case chosen != 1:
		return r, wrong(stderr, "choose one of --email, --sms and --whatsapp; see starter --help")
	case r.Timeout <= 0:
		return r, wrong(stderr, noTime)
	case *to == "":
		return r, wrong(stderr, "say where to with --to")
	}
	if r.To, err = addresses.Normalize(r.Channel, *to); err != nil {
		return r, wrong(stderr, "--to: %v", err)
	}
	return r, nil
}

func parseEvent(arguments []string, stderr io.Writer) (r Request, err error) {
	flags := flagSet(&r, stderr)
	flags.StringVar(&r.Model, "model", "", "the table, as the catalog lists it")
	flags.StringVar(&r.Key, "key", "", "the row's primary key; the parts of a composite one joined by commas")
	action := flags.String("action", "update", "create, update or delete")
	if err := flags.Parse(arguments); err != nil {
		return r, err
	}
	r.Action = rule.Action(*action)
	switch {
	case flags.NArg() > 0:
		return r, wrong(stderr, "%q is not understood; see starter --help", flags.Arg(0))
	case r.Timeout <= 0:
		return r, wrong(stderr, noTime)
	case r.Model == "" || r.Key == "":
		return r, wrong(stderr, "an event needs --model and --key")
	case r.Action != rule.Create && r.Action != rule.Update && r.Action != rule.Delete:
		return r, wrong(stderr, "--action must be create, update or delete")
	}
	return r, nil
}

func wrong(stderr io.Writer, format string, arguments ...any) error {
	fmt.Fprintf(stderr, "starter: "+format+"\n", arguments...)
	return errUsage
}
