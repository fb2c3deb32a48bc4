package console

import (
	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// testView is a test message and what became of it.
type testView struct {
	EventID string
	// Wrong says why it cannot be sent.
	Wrong string
	// Settled: it has come to its end.
	Settled    bool
	Reason     string
	Deliveries []*store.Delivery
}

// sendTest sends what the form's notification would say of the row of its preview to an address of the person's own.
func (s *Console) sendTest(c *gin.Context, p *notificationPage) error {
	if err := s.preview(c, p); err != nil {
		return err
	}
	v := p.Preview
	if v.Row == nil {
		p.Test = &testView{Wrong: v.Nothing}
		return nil
	}
	n, _, _ := p.written()
	to, err := s.config.Addresses.Normalize(n.Channel, p.Values.trimmed("test_to"))
	if err != nil {
		p.Test = &testView{Wrong: err.Error()}
		return nil //nolint:nilerr // the person is told
	}
	if v.Text == "" && v.HTML == "" && n.ContentSID == "" {
		p.Test = &testView{Wrong: "there is no message yet, or it cannot be filled in: see what is wrong with it"}
		return nil
	}
	message := rule.TestMessage{Channel: n.Channel, To: to, Subject: v.Subject, Text: v.Text, HTML: v.HTML, Details: testDetails(v.Details())}
	id, err := s.events.AppendTest(c.Request.Context(), message, outbox.FromConsole, s.actor(c))
	if err != nil {
		return err
	}
	s.config.Nudge()
	p.Test = &testView{EventID: id}
	return nil
}

// testDetails leaves the copies out: a test reaches nobody else.
func testDetails(d *rule.Details) *rule.Details {
	if d == nil {
		return nil
	}
	own := *d
	own.To, own.Cc = nil, nil
	if own.IsZero() {
		return nil
	}
	return &own
}

func (s *Console) sendNotificationTest(c *gin.Context) error {
	p, err := s.sentForm(c)
	if err != nil {
		return err
	}
	if err := s.sendTest(c, p); err != nil {
		return err
	}
	return s.part(c, "notification_test", p)
}

// showNotificationTest says how far a test has come.
func (s *Console) showNotificationTest(c *gin.Context) error {
	ctx, id := c.Request.Context(), c.Param("id")
	e, err := s.events.Get(ctx, id)
	if err != nil {
		return err
	}
	if e.Action != rule.Test {
		return store.ErrNotFound
	}
	deliveries, err := s.deliveries.List(ctx, store.DeliveryFilter{EventID: id}, store.Paging{})
	if err != nil {
		return err
	}
	p := &notificationPage{Values: formValues{map[string][]string{}}}
	p.Test = &testView{EventID: id, Settled: e.Status == outbox.Settled, Reason: e.Reason, Deliveries: deliveries.Items}
	return s.part(c, "notification_test", p)
}
