package shop

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
)

// pageLength is how many rows a page lists at once.
const pageLength = 50

// frame is what every page has around its own part.
type frame struct {
	Title string
	Nav   []link
}

type link struct {
	Label, URL string
	Current    bool
}

func frameFor(title, current string) frame {
	f := frame{Title: title}
	for _, m := range models {
		f.Nav = append(f.Nav, link{Label: m.label, URL: "/demo/" + m.name, Current: m.name == current})
	}
	return f
}

type startView struct {
	frame
	Models []counted
}

type counted struct {
	Name, Label, About string
	Count              int64
}

type failureView struct {
	frame
	Message string
}

type listView struct {
	frame
	Flash         string
	One, Many     string
	Heads         []string
	Rows          []rowView
	Older, Newest string
	Form          formView
	// Part is true for an older part of the list: there an empty list means its end.
	Part bool
}

type rowView struct {
	ID    int64
	Name  string
	URL   string
	Cells []cell
}

// cell is a value in a list. URL leads to the row that a reference means.
type cell struct{ Head, Text, Kind, URL string }

func (s *Shop) listView(ctx context.Context, m *model, query, sent url.Values, wrong map[string]string) (listView, error) {
	before, _ := strconv.ParseInt(query.Get("cursor"), 10, 64) // a page shows what it can of a wrong query
	rows, more, err := s.list(ctx, m, page{before: before, limit: pageLength})
	if err != nil {
		return listView{}, err
	}
	v := listView{
		frame: frameFor(m.label, m.name), One: m.one, Many: m.name, Flash: flash(m, query),
		Heads: heads(m), Part: before > 0,
	}
	if v.Rows, err = s.rowViews(ctx, m, rows); err != nil {
		return listView{}, err
	}
	if more {
		v.Older = fmt.Sprintf("/demo/%s?cursor=%d", m.name, rows[len(rows)-1].key())
	}
	if before > 0 {
		v.Newest = "/demo/" + m.name
	}
	v.Form, err = s.formView(ctx, m.new(), sent, wrong)
	v.Form.Action, v.Form.Button = "/demo/"+m.name, "Add "+m.one
	return v, err
}

// flash says what was done before the page was opened.
func flash(m *model, query url.Values) string {
	for done, word := range map[string]string{"saved": "Saved", "deleted": "Deleted"} {
		if id, err := strconv.ParseInt(query.Get(done), 10, 64); err == nil {
			return fmt.Sprintf("%s %s %d.", word, m.one, id)
		}
	}
	return ""
}

func heads(m *model) (labels []string) {
	for _, in := range m.blank().inputs() {
		labels = append(labels, in.label)
	}
	return labels
}

func (s *Shop) rowViews(ctx context.Context, m *model, rows []record) ([]rowView, error) {
	names, err := s.referredNames(ctx, rows)
	if err != nil {
		return nil, err
	}
	views := make([]rowView, 0, len(rows))
	for _, row := range rows {
		v := rowView{ID: row.key(), Name: nameOf(row), URL: fmt.Sprintf("/demo/%s/%d", m.name, row.key())}
		for _, in := range row.inputs() {
			v.Cells = append(v.Cells, cellOf(in, names))
		}
		views = append(views, v)
	}
	return views, nil
}

func cellOf(in input, names map[reached]string) cell {
	c := cell{Head: in.label, Text: in.value.form(), Kind: in.value.kind()}
	switch to := in.value.(type) {
	case flag:
		c.Text = "No"
		if *to.target {
			c.Text = "Yes"
		}
	case reference:
		if *to.target != nil {
			c.Text = names[reached{to.model, **to.target}]
			c.URL = fmt.Sprintf("/demo/%s/%d", to.model, **to.target)
		}
	}
	return c
}

// reached is a row that another one refers to.
type reached struct {
	model string
	id    int64
}

// referredNames reads the names of all rows that these rows refer to, in one query a model.
func (s *Shop) referredNames(ctx context.Context, rows []record) (map[reached]string, error) {
	wanted := map[string][]int64{}
	for _, row := range rows {
		for _, in := range row.inputs() {
			if to, ok := in.value.(reference); ok && *to.target != nil {
				wanted[to.model] = append(wanted[to.model], **to.target)
			}
		}
	}
	names := map[reached]string{}
	for name, ids := range wanted {
		found, err := modelNamed(name).find(s.db.WithContext(ctx).Where("id IN ?", ids))
		if err != nil {
			return nil, err
		}
		for _, row := range found {
			names[reached{name, row.key()}] = nameOf(row)
		}
	}
	return names, nil
}

// nameOf gives what people call a row; every row has at least its number.
func nameOf(row record) string {
	if row.title() == "" {
		return fmt.Sprintf("no. %d", row.key())
	}
	return row.title()
}

type editView struct {
	frame
	One, Name string
	List      link
	ID        int64
	DeleteURL string
	Form      formView
}

func (s *Shop) editView(ctx context.Context, m *model, id int64, sent url.Values, wrong map[string]string) (editView, error) {
	row, err := s.get(ctx, m, id)
	if err != nil {
		return editView{}, err
	}
	own := fmt.Sprintf("/demo/%s/%d", m.name, id)
	v := editView{
		frame: frameFor(nameOf(row), m.name), One: m.one, Name: nameOf(row), ID: id,
		List: link{Label: m.label, URL: "/demo/" + m.name}, DeleteURL: own + "/delete",
	}
	v.Form, err = s.formView(ctx, row, sent, wrong)
	v.Form.Action, v.Form.Button = own, "Save "+m.one
	return v, err
}

type deleteView struct {
	editView
	Cells []cell
	// Consequences are the rows that lose their reference.
	Consequences []string
}

func (s *Shop) deleteView(ctx context.Context, m *model, id int64) (deleteView, error) {
	edit, err := s.editView(ctx, m, id, nil, nil)
	if err != nil {
		return deleteView{}, err
	}
	row, err := s.get(ctx, m, id)
	if err != nil {
		return deleteView{}, err
	}
	rows, err := s.rowViews(ctx, m, []record{row})
	if err != nil {
		return deleteView{}, err
	}
	v := deleteView{editView: edit, Cells: rows[0].Cells}
	for _, r := range m.referrers() {
		var n int64
		err := s.db.WithContext(ctx).Model(r.model.blank()).Where(map[string]any{r.column: id}).Count(&n).Error
		if err != nil {
			return deleteView{}, fmt.Errorf("shop: count %s: %w", r.model.name, err)
		}
		if n > 0 {
			v.Consequences = append(v.Consequences, consequence(n, r.model, m))
		}
	}
	return v, nil
}

func consequence(n int64, r, m *model) string {
	if n == 1 {
		return fmt.Sprintf("1 %s will be left without its %s.", r.one, m.one)
	}
	return fmt.Sprintf("%d %s will be left without their %s.", n, r.name, m.one)
}
