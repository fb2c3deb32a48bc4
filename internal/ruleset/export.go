package ruleset

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// Export writes the notifications of a selection, oldest first, with the saved lists that they name; without a selection,
// all notifications and all lists. Two exports of the same notifications are the same, byte for byte. It gives the number
// of notifications.
func (s Set) Export(ctx context.Context, w io.Writer, of *store.Selection) (count int, err error) {
	out := &writer{w: w}
	out.text(fmt.Sprintf("{\n\"silque_notifications\": %d,\n\"notifications\": [", Version))
	named := map[string]bool{}
	err = s.each(ctx, of, func(n *rule.Notification) {
		for _, r := range n.Recipients {
			named[r.ListID] = true
		}
		out.item(count, Notification{Notification: *filled(n)})
		count++
	})
	if err != nil {
		return count, err
	}
	out.text("\n],\n\"lists\": [")
	lists, err := store.Lists{DB: s.DB}.All(ctx)
	if err != nil {
		return count, err
	}
	written := 0
	for _, l := range lists {
		if of == nil || named[l.ID] {
			out.item(written, List{ID: l.ID, Name: l.Name, Entries: l.Entries})
			written++
		}
	}
	out.text("\n]\n}\n")
	return count, out.err
}

// each goes through a selection, oldest first.
func (s Set) each(ctx context.Context, of *store.Selection, visit func(n *rule.Notification)) error {
	notifications := store.Notifications{DB: s.DB}
	if of != nil && of.Matching == nil {
		ids := slices.Compact(slices.Sorted(slices.Values(of.IDs)))
		for part := range slices.Chunk(ids, store.MaxLimit) {
			current, err := notifications.Current(ctx, part)
			if err != nil {
				return err
			}
			for _, id := range part {
				if n := current[id]; n != nil {
					visit(n)
				}
			}
		}
		return nil
	}
	var filter store.NotificationFilter
	if of != nil {
		filter = *of.Matching
	}
	paging := store.Paging{Limit: store.MaxLimit}
	for {
		page, err := notifications.Sorted(ctx, filter, store.OldestFirst, paging)
		if err != nil {
			return err
		}
		for _, n := range page.Items {
			visit(n)
		}
		if page.Next == "" {
			return nil
		}
		paging.Cursor = page.Next
	}
}

// writer keeps the first error.
type writer struct {
	w   io.Writer
	err error
}

func (w *writer) text(text string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.w, text)
	}
}

// item writes one of a list, indented so that version control shows which line has changed.
func (w *writer) item(number int, item any) {
	if number > 0 {
		w.text(",")
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // it is a file, not a page
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(item); err != nil && w.err == nil {
		w.err = err
	}
	w.text("\n" + string(bytes.TrimRight(text.Bytes(), "\n")))
}

// filled gives a copy whose lists are never null, so that what is the same is written the same.
func filled(n *rule.Notification) *rule.Notification {
	out := *n
	if out.ValueChangeFields == nil {
		out.ValueChangeFields = []string{}
	}
	if out.Recipients == nil {
		out.Recipients = []rule.Recipient{}
	}
	if out.Variants == nil {
		out.Variants = []rule.Variant{}
	}
	if out.Attachments == nil {
		out.Attachments = []rule.Attachment{}
	}
	if out.ContentVariables == nil {
		out.ContentVariables = map[string]string{}
	}
	return &out
}
