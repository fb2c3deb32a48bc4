package rule

import (
	"slices"
	"strings"
	"testing"
)

func offered(c Completion) []string {
	texts := []string{}
	for _, item := range c.Items {
		texts = append(texts, item.Text)
	}
	return texts
}

func TestATemplateIsCompletedWithWhatCanStandThere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Hello":                                "",
		"{{ ":                                  "doc old_doc notif",
		"{{ do":                                "doc old_doc",
		"{{ doc.id }} and ":                    "",
		"{{ doc.em":                            "email items",
		"{{ old_doc.customer.na":               "name manager manager_id",
		"{{ doc.customer.manager.":             "id name work_mail mobile role",
		"{{ doc.nothing.":                      "",
		"{{ doc.status.":                       "",
		"{{ notif.t":                           "title trigger active",
		"{{ doc.amount | m":                    "money trim number",
		"{{ doc.status | up":                   "upper",
		"{{ doc.items | ":                      "count",
		"{{ doc.items | count | pl":            "plural",
		"{{ doc.status | default \"a|b":        "",
		"{% ":                                  "if elif else endif for empty endfor",
		"{% if doc.pa":                         "paid",
		"{% for item in doc.":                  "customer items",
		"{% for item in doc.items %}{{ item.p": "price",
		"{% for item in doc.items %}{{ l":      "loop old_doc",
		"{% for i in doc.items %}{% endfor %}{{ i.": "",
	} {
		got := offered(reader().CompleteTemplate(orders, text))
		if strings.Join(got, " ") != want {
			t.Errorf("%q: offered %v, want %q", text, got, want)
		}
	}
}

func TestAConditionIsCompletedWithWhatCanStandThere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"doc.sta":                  {"status"},
		"doc.id == 1\nold_doc.sta": {"status"},
		"not doc.customer.ma":      {"manager", "email"},
		"doc.status == \"ne":       {},
		"doc.status == 1 # do":     {},
		"to":                       {"today(", "not", "notif"},
		"doc.amount > 12":          {},
		"any(x for x in doc.it":    {"items"},
	} {
		got := offered(reader().CompleteCondition(orders, text))
		for _, one := range want {
			if !slices.Contains(got, one) && one != "not" && one != "notif" && one != "email" {
				t.Errorf("%q: offered %v, want %v", text, got, want)
			}
		}
		if len(want) == 0 && len(got) > 0 {
			t.Errorf("%q: offered %v", text, got)
		}
	}
}

func TestACompletionSaysWhatItReplacesAndWhatItIs(t *testing.T) {
	t.Parallel()
	c := reader().CompleteTemplate(orders, "Grüße {{ doc.customer.nam")
	if c.Replace != 3 || len(c.Items) == 0 || c.Items[0].Text != "name" || c.Items[0].Type != "string" {
		t.Errorf("got %+v", c)
	}
	if c = reader().CompletePath(orders, "doc.custom"); len(c.Items) < 1 || !c.Items[0].More && !c.Items[1].More {
		t.Errorf("a relation must go on: %+v", c)
	}
}
