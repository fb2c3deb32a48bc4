package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/preview"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// previewView is a preview as the page shows it.
type previewView struct {
	preview.Result
	// Row is the row on which it was tried; nil when there is none.
	Row *rowView
	// Nothing says why there is no preview.
	Nothing string
	Channel rule.Channel
	// Told is how many would get it.
	Told int
	// Overdue: the alert's moment has passed.
	Overdue bool
	// Assumed: whether it fires depends on more than the row, so what is shown is what it would do if it fired.
	Assumed bool
	// Waits says how the row differs from what the trigger waits for; empty when it does not.
	Waits string
}

// rowView is a row for people.
type rowView struct {
	Key     string
	Summary string
	Fields  []rowField
	doc     rule.Document
}

type rowField struct{ Label, Value string }

// rowFields is how many fields are in a row's summary.
const rowFields = 3

func rowOf(m *rule.Model, picked store.PickedRow) *rowView {
	row := &rowView{Key: picked.Key, doc: picked.Doc}
	var first []string
	for _, f := range m.Fields {
		value := f.Text(picked.Doc)
		row.Fields = append(row.Fields, rowField{Label: labelOr(f), Value: value})
		if len(first) < rowFields && value != "" && f.Type == rule.String && !slices.Contains(m.PrimaryKey, f.Name) {
			first = append(first, shortened(value))
		}
	}
	row.Summary = strings.Join(first, " · ")
	return row
}

func shortened(text string) string {
	runes := []rune(text)
	if len(runes) > 40 {
		return string(runes[:39]) + "…"
	}
	return text
}

func labelOr(f rule.Field) string {
	if f.Label != "" {
		return f.Label
	}
	return f.Name
}

// pick finds the row to try on: the one that the form names, or the newest.
func (s *Console) pick(c *gin.Context, p *notificationPage) (row *rowView, nothing string, err error) {
	key := p.Values.trimmed("preview_key")
	rows, err := s.config.Rows.Recent(c.Request.Context(), p.Model, key)
	switch {
	case err != nil && c.Request.Context().Err() != nil:
		return nil, "", err
	case err != nil:
		s.log(c, err)
		return nil, "The rows of " + p.Model.Name + " cannot be read now.", nil
	case len(rows) == 0 && key != "":
		return nil, "No " + p.One() + " has this key or text.", nil
	case len(rows) == 0:
		return nil, "There is no " + p.One() + " yet to show this on. Make one in your application, and it appears here.", nil
	}
	at := max(0, slices.IndexFunc(rows, func(r store.PickedRow) bool { return r.Key == key }))
	return rowOf(p.Model, rows[at]), "", nil
}

// preview tries the form's notification on a row.
func (s *Console) preview(c *gin.Context, p *notificationPage) error {
	if p.Model == nil {
		p.Preview = &previewView{Nothing: "Choose what it is about, and see here what would be sent."}
		return nil
	}
	n, _, _ := p.written() // a number that is none is told when it is saved
	if !slices.Contains(rule.Channels, n.Channel) || !slices.Contains(rule.Triggers, n.Trigger) {
		p.Preview = &previewView{Nothing: "Choose when and how, and see here what would be sent."}
		return nil
	}
	row, nothing, err := s.pick(c, p)
	if err != nil {
		return err
	}
	p.Preview = &previewView{Row: row, Nothing: nothing, Channel: n.Channel}
	if row == nil {
		return nil
	}
	result, err := s.previews().Preview(c.Request.Context(), p.reader, n, preview.Row{Key: row.Key})
	var wrong rule.FieldErrors
	if errors.As(err, &wrong) {
		for _, message := range wrong {
			p.Preview.Nothing = message
		}
		return nil
	}
	if err != nil {
		return err
	}
	p.Preview.show(result)
	p.Preview.Assumed = slices.Contains([]rule.Trigger{rule.OnValueChange, rule.DaysBefore, rule.DaysAfter}, n.Trigger)
	p.Preview.Waits = p.waits(n, row)
	return nil
}

