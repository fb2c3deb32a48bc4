package twilio

import (
	"context"
	"slices"
	"strings"
	"time"

	api "github.com/twilio/twilio-go/rest/api/v2010"

	"github.com/silquetech/silque-notifications/internal/channel"
)

const (
	// clockAllowance is how far Twilio's clock may be behind ours unnoticed. It also covers that Twilio tells whole seconds.
	// It is kept small: an earlier message with the same words must not pass for the one that is sought.
	clockAllowance = 10 * time.Second
	findPage       = 100
	findLimit      = 500
	// findShare is the part of Config.Timeout that looking may take, as a divisor.
	findShare = 3
	// lookBack is how far back Find looks when the hand-over seems to lie in the future: the clock that said when it began
	// has been set since, or was another machine's, and how far it was off is not known.
	lookBack = time.Hour
	// trialPrefix is what Twilio puts before the text of a trial account.
	trialPrefix = "Sent from your Twilio trial account - "
)

// dead are the statuses of messages that have not arrived and will not: another hand-over is needed all the same.
var dead = []string{"failed", "undelivered", "canceled"}

// FindParams is what is known of a message whose hand-over is in doubt. One of From and MessagingServiceSID is set.
type FindParams struct {
	To, From            string
	MessagingServiceSID string
	Body                string
	// ContentSID and ContentVariables are those of a message by template, which has no Body of ours.
	ContentSID       string
	ContentVariables map[string]string
	// Since is when the doubtful hand-over began, by Config.Now.
	Since time.Time
}

// Find looks in Twilio's message list for messages with that recipient, sender and text, created since the doubtful
// hand-over began, unless Twilio says that they have not arrived. It gives all of them, oldest first. It takes at most a third of
// Config.Timeout, so that a hand-over can follow in the caller's time. A failure is a *channel.Error of class Temporary
// or Permanent: it tells nothing about the message.
//
// A message by template is known by the values of its variables: see saysAll. When those tell too little, Find gives
// nothing without asking, and the message may be sent twice.
//
// Twilio keeps nothing of ours with a message, so deliveries with the same words to the same number, handed over within
// the same seconds, cannot be told apart here: the caller knows which message SIDs belong to others.
func (c *Client) Find(ctx context.Context, p FindParams) ([]channel.Receipt, error) {
	if p.ContentSID != "" && !p.tells() {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout/findShare)
	defer cancel()
	// Messages that Twilio still holds in its queue have no sending date yet, and nothing says on which side of the
	// filter they fall, so the newest messages to this number are always looked at as well: what the filtered list has
	// may be another delivery's, while the one that is sought waits in the queue. They come first, because their answer
	// says what time it is at Twilio.
	page, limit, newest := findPage, findLimit, findPage
	waiting, ahead, err := c.list(ctx, &api.ListMessageParams{To: &p.To, PageSize: &page, Limit: &newest})
	if err != nil {
		return nil, err
	}
	earliest := p.earliest(c.now(), ahead)
	sent, _, err := c.list(ctx, &api.ListMessageParams{To: &p.To, DateSentAfter: &earliest, PageSize: &page, Limit: &limit})
	if err != nil {
		return nil, err
	}
	return p.candidates(append(waiting, sent...), earliest), nil
}

// list reads messages, and how far Twilio's clock is ahead of ours.
func (c *Client) list(ctx context.Context, query *api.ListMessageParams) (messages []api.ApiV2010Message, ahead time.Duration, err error) {
	service, x := c.call(ctx)
	messages, err = service.ListMessage(query)
	if err == nil && x.status >= 300 {
		err = errNoList
	}
	if err != nil {
		return nil, 0, c.refusal(x, err, true)
	}
	return messages, x.ahead(c.now()), nil
}

// earliest is from when on, by Twilio's clock, the message can have been created.
func (p FindParams) earliest(now time.Time, ahead time.Duration) time.Time {
	since := p.Since
	if since.After(now.Add(clockNoise)) {
		since = now.Add(-lookBack)
	}
	return since.Add(ahead - clockAllowance).UTC().Truncate(time.Second)
}

// candidates gives the messages that can be the one sought, oldest first and each once: the same message may be on both
// lists, and on two pages when others arrive meanwhile.
func (p FindParams) candidates(messages []api.ApiV2010Message, earliest time.Time) []channel.Receipt {
	type candidate struct {
		receipt channel.Receipt
		created time.Time
	}
	var found []candidate
	known := map[string]bool{}
	for i := range messages {
		m := &messages[i]
		created, err := time.Parse(time.RFC1123Z, value(m.DateCreated))
		if err != nil || created.Before(earliest) || !p.matches(m) || known[value(m.Sid)] {
			continue
		}
		known[value(m.Sid)] = true
		found = append(found, candidate{receipt(m), created})
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.created.Compare(b.created) })
	var receipts []channel.Receipt
	for _, f := range found {
		receipts = append(receipts, f.receipt)
	}
	return receipts
}

func (p FindParams) matches(m *api.ApiV2010Message) bool {
	if value(m.Sid) == "" || slices.Contains(dead, value(m.Status)) || value(m.To) != p.To || strings.HasPrefix(value(m.Direction), "inbound") {
		return false
	}
	if p.MessagingServiceSID != "" {
		if value(m.MessagingServiceSid) != p.MessagingServiceSID {
			return false
		}
	} else if value(m.From) != p.From {
		return false
	}
	if p.ContentSID != "" {
		return p.saysAll(value(m.Body))
	}
	return plainText(value(m.Body)) == plainText(p.Body)
}

// plainText is a text without what Twilio may add or drop at its ends.
func plainText(s string) string {
	return strings.TrimSpace(strings.TrimPrefix(s, trialPrefix))
}
