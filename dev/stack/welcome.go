package stack

import (
	"fmt"
	"strings"
	"time"
)

// Welcome is the block that the terminal shows when all is up.
func (s *Stack) Welcome() string {
	var b strings.Builder
	fmt.Fprintf(&b, `
  Silque Notifications is up. You are signed in as admin, without a password.

    Console          %[1]s/
    Demo shop        %[1]s/demo
    Sandbox inbox    %[1]s/sandbox
    Temporal Web UI  %[2]s
    REST API         %[1]s/api/v1   (openapi.json describes it)

  Sign in to the API with the header
    Authorization: Bearer %[3]s

  Three things to try (with links: %[1]s/start):
    1. Add a customer at %[1]s/demo/customers
       and read the welcome email in the inbox.
    2. Write a notification at %[1]s/notifications/new
       with the preview beside it, change a row in the demo shop, and read it in the inbox.
    3. Break email in the inbox ("temporary", hand-overs: %[6]d), add another customer, and watch the attempts
       under Deliveries in the console: %[7]s.
%[8]s
  A test message from a second terminal:
    %[4]s --email --to you@example.com

  Ctrl-C stops everything. Data: %[5]s

`, s.URL(), s.UIURL(), s.Token(), s.starterCommand(), s.options.Data,
		s.trial().Faults, s.trial().End, s.trial().indented())
	return b.String()
}

// trial is what a newcomer sees who breaks a channel for a while, with the settings as they are.
type trial struct {
	// Faults is how many hand-overs to break.
	Faults int
	// End says how it ends.
	End string
	// Pace says how long that takes; empty when nothing is tried again.
	Pace string
	// Quicker is the command that makes it quick; empty when it is.
	Quicker string
}

// quickInterval is a wait between attempts that nobody minds.
const quickInterval = 5 * time.Second

func (s *Stack) trial() trial {
	attempts, interval := s.settings.Notify.RetryAttempts, s.settings.Notify.RetryInterval
	if attempts < 2 {
		return trial{Faults: 1, End: "it fails, as nothing is tried again (NOTIFY_RETRY_ATTEMPTS=1)"}
	}
	t := trial{Faults: min(2, attempts-1)}
	t.End = fmt.Sprintf("the email arrives at attempt %d", t.Faults+1)
	t.Pace = "Attempts are " + inWords(interval) + " apart"
	if interval > quickInterval {
		t.Quicker = fmt.Sprintf("NOTIFY_RETRY_INTERVAL=%s go run ./dev", quickInterval)
	}
	return t
}

// indented is the pace and what makes it quicker, as lines of the welcome block.
func (t trial) indented() string {
	switch {
	case t.Pace == "":
		return ""
	case t.Quicker == "":
		return "       " + t.Pace + ".\n"
	default:
		return "       " + t.Pace + "; this makes it quick: " + t.Quicker + "\n"
	}
}

// inWords writes whole minutes and seconds as people say them.
func inWords(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{time.Minute, "minute"}, {time.Second, "second"}} {
		switch {
		case d == unit.length:
			return "one " + unit.name
		case d%unit.length == 0:
			return fmt.Sprintf("%d %ss", d/unit.length, unit.name)
		}
	}
	return d.String()
}

// starterCommand is how a second terminal calls the starter, with the settings that differ from the defaults.
func (s *Stack) starterCommand() string {
	var settings []string
	if s.settings.DatabaseURL != "sqlite://.data/notifications.db" {
		url := s.settings.DatabaseURL
		if strings.HasPrefix(url, "postgres") {
			url = "postgres://…" // it may hold a password
		}
		settings = append(settings, "DATABASE_URL="+url)
	}
	if s.TemporalAddr() != "127.0.0.1:7233" {
		settings = append(settings, "TEMPORAL_ADDRESS="+s.TemporalAddr())
	}
	if s.UIURL() != "http://127.0.0.1:8233" {
		settings = append(settings, "NOTIFY_TEMPORAL_UI_URL="+s.UIURL())
	}
	return strings.Join(append(settings, "go run ./starter"), " ")
}
