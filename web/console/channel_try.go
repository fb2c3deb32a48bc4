package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// sendChannelTest puts a test message on the ordinary way, as POST /api/v1/test does, and goes where one sees what
// becomes of it.
func (s *Console) sendChannelTest(c *gin.Context) error {
	sent := channelTest{Channel: rule.Channel(c.PostForm("channel")), To: strings.TrimSpace(c.PostForm("to"))}
	if !slices.Contains(rule.Channels, sent.Channel) {
		return wrongInput("There is no such channel.")
	}
	to, err := s.config.Addresses.Normalize(sent.Channel, sent.To)
	if err != nil {
		sent.Wrong = err.Error()
		return s.healthWith(c, http.StatusUnprocessableEntity, sent)
	}
	message := rule.TestMessage{Channel: sent.Channel, To: to}
	id, err := s.events.AppendTest(c.Request.Context(), message, outbox.FromConsole, s.actor(c))
	if err != nil {
		return err
	}
	s.config.Nudge()
	c.Redirect(http.StatusSeeOther, "/health/tests/"+id)
	return nil
}

// channelTestPage is a test and what became of it.
type channelTestPage struct {
	Event      *outbox.Event
	Channel    rule.Channel
	Deliveries []testedDelivery
	// Over says that the event has come to its end: the page asks no more.
	Over bool
}

// testedDelivery is the test's delivery with its attempts.
type testedDelivery struct {
	*store.Delivery
	Tries []store.Attempt
}

func (s *Console) showChannelTest(c *gin.Context) error {
	ctx := c.Request.Context()
	e, err := s.events.Get(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	if e.Action != rule.Test {
		return store.ErrNotFound
	}
	data := &channelTestPage{Event: e, Over: e.Status == outbox.Settled}
	if message, ok := rule.ReadTestMessage(e.Doc); ok {
		data.Channel = message.Channel
	}
	deliveries, err := s.deliveries.OfEvents(ctx, []string{e.ID})
	if err != nil {
		return err
	}
	for _, d := range deliveries {
		tries, err := s.deliveries.Attempts(ctx, d.ID)
		if err != nil {
			return err
		}
		data.Deliveries = append(data.Deliveries, testedDelivery{d, tries})
	}
	return s.show(c, http.StatusOK, "health_test", &ui.Page{Title: "Test message", Area: "/health", Styles: []string{"health.css"}, Data: data})
}