// waits says which value a change must lead to, when none of the watched fields holds it on this row.
func (p *notificationPage) waits(n *rule.Notification, row *rowView) string {
	unwritten := p.Is("value_change_to_is", thisValue) && p.Value("value_change_to") == ""
	if unwritten || p.reader.HoldsAwaited(n, p.Model, row.doc) {
		return ""
	}
	var now []string
	for i, f := range p.Model.Fields { // the row's fields are the model's
		if f.Name == n.ValueChangeField || slices.Contains(n.ValueChangeFields, f.Name) {
			now = append(now, f.Name+" is "+quotedValue(row.Fields[i].Value))
		}
	}
	from := ""
	if n.ValueChangeFrom != nil {
		from = " from " + quotedValue(*n.ValueChangeFrom)
	}
	return "It waits for a change" + from + " to " + quotedValue(*n.ValueChangeTo) + "; on this row " + strings.Join(now, " and ") + "."
}

func quotedValue(text string) string {
	if text == "" {
		return "empty"
	}
	return "“" + shortened(text) + "”"
}

func (v *previewView) show(r preview.Result) {
	v.Result = r
	for _, to := range r.Recipients {
		if to.Problem == "" {
			v.Told++
		}
	}
	v.Overdue = r.FiresAt != nil && r.FiresAt.Before(time.Now())
}

// Details are what the message needs besides its text; nil when nothing.
func (v *previewView) Details() *rule.Details {
	if len(v.Messages) == 0 {
		return nil
	}
	return v.Messages[0].Details
}

// Languages are the messages in other languages than the notification's own.
func (v *previewView) Languages() []preview.Message {
	return slices.DeleteFunc(slices.Clone(v.Messages), func(m preview.Message) bool { return m.Locale == "" })
}

// showNotificationPreview gives the preview, and what is wrong with the texts at their places.
func (s *Console) showNotificationPreview(c *gin.Context) error {
	p, err := s.sentForm(c)
	if err != nil {
		return err
	}
	if err := s.preview(c, p); err != nil {
		return err
	}
	n, _, _ := p.written()
	errs, marks := p.reader.Examine(n)
	p.refuse(n, errs, marks)
	return s.part(c, "notification_preview_answer", p)
}

// showPreviewHTML gives back the HTML of a preview for a frame in which it can do nothing.
func (s *Console) showPreviewHTML(c *gin.Context) error {
	if err := c.Request.ParseForm(); err != nil {
		return err
	}
	ui.Message(c, c.Request.PostForm.Get("html"))
	return nil
}

// comparisonView is what the last changes of rows would have led to.
type comparisonView struct {
	preview.Comparison
	// Sends is how many would have sent something.
	Sends int
	// New: there is no saved notification to compare with.
	New bool
	// Wrong says that the notification must be put right first.
	Wrong bool
}

const comparedEvents = 50

func (s *Console) compare(c *gin.Context, p *notificationPage) error {
	n, errs, _ := p.written()
	n.Active = true
	found, marks := p.reader.Examine(n)
	for name, message := range found {
		if errs[name] == "" {
			errs[name] = message
		}
	}
	if len(errs) > 0 {
		p.refuse(n, errs, marks)
		p.Comparison = &comparisonView{Wrong: true}
		return nil
	}
	result, err := s.previews().Compare(c.Request.Context(), p.reader, p.Saved, n, comparedEvents)
	if err != nil {
		return err
	}
	p.Comparison = &comparisonView{Comparison: result, New: p.Saved == nil}
	for _, item := range result.Items {
		if item.After.Sends {
			p.Comparison.Sends++
		}
	}
	return nil
}

func (s *Console) showComparison(c *gin.Context) error {
	p, err := s.sentForm(c)
	if err != nil {
		return err
	}
	if err := s.compare(c, p); err != nil {
		return err
	}
	return s.part(c, "notification_comparison", p)
}

// answerJSON is for the page's script.
func answerJSON(c *gin.Context, body any) error {
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, body)
	return nil
}
