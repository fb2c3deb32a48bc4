package twilio

import (
	"context"
	"strings"
	"time"

	api "github.com/twilio/twilio-go/rest/api/v2010"

	"github.com/silquetech/silque-notifications/internal/channel"
)

const (
	// clockAllowance is how far Twilio's clock may be behind ours. It also covers that Twilio tells whole seconds. It is
	// kept small: an earlier message with the same words must not pass for the one that is sought.
	clockAllowance = 10 * time.Second
	findPage       = 100
	findLimit      = 500
	// trialPrefix is what Twilio puts before the text of a trial account.
	trialPrefix = "Sent from your Twilio trial account - "
)

// FindParams is what is known of a message whose hand-over is in doubt. One of From and MessagingServiceSID is set.
type FindParams struct {
	To, From            string
	MessagingServiceSID string
	Body                string
	// Since is when the doubtful hand-over began.
	Since time.Time
}

// Find looks in Twilio's message list for a message with that recipient, sender and text, created since the doubtful
// hand-over began, whatever became of it afterwards. Of several, the earliest is given. A failure is a *channel.Error of
// class Temporary or Permanent: it tells nothing about the message.
//
// Twilio keeps nothing of ours with a message, so two deliveries with the same words to the same number, handed over
// within the same seconds, cannot be told apart.
func (c *Client) Find(ctx context.Context, p FindParams) (channel.Receipt, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	earliest := p.Since.Add(-clockAllowance).UTC().Truncate(time.Second)

	// Messages that Twilio still holds in its queue have no sending date yet, and nothing says on which side of the
	// filter they fall: when the filtered list has nothing, the newest messages to this number are looked at as well.
	page, limit, newest := findPage, findLimit, findPage
	for _, query := range []*api.ListMessageParams{
		{To: &p.To, DateSentAfter: &earliest, PageSize: &page, Limit: &limit},
		{To: &p.To, PageSize: &page, Limit: &newest},
	} {
		service, x := c.call(ctx)
		messages, err := service.ListMessage(query)
		if err == nil && x.status >= 300 {
			err = errNoList
		}
		if err != nil {
			return channel.Receipt{}, false, c.refusal(x, err, true)
		}
		if m := p.pick(messages, earliest); m != nil {
			return receipt(m), true, nil
		}
	}
	return channel.Receipt{}, false, nil
}

// pick gives the earliest message that can be the one sought, or nil.
func (p FindParams) pick(messages []api.ApiV2010Message, earliest time.Time) *api.ApiV2010Message {
	var found *api.ApiV2010Message
	var foundAt time.Time
	for i := range messages {
		m := &messages[i]
		created, err := time.Parse(time.RFC1123Z, value(m.DateCreated))
		if err != nil || created.Before(earliest) || !p.matches(m) {
			continue
		}
		if found == nil || created.Before(foundAt) {
			found, foundAt = m, created
		}
	}
	return found
}

func (p FindParams) matches(m *api.ApiV2010Message) bool {
	if value(m.Sid) == "" || value(m.To) != p.To || strings.HasPrefix(value(m.Direction), "inbound") {
		return false
	}
	if p.MessagingServiceSID != "" {
		if value(m.MessagingServiceSid) != p.MessagingServiceSID {
			return false
		}
	} else if value(m.From) != p.From {
		return false
	}
	return plainText(value(m.Body)) == plainText(p.Body)
}

// plainText is a text without what Twilio may add or drop at its ends.
func plainText(s string) string {
	return strings.TrimSpace(strings.TrimPrefix(s, trialPrefix))
}
