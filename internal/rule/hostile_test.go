package rule

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The promise for any rule on any row is 100 ms and 64 MB. The memory does not depend on the machine and is held to here.
// The time does, and is printed: what bounds it are the counted steps, rows and bytes that the results tell of, and the
// rule's own patience. hang is what no machine needs, however busy.
const (
	hostileMemory = 64 << 20
	hang          = time.Minute
)

// hostileShop has an order with a thousand items.
func hostileShop() *tables {
	shop := aShop()
	for range RelatedLimit {
		shop.rows["items"] = append(shop.rows["items"], Document{"name": strings.Repeat("x", 1000), "order_id": int64(7), "price": decimal("1")})
	}
	return shop
}

// hostileOrder has huge values.
func hostileOrder() Document {
	huge := make([]any, 100_000)
	for i := range huge {
		huge[i] = json.Number(fmt.Sprint(i))
	}
	doc := anOrderOfTheShop()
	doc["status"], doc["tags"] = strings.Repeat("a", 1<<20), huge
	return doc
}

// within runs something, and holds it to the memory that it may take, and to coming to an end.
func within(t *testing.T, name string, run func() any) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	started := time.Now()
	result := run()
	took := time.Since(started)
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	if took > hang || allocated > hostileMemory {
		t.Errorf("%s took %s and %d MB", name, took, allocated>>20)
	}
	t.Logf("%s: %s, %d MB, %.80v", name, took, allocated>>20, result)
}

func TestHostileConditionsStayWithinTimeAndMemory(t *testing.T) { //nolint:paralleltest // it measures the whole process
	for name, line := range map[string]string{
		"a catastrophic pattern":      `doc.status matches "(a+)+$"`,
		"a pattern with repeats":      `doc.customer.name matches "((a{1,100}){1,10})*$"`,
		"patterns in rows":            `any(i.name matches "(x+)+y" for i in doc.items)`,
		"slow patterns in rows":       `any(i.name matches "(x+x+)+(x+x+)+(x?x?x?x?x?x?x?x?x?x?){30}y" for i in doc.items)`,
		"sums within rows":            `any(` + strings.Repeat("sum(doc.items.price) < 0 or ", 20) + `a.price < 0 for a in doc.items)`,
		"rows within rows":            `any(any(a.price + b.price > 100 for b in doc.items) for a in doc.items)`,
		"a large list":                `doc.tags contains 100001`,
		"many large lists":            strings.Repeat(`doc.tags contains 100001 or `, 100) + "True",
		"a long product":              strings.Repeat("doc.amount * ", 300) + "1 == 0",
		"deep parentheses":            strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000),
		"a long text again and again": strings.Repeat(`lower(doc.status) == upper(doc.status) or `, 60) + "doc.paid",
		"a long list of constants":    "doc.id in (" + strings.Repeat("1, ", 400) + "2)",
	} {
		c := compiled(t, func(n *Notification) { n.Conditions = line })
		scope, _ := loaded(t, c, hostileShop(), Scope{Doc: hostileOrder()})
		within(t, name, func() any { return c.Judge(scope).Lines[0].Error })
	}
}

// TestManyTextsTogetherStayWithinTheirWork: each language alone is fine, and all of them together are too much.
func TestManyTextsTogetherStayWithinTheirWork(t *testing.T) {
	t.Parallel()
	c := compiled(t, func(n *Notification) {
		n.Recipients = nil
		for i := range VariantLimit {
			locale := fmt.Sprintf("%c%c", 'a'+i/26, 'a'+i%26)
			n.Variants = append(n.Variants, Variant{Locale: locale, Message: strings.Repeat(`{{ doc.items.name | title | truncate 10 }}`, 1)})
			n.Recipients = append(n.Recipients, Recipient{ListID: locale})
		}
	})
	shop := hostileShop()
	shop.lists = map[string][]ListEntry{}
	for i := range VariantLimit {
		locale := fmt.Sprintf("%c%c", 'a'+i/26, 'a'+i%26)
		shop.lists[locale] = []ListEntry{{Email: locale + "@example.com", Locale: locale}}
	}
	scope, _ := loaded(t, c, shop, Scope{Doc: hostileOrder()})
	if o := c.Decide(scope, plainAddresses{}); o.Decision != Invalid {
		t.Errorf("it decided %s: %s", o.Decision, o.Reason)
	}
}

func TestHostileTemplatesStayWithinTimeAndMemory(t *testing.T) { //nolint:paralleltest // it measures the whole process
	loop := "{% for a in doc.items %}"
	for name, text := range map[string]string{
		"loops within loops":  loop + strings.ReplaceAll(loop, " a ", " b ") + "{% endfor %}{% endfor %}",
		"a large text":        loop + strings.Repeat("{{ a.name }}", 100) + "{% endfor %}",
		"many long values":    strings.Repeat(`{{ doc.items.name | join ", " }}`, 400),
		"many slow filters":   strings.Repeat(`{{ doc.items.name | title | upper | truncate 10 }}`, 400),
		"a huge value":        strings.Repeat(`{{ doc.status | truncate 3 }}`, 400),
		"a huge list":         strings.Repeat(`{{ doc.tags | join "," | truncate 3 }}`, 400),
		"conditions in loops": loop + strings.Repeat("{% if a.price * a.price > 2 %}x{% endif %}", 100) + "{% endfor %}",
	} {
		c := compiled(t, func(n *Notification) { n.Message, n.HTMLMessage = text, text })
		scope, _ := loaded(t, c, hostileShop(), Scope{Doc: hostileOrder()})
		within(t, name, func() any { _, err := c.Render(scope, ""); return err })
	}
}
