package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// suppressionForm is an address that is entered by hand.
type suppressionForm struct {
	Channel                       rule.Channel
	Address, Notification, Detail string
	Channels                      []rule.Channel
	Notifications                 []choice
	// Problems says what is wrong, by field.
	Problems map[string]string
}

// showNewSuppression shows the form, filled in with what the link that led here says.
func (s *Console) showNewSuppression(c *gin.Context) error {
	a := ask(c)
	return s.showSuppressionForm(c, http.StatusOK, &suppressionForm{
		Channel: rule.Channel(oneOf(a, "channel", rule.Channels)), Address: a.text("address"), Notification: a.text("notification"),
	})
}

func (s *Console) showSuppressionForm(c *gin.Context, status int, f *suppressionForm) error {
	choices, err := s.notificationChoices(c.Request.Context(), f.Notification)
	if err != nil {
		return err
	}
	f.Channels, f.Notifications = rule.Channels, choices
	return s.show(c, status, "suppression_new", &ui.Page{Title: "Add an address", Area: "/suppressions", Styles: []string{"watch.css"}, Data: f})
}

func (s *Console) addSuppression(c *gin.Context) error {
	f := &suppressionForm{
		Channel: rule.Channel(c.PostForm("channel")), Address: strings.TrimSpace(c.PostForm("address")),
		Notification: c.PostForm("notification"), Detail: strings.TrimSpace(c.PostForm("detail")),
	}
	entry, err := s.checkedSuppression(c.Request.Context(), f)
	if err != nil {
		return err
	}
	if len(f.Problems) > 0 {
		return s.showSuppressionForm(c, http.StatusUnprocessableEntity, f)
	}
	entry.CreatedBy = s.actor(c)
	fresh, err := s.suppressions.Add(c.Request.Context(), entry)
	if err != nil {
		return err
	}
	row := suppressionRow{Suppression: entry}
	text := "Added: no " + row.Kept() + " go to " + entry.Address + " from now on."
	if !fresh {
		text = entry.Address + " was on the list already, and the entry stays as it was."
	}
	return s.done(c, "/suppressions/"+entry.ID, ui.Flash{Text: text})
}

// checkedSuppression gives the entry, and says in the form what is wrong.
func (s *Console) checkedSuppression(ctx context.Context, f *suppressionForm) (*store.Suppression, error) {
	f.Problems = map[string]string{}
	entry := &store.Suppression{
		Channel: f.Channel, NotificationID: f.Notification, Reason: store.SuppressedManual, Source: store.SuppressedByConsole, Detail: f.Detail,
	}
	var err error
	switch {
	case !slices.Contains(rule.Channels, f.Channel):
		f.Problems["channel"] = "choose a channel"
	case !storableText(f.Address):
		f.Problems["address"] = "it holds characters that no text can have"
	default:
		if entry.Address, err = s.config.Addresses.Normalize(f.Channel, f.Address); err != nil {
			f.Problems["address"] = err.Error()
		}
	}
	if utf8.RuneCountInString(f.Detail) > store.SuppressionDetailLimit || !storableText(f.Detail) {
		f.Problems["detail"] = "at most 500 characters, and none that no text can have"
	}
	if f.Notification == "" {
		return entry, nil
	}
	known, err := s.notificationThere(ctx, f.Notification)
	if !known {
		f.Problems["notification"], f.Notification = "the notification is not there any more: choose another one", ""
	}
	return entry, err
}

func (s *Console) notificationThere(ctx context.Context, id string) (bool, error) {
	if _, err := uuid.Parse(id); err != nil {
		return false, nil //nolint:nilerr // what is no ID is nobody's
	}
	_, err := s.notifications.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
