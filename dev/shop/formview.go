package shop

import (
	"context"
	"net/url"
	"strconv"
)

// optionLimit is how many rows a form offers for a reference: the newest. A longer list is no use to people.
const optionLimit = 200

type formView struct {
	Action, Button string
	Fields         []fieldView
	// Wrong counts the fields that have a problem.
	Wrong int
}

type fieldView struct {
	Name, Label, Kind, Keyboard string
	Value, Problem              string
	Must                        bool
	// First is true for the first field that has a problem: there the keyboard starts.
	First       bool
	Suggestions []string
	Options     []option
}

type option struct {
	Value, Label string
	Chosen       bool
}

// formView shows a row's fields, or what a form sent for them and what is wrong with that.
func (s *Shop) formView(ctx context.Context, row record, sent url.Values, wrong map[string]string) (formView, error) {
	var v formView
	for _, in := range row.inputs() {
		f := fieldView{
			Name: in.name, Label: in.label, Kind: in.value.kind(), Keyboard: in.keyboard, Must: in.must,
			Suggestions: in.suggestions, Value: in.value.form(), Problem: wrong[in.name],
		}
		if sent != nil && (sent.Has(in.name) || f.Kind == "flag") {
			f.Value = sent.Get(in.name)
		}
		if f.Problem != "" {
			f.First = v.Wrong == 0
			v.Wrong++
		}
		if to, ok := in.value.(reference); ok {
			var err error
			if f.Options, err = s.options(ctx, modelNamed(to.model), f.Value); err != nil {
				return formView{}, err
			}
		}
		v.Fields = append(v.Fields, f)
	}
	return v, nil
}

// options offers nothing, the newest rows, and the one that is chosen, however old.
func (s *Shop) options(ctx context.Context, m *model, chosen string) ([]option, error) {
	rows, _, err := s.list(ctx, m, page{limit: optionLimit})
	if err != nil {
		return nil, err
	}
	options, found := []option{{Label: "none", Chosen: chosen == ""}}, chosen == ""
	for _, row := range rows {
		value := strconv.FormatInt(row.key(), 10)
		found = found || value == chosen
		options = append(options, option{Value: value, Label: nameOf(row) + " (" + value + ")", Chosen: value == chosen})
	}
	if !found {
		options = append(options, option{Value: chosen, Label: "no. " + chosen, Chosen: true})
	}
	return options, nil
}
