package wiring

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// settings loads an environment that must be right.
func settings(t *testing.T, environ ...string) *config.Config {
	t.Helper()
	c, err := config.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	mail    = []string{"SMTP_HOST=127.0.0.1", "SMTP_FROM=Shop <shop@example.com>"}
	account = []string{"TWILIO_ACCOUNT_SID=AC" + strings.Repeat("0", 32), "TWILIO_AUTH_TOKEN=secret"}
)

func TestAChannelIsThereWhenItsSettingsAre(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		environ [][]string
		want    []rule.Channel
	}{
		{"none", nil, nil},
		{"email alone", [][]string{mail}, []rule.Channel{rule.Email}},
		{"SMS alone", [][]string{account, {"TWILIO_SMS_FROM=+12025550100"}}, []rule.Channel{rule.SMS}},
		{"WhatsApp through a Messaging Service", [][]string{account, {"TWILIO_WHATSAPP_MESSAGING_SERVICE_SID=MG" + strings.Repeat("0", 32)}},
			[]rule.Channel{rule.WhatsApp}},
		{"all", [][]string{mail, account, {"TWILIO_SMS_FROM=+12025550100", "TWILIO_WHATSAPP_FROM=+12025550100"}}, rule.Channels},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, err := newSenders(settings(t, slices.Concat(test.environ...)...), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			w := Worker{senders: s}
			if got := w.Channels(); !slices.Equal(got, test.want) {
				t.Errorf("channels %v, want %v", got, test.want)
			}
			if err := w.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEveryWrongSettingOfAChannelIsNamed(t *testing.T) {
	t.Parallel()
	c := settings(t, append(slices.Clone(mail), "SMTP_REPLY_TO=not an address", "TWILIO_ACCOUNT_SID=AC1", "TWILIO_AUTH_TOKEN=secret word",
		"TWILIO_SMS_FROM=12", "TWILIO_WHATSAPP_FROM=nobody",
		"NOTIFY_ATTACHMENT_DIRS=relative", "NOTIFY_ATTACHMENT_HOSTS=ftp://files")...)
	_, err := newSenders(c, nil, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"SMTP settings", "ReplyTo", "TWILIO settings", "AccountSID", "AuthToken", "sms: From", "whatsapp: From",
		"NOTIFY_ATTACHMENT settings", `directory "relative"`, `host "ftp://files"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret word") {
		t.Errorf("a secret is shown:\n%v", err)
	}
}

// answering is a channel that answers as a test says.
type answering struct {
	got  channel.Message
	err  error
	asks time.Time
}

func (s *answering) Send(_ context.Context, m channel.Message) (channel.Receipt, error) {
	s.got = m
	if s.err != nil {
		return channel.Receipt{}, s.err
	}
	return channel.Receipt{ProviderID: "id", Response: "250 taken"}, nil
}

// finding can be asked for a message too.
type finding struct{ answering }

func (s *finding) Find(_ context.Context, m channel.Message, since time.Time) ([]channel.Receipt, error) {
	s.got, s.asks = m, since
	return []channel.Receipt{{ProviderID: "found"}, {ProviderID: "later"}}, s.err
}

func TestAnAdapterHandsTheWholeMessageOver(t *testing.T) {
	t.Parallel()
	sender, since := new(finding), time.Unix(1, 0)
	m := activities.Message{DeliveryID: "d", Channel: rule.Email, To: "ann@example.com", Subject: "s", Text: "t", HTML: "h",
		Details: rule.Details{
			To: []string{"to"}, Cc: []string{"cc"}, ReplyTo: "reply", ContentSID: "HX", ContentVariables: map[string]string{"1": "x"},
			Files: []rule.File{{Location: "/never/fetched/here"}},
		}}
	want := channel.Message{DeliveryID: "d", To: "ann@example.com", Subject: "s", Text: "t", HTML: "h",
		HeaderTo: []string{"to"}, Cc: []string{"cc"}, ReplyTo: "reply", ContentSID: "HX", ContentVariables: map[string]string{"1": "x"}}
	id, detail, err := adapter{sender}.Send(t.Context(), m)
	if err != nil || id != "id" || detail != "250 taken" || !reflect.DeepEqual(sender.got, want) {
		t.Errorf("sent %+v, got %q, %q, error %v", sender.got, id, detail, err)
	}
	sender.got = channel.Message{}
	ids, err := adapter{sender}.Find(t.Context(), m, since)
	if err != nil || !slices.Equal(ids, []string{"found", "later"}) || !reflect.DeepEqual(sender.got, want) || !sender.asks.Equal(since) {
		t.Errorf("asked for %+v since %v, got %q, error %v", sender.got, sender.asks, ids, err)
	}
	if ids, err := (adapter{new(answering)}).Find(t.Context(), m, since); len(ids) > 0 || err != nil {
		t.Errorf("a channel that cannot be asked said %q, error %v", ids, err)
	}
}

func TestAChannelsErrorIsARefusalToTheActivities(t *testing.T) {
	t.Parallel()
	cause := errors.New("451 ann@example.com is busy")
	for _, class := range []channel.Class{channel.Temporary, channel.Permanent, channel.Unknown} {
		sender := &finding{answering{err: &channel.Error{Class: class, Code: "smtp_451", RetryAfter: time.Minute, Detail: "busy", Cause: cause}}}
		_, _, sendErr := adapter{sender}.Send(t.Context(), activities.Message{})
		_, findErr := adapter{sender}.Find(t.Context(), activities.Message{}, time.Time{})
		for _, err := range []error{sendErr, findErr} {
			var refusal activities.Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("%v is no refusal", err)
			}
			got, code, after, detail := refusal.Refusal()
			if string(got) != string(class) || code != "smtp_451" || after != time.Minute || detail != "busy" {
				t.Errorf("refusal %s, %s, %s, %s", got, code, after, detail)
			}
			if !errors.Is(err, cause) || strings.Contains(err.Error(), "ann@") {
				t.Errorf("the error is %v", err)
			}
		}
	}
	if _, _, err := (adapter{&answering{err: cause}}).Send(t.Context(), activities.Message{}); !errors.Is(err, cause) {
		t.Errorf("another error became %v", err)
	}
}

func TestTheClassesOfChannelAndActivitiesAreTheSameWords(t *testing.T) {
	t.Parallel()
	for theirs, ours := range map[channel.Class]activities.Class{
		channel.Temporary: activities.Temporary, channel.Permanent: activities.Permanent, channel.Unknown: activities.Unknown,
	} {
		if string(theirs) != string(ours) {
			t.Errorf("%s became %s", theirs, ours)
		}
	}
}
