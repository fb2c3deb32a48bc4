package console

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/health"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/web/ui"
)

func (s *Console) healthRoutes() []Route {
	return []Route{
		{http.MethodGet, "/health", account.Viewer, (*Console).showHealth},
		{http.MethodPost, "/health/tests", account.Editor, (*Console).sendChannelTest},
		{http.MethodGet, "/health/tests/:id", account.Viewer, (*Console).showChannelTest},
	}
}

// healthWait is how long a page waits for parts of which nothing is known: most answer within it.
const healthWait = 700 * time.Millisecond

// healthPage is Health, and the forms for tests.
type healthPage struct {
	// Parts are what the system works with, Channels the ways to people.
	Parts, Channels []partView
	// Bad counts what is down, Warned what is to be looked at.
	Bad, Warned int
}

// partView is a part on the page.
type partView struct {
	health.Part
	// Test is the form that sends a test; nil for parts that are no channel.
	Test *channelTest
}

// channelTest is the form for a test, as it was filled in.
type channelTest struct {
	Channel   rule.Channel
	To, Wrong string
}

func (s *Console) showHealth(c *gin.Context) error {
	return s.healthWith(c, http.StatusOK, channelTest{})
}

// healthWith shows Health with one form as it was sent.
func (s *Console) healthWith(c *gin.Context, status int, sent channelTest) error {
	data := &healthPage{}
	for _, part := range s.config.Health.Look(c.Request.Context(), healthWait) {
		switch part.State {
		case health.Down:
			data.Bad++
		case health.Warning:
			data.Warned++
		}
		view := partView{Part: part}
		for _, channel := range rule.Channels {
			if part.Name == string(channel) {
				view.Test = s.testForm(c, channel, sent)
			}
		}
		if view.Test != nil {
			data.Channels = append(data.Channels, view)
		} else {
			data.Parts = append(data.Parts, view)
		}
	}
	return s.show(c, status, "health", &ui.Page{Title: "Health", Area: "/health", Styles: []string{"health.css"}, Data: data})
}

// testForm proposes the person's own address for email.
func (s *Console) testForm(c *gin.Context, channel rule.Channel, sent channelTest) *channelTest {
	if sent.Channel == channel {
		return &sent
	}
	form := &channelTest{Channel: channel}
	if channel == rule.Email {
		form.To = s.config.Access.Person(c).Email
	}
	return form
}
