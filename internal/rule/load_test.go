package rule

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// tables is a Source over rows in memory.
type tables struct {
	rows  map[string][]Document
	lists map[string][]ListEntry
	err   error
	asked int
}

func (t *tables) Rows(_ context.Context, m *Model, where []Equal, limit int) ([]Document, error) {
	t.asked++
	if t.err != nil {
		return nil, t.err
	}
	var found []Document
	for _, row := range t.rows[m.Name] {
		fits := !slices.ContainsFunc(where, func(e Equal) bool { return !equal(row[e.Field], e.Value) })
		if fits && len(found) < limit {
			found = append(found, row)
		}
	}
	return found, nil
}

func (t *tables) List(_ context.Context, id string) ([]ListEntry, error) { return t.lists[id], t.err }

// aShop has one order with its customer, manager and items.
func aShop() *tables {
	return &tables{rows: map[string][]Document{
		"customers": {{"id": int64(3), "name": "Ann", "email": "ann@example.com", "language": "de", "manager_id": int64(9)}},
		"employees": {{"id": int64(9), "name": "Mo", "work_mail": "mo@example.com", "role": "manager"}},
		"items": {
			{"id": int64(1), "name": "Pen", "price": decimal("1.50"), "order_id": int64(7)},
			{"id": int64(2), "name": "Ink", "price": decimal("9"), "order_id": int64(7)},
			{"id": int64(3), "name": "Cup", "price": decimal("4"), "order_id": int64(8)},
		},
	}}
}

func decimal(text string) ExactDecimal {
	d, err := ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}

// loaded gives the scope with what the notification wants to see of the shop.
func loaded(t testing.TB, c *Compiled, source Source, s Scope) (Scope, []Problem) {
	t.Helper()
	s, problems, err := c.Load(t.Context(), source, s)
	if err != nil {
		t.Fatal(err)
	}
	return s, problems
}

func TestPathsFollowRelationsOverSeveralHops(t *testing.T) {
	t.Parallel()
	c := compiled(t, func(n *Notification) {
		n.Message = "{{ doc.customer.name }} of {{ doc.customer.manager.name }}, before {{ old_doc.customer.name }}"
		n.Conditions = `doc.customer.manager.role == "manager"`
	})
	row := Document{"id": int64(7), "customer_id": int64(3)}
	scope, problems := loaded(t, c, aShop(), Scope{Doc: row, OldDoc: Document{"id": int64(7)}})
	content, err := c.Render(scope, "")
	if err != nil || content.Text != "Ann of Mo, before " || len(problems) > 0 {
		t.Errorf("got %q, %v, %v", content.Text, err, problems)
	}
	if verdict := c.Judge(scope); !verdict.Sends {
		t.Errorf("got %+v", verdict)
	}
	if _, changed := row["customer"]; changed {
		t.Error("the document itself was changed")
	}
}

func TestARelationToManyGivesEveryRow(t *testing.T) {
	t.Parallel()
	shop := aShop()
	shop.rows["orders"] = []Document{{"id": int64(7), "customer_id": int64(3), "email": "a@example.com"}, {"id": int64(8), "customer_id": int64(3), "email": "b@example.com"}}
	c := compiled(t, func(n *Notification) { n.Recipients = []Recipient{{DocumentField: "doc.customer.orders.email"}} })
	scope, _ := loaded(t, c, shop, Scope{Doc: Document{"customer_id": int64(3)}})
	var values []string
	for _, candidate := range c.Candidates(scope) {
		values = append(values, candidate.Value+" "+candidate.From)
	}
	if want := []string{"a@example.com doc.customer.orders.email", "b@example.com doc.customer.orders.email"}; !slices.Equal(values, want) {
		t.Errorf("got %q, want %q", values, want)
	}
}

func TestWhatCannotBeReadIsAProblemOrAnError(t *testing.T) {
	t.Parallel()
	c := compiled(t, func(n *Notification) { n.Message = "{{ doc.customer.name }}" })
	scope := Scope{Doc: Document{"customer_id": int64(3)}}
	if _, problems := loaded(t, c, &tables{err: ErrUnreadable}, scope); len(problems) != 1 || !strings.Contains(problems[0].Message, "customers") {
		t.Errorf("got %v", problems)
	}
	away := errors.New("away")
	if _, _, err := c.Load(t.Context(), &tables{err: away}, scope); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNotWantedIsNotRead(t *testing.T) {
	t.Parallel()
	shop := aShop()
	c := compiled(t, func(n *Notification) { n.Message = "{{ doc.customer_id }}" })
	if loaded(t, c, shop, Scope{Doc: Document{"customer_id": int64(3)}}); shop.asked > 0 {
		t.Errorf("asked %d times", shop.asked)
	}
}

func TestThereIsALimitToTheRowsOfARelation(t *testing.T) {
	t.Parallel()
	shop := aShop()
	for range RelatedLimit + 5 {
		shop.rows["items"] = append(shop.rows["items"], Document{"name": "x", "order_id": int64(1)})
	}
	c := compiled(t, func(n *Notification) { n.Recipients = []Recipient{{DocumentField: "doc.items.name"}} })
	scope, problems := loaded(t, c, shop, Scope{Doc: Document{"id": int64(1)}})
	if got := len(c.Candidates(scope)); got != RelatedLimit || len(problems) != 1 {
		t.Errorf("%d candidates, problems %v", got, problems)
	}
}
