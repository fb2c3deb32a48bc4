package console

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/doubt"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/retry"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// endedDoubts lists who has ended the doubt about a delivery, newest first: a retry can come to another.
func (s *Console) endedDoubts(ctx context.Context, id string) ([]audit.Record, error) {
	records, _, err := audit.List(ctx, s.config.DB, audit.Filter{Action: doubt.Action, TargetID: id}, "", 0)
	return records, err
}

// saidWords say what somebody said who ended a doubt.
var saidWords = map[doubt.Outcome]string{
	doubt.Arrived: "that it arrived", doubt.DidNotArrive: "that it did not arrive", doubt.Retry: "that it is to go out again",
}

// InDoubt is whether a person can end a doubt now.
func (p *deliveryPage) InDoubt() bool { return p.Status == store.DeliveryUnknown && !p.Asked }

// AskedAlready says what was asked before a person is. That a list was searched and held nothing is not known: Twilio may not
// have answered, and few values of a template tell too little.
func (p *deliveryPage) AskedAlready() string {
	switch {
	case p.Channel == rule.Email:
		return "A mail server cannot be asked. Every copy of the email has the same Message-ID, by which its log can be searched, and by which some " +
			"mail programs show one of two copies; it begins with:"
	case p.SinceLost == 0:
		return "Twilio’s list of messages was not searched: that is done before another attempt, and there was none since. Look for the number in Twilio’s " +
			"console, under the message logs."
	default:
		return "Before an attempt that follows one in doubt, Twilio’s list of messages is searched for this number, sender and text, where these " +
			"tell enough. What came of that is not kept, and it is not asked again after the last attempt: look for the number in Twilio’s console, under the message logs."
	}
}

// resolveDelivery ends the doubt about a delivery by a person's word.
func (s *Console) resolveDelivery(c *gin.Context) error {
	id, outcome := c.Param("id"), doubt.Outcome(c.PostForm("outcome"))
	if !slices.Contains(doubt.Outcomes, outcome) {
		return wrongInput("Say what became of the message: choose one of the three answers on its page.")
	}
	doubts := doubt.Doubts{DB: s.config.DB, Nudge: s.config.Nudge}
	_, err := doubts.End(c.Request.Context(), id, outcome, retry.By{Actor: s.actor(c), Source: outbox.FromConsole})
	var late *doubt.NotInDoubtError
	var f ui.Flash
	switch {
	case errors.As(err, &late):
		f = ui.Flash{Problem: true, Text: "Nothing was changed by you: " + happened(c, late) + "."}
	case errors.Is(err, doubt.ErrSuppressed):
		f = ui.Flash{Problem: true, Text: "It was not handed over again: the address is on the suppression list. Lift its entry first, if the person wants messages again.",
			Path: "/suppressions", Label: "Suppressions"}
	case err != nil:
		return err
	default:
		f.Text = map[doubt.Outcome]string{
			doubt.Arrived:      "It counts as delivered, and what the error log said against it is resolved.",
			doubt.DidNotArrive: "It counts as not arrived, and is not sent again by itself.",
			doubt.Retry:        "It will be handed over again.",
		}[outcome]
	}
	return s.done(c, "/deliveries/"+url.PathEscape(id), f)
}

// happened says what has come before a person's word.
func happened(c *gin.Context, late *doubt.NotInDoubtError) string {
	if said := saidWords[late.Said]; said != "" {
		return fmt.Sprintf("%s had said at %s %s", late.By, late.At.In(zone(c)).Format("15:04:05"), said)
	}
	if late.Asked {
		return "somebody had asked for another try"
	}
	return "it was " + string(late.Status) + " by then"
}

// endedMoments tells of those who have ended its doubt.
func (p *deliveryPage) endedMoments() {
	for _, r := range p.Ended {
		tone := map[doubt.Outcome]string{doubt.Arrived: "good", doubt.DidNotArrive: "bad"}[doubt.Outcome(r.Detail)]
		p.add(moment{At: r.At, Tone: tone, What: r.Actor + " said " + saidWords[doubt.Outcome(r.Detail)]})
	}
}

// saidLast is whether a person's word is what its status rests on.
func (p *deliveryPage) saidLast(outcome doubt.Outcome) bool {
	if len(p.Ended) == 0 || doubt.Outcome(p.Ended[0].Detail) != outcome || p.LastRetry.After(p.Ended[0].At) {
		return false
	}
	failure := p.failure()
	return outcome != doubt.DidNotArrive || failure == nil || !failure.CreatedAt.After(p.Ended[0].At)
}

// failure is the newest entry of the error log about a failed send; nil when there is none.
func (p *deliveryPage) failure() *store.ErrorEntry {
	for _, e := range p.Errors {
		if e.Code == string(rule.SendFailCode(p.Channel)) {
			return e
		}
	}
	return nil
}

// cameBack is whether the provider took it and then said that it did not arrive.
func (p *deliveryPage) cameBack() bool {
	failure := p.failure()
	return p.Status == store.DeliveryFailed && failure != nil && failure.Source == receiptSource
}

// receiptSource is the error log's name for what providers report after the hand-over.
const receiptSource = "receipt"
