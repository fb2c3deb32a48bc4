package console

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/preview"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// completedText bounds the text that is looked at, in bytes.
const completedText = 64 << 10

// complete answers what can follow what a person has written up to the cursor: kind says in what.
func (s *Console) complete(c *gin.Context) error {
	if err := c.Request.ParseForm(); err != nil {
		return err
	}
	form := c.Request.PostForm
	text := form.Get("text")
	nothing := rule.Completion{Items: []rule.CompletionItem{}}
	reader, err := s.book.Reader(c.Request.Context())
	if err != nil {
		return err
	}
	m, ok := reader.Models.Model(form.Get("model"))
	if !ok || len(text) > completedText {
		return answerJSON(c, nothing)
	}
	switch form.Get("kind") {
	case "template":
		return answerJSON(c, reader.CompleteTemplate(m, text))
	case "condition":
		return answerJSON(c, reader.CompleteCondition(m, text))
	case "recipient":
		return answerJSON(c, completeRecipient(reader, m, rule.Channel(form.Get("channel")), text))
	case "path":
		return answerJSON(c, wholePath(reader, m, text))
	case "field":
		return answerJSON(c, completeField(m, text))
	case "row":
		rows, err := s.config.Rows.Recent(c.Request.Context(), m, text)
		if err != nil {
			s.log(c, err)
			return answerJSON(c, nothing)
		}
		for _, picked := range rows {
			row := rowOf(m, picked)
			nothing.Items = append(nothing.Items, rule.CompletionItem{Text: row.Key, Label: row.Summary})
		}
		nothing.Replace = utf8.RuneCountInString(text)
		return answerJSON(c, nothing)
	case "value":
		return answerJSON(c, s.completeValue(c, m, form.Get("field"), text))
	default:
		return answerJSON(c, nothing)
	}
}

// completeRecipient offers what holds an address, then whatever else a path can go on with.
func completeRecipient(reader rule.Reader, m *rule.Model, channel rule.Channel, text string) rule.Completion {
	c := rule.Completion{Replace: utf8.RuneCountInString(text), Items: []rule.CompletionItem{}}
	word := strings.ToLower(strings.TrimSpace(text))
	if !slices.Contains(rule.Channels, channel) || isAddress(word) {
		return c
	}
	for _, one := range preview.Suggest(reader, m, channel) {
		if strings.Contains(strings.ToLower(one.DocumentField), word) || strings.Contains(strings.ToLower(one.Label), word) {
			c.Items = append(c.Items, rule.CompletionItem{Text: one.DocumentField, Label: one.Label})
		}
	}
	if strings.Contains(word, ".") {
		for _, item := range wholePath(reader, m, text).Items {
			if !slices.ContainsFunc(c.Items, func(known rule.CompletionItem) bool { return known.Text == item.Text }) {
				c.Items = append(c.Items, item)
			}
		}
	}
	return c
}

// wholePath is CompletePath with whole paths, for a field that holds nothing else.
func wholePath(reader rule.Reader, m *rule.Model, text string) rule.Completion {
	c := reader.CompletePath(m, text)
	before := strings.TrimLeft(text, " ")
	before = before[:strings.LastIndexByte(before, '.')+1]
	for i := range c.Items {
		c.Items[i].Text = before + c.Items[i].Text
	}
	c.Replace = utf8.RuneCountInString(text)
	return c
}

// completeValue offers what a field holds in the newest rows.
func (s *Console) completeValue(c *gin.Context, m *rule.Model, field, text string) rule.Completion {
	offered := rule.Completion{Replace: utf8.RuneCountInString(text), Items: []rule.CompletionItem{}}
	values, err := s.config.Rows.Values(c.Request.Context(), m, field)
	if err != nil {
		s.log(c, err)
		return offered
	}
	word := strings.ToLower(strings.TrimSpace(text))
	for _, value := range values {
		if strings.Contains(strings.ToLower(value), word) {
			offered.Items = append(offered.Items, rule.CompletionItem{Text: value})
		}
	}
	return offered
}

func completeField(m *rule.Model, text string) rule.Completion {
	c := rule.Completion{Replace: utf8.RuneCountInString(text), Items: []rule.CompletionItem{}}
	word := strings.ToLower(strings.TrimSpace(text))
	for _, f := range m.Fields {
		if strings.Contains(strings.ToLower(f.Name), word) || strings.Contains(strings.ToLower(f.Label), word) {
			c.Items = append(c.Items, rule.CompletionItem{Text: f.Name, Label: f.Label, Type: string(f.Type)})
		}
	}
	return c
}
