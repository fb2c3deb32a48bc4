package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// suppressionPage is one entry.
type suppressionPage struct {
	suppressionRow
	// Delivery is the one that told of it; nil when none did, or when it is not kept any more.
	Delivery *store.Delivery
}

// reasonWords say why in a sentence.
var reasonWords = map[store.SuppressionReason]string{
	store.SuppressedStop:        "The person answered STOP, or the provider says that they want no messages.",
	store.SuppressedUnsubscribe: "The recipient followed the link to unsubscribe that stood in an email.",
	store.SuppressedBounce:      "An email came back because nobody is at the address.",
	store.SuppressedComplaint:   "The recipient called an email spam.",
	store.SuppressedManual:      "Somebody here entered it.",
}

// Words say why in a sentence.
func (r suppressionRow) Words() string { return reasonWords[r.Reason] }

// Kept names the messages that are kept away.
func (r suppressionRow) Kept() string {
	if r.Channel == rule.Email {
		return "emails"
	}
	return messageName(r.Channel) + map[bool]string{true: "", false: "s"}[r.Channel == rule.SMS]
}

// lifting says what there is to know before an entry is lifted.
var lifting = map[store.SuppressionReason]string{
	store.SuppressedStop: "The person wanted no messages: lift it only if they have asked for them again. Twilio keeps a list of its own and " +
		"goes on refusing (error 21610) until the person answers START, which lifts the entry by itself.",
	store.SuppressedUnsubscribe: "The person wanted no messages: lift it only if they have asked for them again.",
	store.SuppressedComplaint: "The person called a message spam: lift it only if they have asked for messages again. More complaints make mail " +
		"servers refuse the emails to everybody else.",
	store.SuppressedBounce: "Lift it when the mailbox exists now. If it does not, the next email comes back and enters the address again.",
	store.SuppressedManual: "Messages go to the address again.",
}

// Lifting says what there is to know before the entry is lifted.
func (r suppressionRow) Lifting() string { return lifting[r.Reason] }

// suppression reads the entry of a page.
func (s *Console) suppression(c *gin.Context) (*store.Suppression, error) {
	id := c.Param("id")
	if _, err := uuid.Parse(id); err != nil {
		return nil, store.ErrNotFound
	}
	return s.suppressions.Get(c.Request.Context(), id)
}

func (s *Console) showSuppression(c *gin.Context) error {
	entry, err := s.suppression(c)
	if errors.Is(err, store.ErrNotFound) {
		return errLifted
	}
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	rows, err := s.suppressionRows(ctx, []*store.Suppression{entry})
	if err != nil {
		return err
	}
	data := &suppressionPage{suppressionRow: rows[0]}
	if data.Delivery, err = s.deliveryOf(ctx, entry.DeliveryID); err != nil {
		return err
	}
	return s.show(c, http.StatusOK, "suppression", &ui.Page{
		Title: entry.Address, Area: "/suppressions", Styles: []string{"watch.css"}, Data: data,
	})
}

// deliveryOf gives a delivery that may not be kept any more.
func (s *Console) deliveryOf(ctx context.Context, id string) (*store.Delivery, error) {
	deliveries, err := s.deliveries.ByIDs(ctx, []string{id})
	if err != nil || len(deliveries) == 0 {
		return nil, err
	}
	return deliveries[0], nil
}

var errLifted = &failure{status: http.StatusNotFound, code: "not_found", title: "This entry is not on the list",
	message: "It has been lifted, by somebody here or by the person themselves. Suppressions lists what stands now."}

// liftSuppression lets messages go to an address again; it can be taken back.
func (s *Console) liftSuppression(c *gin.Context) error {
	entry, err := s.suppression(c)
	if err == nil {
		entry, err = s.suppressions.Remove(c.Request.Context(), entry.ID, s.actor(c))
	}
	if errors.Is(err, store.ErrNotFound) {
		return s.done(c, "/suppressions", ui.Flash{Problem: true, Text: "Nothing was changed: the entry was lifted already, by somebody else or by the person themselves."})
	}
	if err != nil {
		return err
	}
	undo, err := s.sealed(c, entry)
	if err != nil {
		return err
	}
	row := suppressionRow{Suppression: entry}
	return s.done(c, "/suppressions", ui.Flash{
		Text: "Lifted: " + strings.TrimSuffix(row.Kept(), ".") + " go to " + entry.Address + " again.", Undo: "/suppressions/restore", UndoFields: undo,
	})
}

// addSuppressed says whether a delivery was not sent because its address wants no messages, and what keeps them away now.
func (s *Console) addSuppressed(ctx context.Context, p *deliveryPage) error {
	p.Unwanted = p.Status == store.DeliverySuppressed && store.IsSuppressedCode(p.ErrorCode)
	if !p.Unwanted && p.Status != store.DeliveryUnknown && p.Status != store.DeliveryFailed {
		return nil
	}
	active, err := s.deliveries.SuppressedNow(ctx, []*store.Delivery{p.Delivery})
	if err != nil || active[p.ID] == nil {
		return err
	}
	rows, err := s.suppressionRows(ctx, []*store.Suppression{active[p.ID]})
	if err != nil {
		return err
	}
	p.Suppressed = &rows[0]
	return nil
}

// codeWords say in a sentence why a delivery was not sent.
func codeWords(code string) string {
	for reason, words := range reasonWords {
		if reason.Code() == code {
			return words
		}
	}
	return ""
}

// suppressedWords say why it was not sent.
func (p *deliveryPage) suppressedWords() string {
	switch {
	case !p.Unwanted:
		return "It was not sent on purpose: when its turn came it was no longer of use."
	case p.Suppressed == nil:
		return "It was not sent on purpose: the address wanted no messages then. " + codeWords(p.ErrorCode) +
			" That has been lifted since: retry it if it is still to go out."
	default:
		return "It was not sent on purpose: the address wants no messages. " + codeWords(p.ErrorCode)
	}
}
