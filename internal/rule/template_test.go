package rule

import (
	"strings"
	"testing"
	"time"
)

// anOrderOfTheShop has a customer, items and dates.
func anOrderOfTheShop() Document {
	return Document{
		"id": int64(7), "status": "in transit", "customer_id": int64(3), "amount": decimal("1234567.5"), "quantity": int64(0),
		"due": time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC), "shipped_at": time.Date(2026, 7, 1, 22, 30, 5, 0, time.UTC),
		"paid": true, "tags": []any{"new", "<b>"}, "weight": 0.5,
	}
}

// rendered gives the text and the HTML of a message about that order.
func rendered(t *testing.T, text string, change func(n *Notification)) Content {
	t.Helper()
	c := compiled(t, func(n *Notification) {
		n.Message, n.HTMLMessage = text, text
		if change != nil {
			change(n)
		}
	})
	scope, _ := loaded(t, c, aShop(), Scope{Doc: anOrderOfTheShop()})
	content, err := c.Render(scope, "")
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return content
}

func TestFiltersChangeAValueOnItsWay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{{ doc.status | upper }}`:                                        "IN TRANSIT",
		`{{doc.status|title}} {{ doc.status | capitalize }}`:              "In Transit In transit",
		`{{ doc.email | default "n/a" }}`:                                 "n/a",
		`{{ doc.email|default:"n/a" }}`:                                   "n/a",
		`{{ doc.email | default('n/a') | upper }}`:                        "N/A",
		`{{ old_doc.status | default "new" }}`:                            "new",
		`{{ old_doc.status | upper }}`:                                    "{{ old_doc.status | upper }}",
		`{{ doc.status | truncate 5 }}`:                                   "in t…",
		`{{ doc.status | truncate 50 }}`:                                  "in transit",
		`{{ doc.due | date "DD.MM.YYYY" }}`:                               "05.03.2026",
		`{{ doc.due | date "dddd, MMMM D, YY" }}`:                         "Thursday, March 5, 26",
		`{{ doc.shipped_at | date "DD.MM. HH:mm Z" "Europe/Berlin" }}`:    "02.07. 00:30 +02:00",
		`{{ doc.shipped_at | date("D MMM YYYY [at] h:mm A") }}`:           "1 Jul 2026 at 10:30 PM",
		`{{ doc.shipped_at | time }} {{ doc.shipped_at | date "H" }}`:     "22:30 22",
		`{{ doc.amount | money "EUR" }}`:                                  "1,234,567.50 EUR",
		`{{ doc.amount | money "€" "1.234,50" }}`:                         "1.234.567,50 €",
		`{{ doc.amount | number }} {{ doc.amount | number 0 }}`:           "1,234,567.5 1,234,568",
		`{{ doc.amount | number 1 "1 234,5" }}`:                           "{{ doc.amount | number 1 \"1 234,5\" }}",
		`{{ doc.amount | number 1 "1 234,50" }}`:                          "1 234 567,5",
		`{{ doc.quantity | number 2 }} {{ doc.weight | number }}`:         "0.00 0.5",
		`{{ doc.items | count }} item{{ doc.items | count | plural }}`:    "2 items",
		`{{ doc.tags | count }} entr{{ doc.tags|count|plural "y" "ies"}}`: "2 entries",
		`{{ doc.items.name | join " and " }}, {{ doc.items.name }}`:       "Pen and Ink, Pen, Ink",
		`{{ doc.items.name | first | lower }}`:                            "pen",
		`{{ doc.status | urlencode }}`:                                    "in%20transit",
		`{{ doc.paid | yesno "paid" "open" }} {{ doc.quantity | yesno }}`: "paid no",
		`{{ doc.customer.name | upper }}`:                                 "ANN",
		`{{ doc.customer.manager.name }}`:                                 "Mo",
		`{{ doc.status | shout }}`:                                        "{{ doc.status | shout }}",
		`{{ doc.status | date }}`:                                         "{{ doc.status | date }}",
	} {
		if got := rendered(t, text, nil).Text; got != want {
			t.Errorf("%s gave %q, want %q", text, got, want)
		}
	}
}

func TestChoicesAndLoopsAreWrittenInTheLanguageOfConditions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{% if doc.paid %}paid{% else %}open{% endif %}`:                                                                    "paid",
		`{% if doc.quantity > 5 %}many{% elif doc.quantity == 0 %}none{% else %}few{% endif %}`:                             "none",
		`{% if doc.customer.name == "Ann" and not doc.email %}Hi Ann{% endif %}!`:                                           "Hi Ann!",
		`{% for item in doc.items %}{{ loop.index }}. {{ item.name }}{% if not loop.last %}, {% endif %}{% endfor %}`:       "1. Pen, 2. Ink",
		`{% for item in doc.items %}{% if item.price > 2 %}{{ item.name }} {{ item.price | money }}{% endif %}{% endfor %}`: "Ink 9.00",
		`{% for c in doc.customer %}{{ c.name }}{% endfor %}`:                                                               "Ann",
		"Items:\n{% for item in doc.items %}\n- {{ item.name }}\n{% endfor %}\nBye\n":                                       "Items:\n- Pen\n- Ink\nBye\n",
		"{% if doc.paid %}\nyes\n{% endif %}":                                                                               "yes\n",
		"A\n{% if doc.paid %}\n{% if doc.id == 7 %}\nB\n{% endif %}\n{% endif %}\nC":                                        "A\nB\nC",
		"{% if doc.status\n == \"in transit\" and \"in  transit\" != doc.status %}yes{% endif %}":                           "yes",
		`{% for x in old_doc.items %}x{% empty %}nothing{% endfor %}`:                                                       "nothing",
		`{% for item in doc.items %}{% for o in doc.customer %}{{ item.name }}{{ o.name }} {% endfor %}{% endfor %}`:        "PenAnn InkAnn ",
	} {
		got := rendered(t, text, nil)
		if got.Text != want {
			t.Errorf("%s gave %q, want %q", text, got.Text, want)
		}
		if got.HTML != want {
			t.Errorf("%s gave the HTML %q, want %q", text, got.HTML, want)
		}
	}
}

func TestValuesInBlocksAreEscapedForTheirPlaceInHTML(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{% for item in doc.items %}<li title="{{ item.name }}">{{ doc.tags | join "," }}</li>{% endfor %}`: `<li title="Pen">new,&lt;b&gt;</li><li title="Ink">new,&lt;b&gt;</li>`,
		`<p {% if doc.paid %}class="{{ doc.status }}"{% endif %}>x</p>`:                                     `<p class="in transit">x</p>`,
		`<a href="/o?s={{ doc.status | urlencode }}">x</a>`:                                                 `<a href="/o?s=in%2520transit">x</a>`,
	} {
		if got := rendered(t, text, func(n *Notification) { n.Message = "m" }).HTML; got != want {
			t.Errorf("%s gave %q, want %q", text, got, want)
		}
	}
}

func TestTemplatesThatAreWrongAreRefusedWithTheirPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a\né {{ doc.id":                                   "line 2, column 3: {{ is never closed",
		"{{ doc.id + 1 }}":                                 "line 1, column 1: only a field's name",
		"{{}}":                                             "only a field's name",
		"{{{ doc.id }}}":                                   "only a field's name",
		"{{ doc.status | uper }}":                          "there is no filter uper: did you mean upper?",
		"{{ doc.status | zzz }}":                           "there are default, upper, lower",
		"{{ doc.status | date }}":                          "date: it needs a date or a time before it",
		"{{ doc.due | date DD.MM }}":                       "date: put the text in quotes",
		`{{ doc.due | date "DD" "Mars/Base" }}`:            "there is no such time zone",
		`{{ doc.status | default "x }}`:                    "no closing quote",
		"{{ doc.status | default }}":                       `it takes a text, such as default "none"`,
		"{{ doc.status | upper 3 }}":                       "it takes nothing after its name",
		"{{ doc.status | number }}":                        "it needs a number before it",
		`{{ doc.amount | number 2 "x" }}`:                  "write the style as 1234.50 looks in it",
		"{{ doc.status | count }}":                         "it needs a relation to many or a JSON list before it",
		"{{ doc.customer }}":                               "name a field, such as doc.customer.id",
		"{{ doc.status | truncate 0 }}":                    "from 1 to 10000",
		"{% if doc.gone %}x{% endif %}":                    "line 1, column 7: orders has no field gone",
		"x\n{%  if  doc.gone == 1 %}x{% endif %}":          "line 2, column 9: orders has no field gone",
		"{% if %}x{% endif %}":                             "need a condition",
		"{% if doc.id %}x":                                 "line 1, column 1: {% if … %} is never closed",
		"x{% endif %}":                                     "line 1, column 2: {% endif %} has no beginning",
		"{% if doc.id %}{% else %}{% elif doc.id %}":       "unexpected {% elif %}",
		"{% if doc.id %}{% endfor %}":                      "{% endif %} is missing before it",
		"{% for x in doc.items %}{% endif %}":              "{% endfor %} is missing before it",
		"{% for doc in doc.items %}{% endfor %}":           "the name doc is taken",
		"{% for x in doc.status %}{% endfor %}":            "doc.status has no rows to loop over",
		"{% for x in doc.itms %}{% endfor %}":              "did you mean items?",
		"{% for items %}{% endfor %}":                      "write {% for item in doc.items %}",
		"{% if doc.id %}x{% endif now %}":                  "nothing can follow endif",
		"{% if doc.id":                                     "{% is never closed",
		"{% for x in doc.items %}{{ x.nam }}{% endfor %}":  "items has no field nam: did you mean name?",
		"{% for x in doc.items %}{% endfor %}{{ x.name }}": "unknown name x",
		strings.Repeat("{% if doc.id %}", 6) + strings.Repeat("{% endif %}", 6): "5 deep at most",
		`{{ doc.tags | join "` + strings.Repeat("x", 201) + `" }}`:              "200 characters at most",
		strings.Repeat("{{ doc.id }}", 501):                                     "at most 500 placeholders",
	} {
		n := notification()
		n.Message = text
		if got := reader().Validate(n)["message"]; !strings.Contains(got, want) {
			t.Errorf("%q: message is %q, want it to contain %q", text, got, want)
		}
	}
}

func TestUnresolvedPlaceholdersStayAsWrittenWhenTheSettingSaysSo(t *testing.T) {
	t.Parallel()
	n := notification()
	n.Message = "{{ doc.gone }} {{ x|y }} {{ doc.status | shout }} {{}} {{ doc.id"
	n.HTMLMessage = "<p>{{ doc.gone }}</p>{{ <b> }}"
	lenient := reader()
	lenient.Settings.KeepUnresolved = true
	if errs := lenient.Validate(n); len(errs) > 0 {
		t.Errorf("refused: %v", errs)
	}
	if errs := reader().Validate(n); errs["message"] == "" || errs["html_message"] == "" {
		t.Errorf("taken without the setting: %v", errs)
	}
	c, err := lenient.Compile(n)
	if err != nil {
		t.Fatal(err)
	}
	content, err := c.Render(Scope{Doc: anOrderOfTheShop()}, "")
	if err != nil || content.Text != n.Message || content.HTML != "<p>{{ doc.gone }}</p>{{ &lt;b&gt; }}" {
		t.Errorf("got %q and %q, %v", content.Text, content.HTML, err)
	}
	n.Message = "{% if doc.gone %}x{% endif %}"
	if errs := lenient.Validate(n); errs["message"] == "" {
		t.Error("a block that names nothing was taken")
	}
}

func TestEachRecipientIsToldInTheirLanguage(t *testing.T) {
	t.Parallel()
	c := compiled(t, func(n *Notification) {
		n.Title, n.Message, n.HTMLMessage = "Order", "Hello", "<p>Hello</p>"
		n.Variants = []Variant{
			{Locale: "de", Title: "Bestellung", Message: "Hallo", HTMLMessage: "<p>Hallo</p>"},
			{Locale: "pt_BR", Message: "Oi"}, {Locale: "fr", Title: "Commande"},
		}
	})
	for locale, want := range map[string]Content{
		"":      {Subject: "Order", Text: "Hello", HTML: "<p>Hello</p>"},
		"en":    {Subject: "Order", Text: "Hello", HTML: "<p>Hello</p>"},
		"DE":    {Subject: "Bestellung", Text: "Hallo", HTML: "<p>Hallo</p>"},
		"de_AT": {Subject: "Bestellung", Text: "Hallo", HTML: "<p>Hallo</p>"},
		"pt-br": {Subject: "Order", Text: "Oi"},
		"pt":    {Subject: "Order", Text: "Hello", HTML: "<p>Hello</p>"},
		"fr-CA": {Subject: "Commande", Text: "Hello", HTML: "<p>Hello</p>"},
	} {
		if got, err := c.Render(Scope{}, locale); err != nil || got != want {
			t.Errorf("%q gets %+v, %v; want %+v", locale, got, err, want)
		}
	}
}

func TestVariantsAndExtrasAreCheckedOnTheirFields(t *testing.T) {
	t.Parallel()
	const sid = "HX0123456789abcdef0123456789ABCDEF"
	whatsApp := func(change func(n *Notification)) func(n *Notification) {
		return func(n *Notification) {
			n.Channel, n.Message, n.ContentSID = WhatsApp, "", sid
			n.Recipients = []Recipient{{Address: "+12025550100"}}
			change(n)
		}
	}
	files := func(files ...Attachment) func(n *Notification) {
		return func(n *Notification) { n.Attachments = files }
	}
	for name, test := range map[string]struct {
		change      func(n *Notification)
		field, want string
	}{
		"a locale that is none": {func(n *Notification) { n.Variants = []Variant{{Locale: "x y", Message: "m"}} }, "variants[0].locale", "write a language"},
		"a locale twice": {func(n *Notification) {
			n.Variants = []Variant{{Locale: "de-AT", Message: "m"}, {Locale: "DE_at", Message: "m"}}
		}, "variants[1].locale", "already"},
		"an empty variant":           {func(n *Notification) { n.Variants = []Variant{{Locale: "de"}} }, "variants[0].message", "in this language"},
		"a variant's typo":           {func(n *Notification) { n.Variants = []Variant{{Locale: "de", Title: "{{ doc.statu }}"}} }, "variants[0].title", "did you mean status?"},
		"a variant's HTML":           {func(n *Notification) { n.Variants = []Variant{{Locale: "de", HTMLMessage: "<script>"}} }, "variants[0].html_message", "no scripts"},
		"too many variants":          {func(n *Notification) { n.Variants = make([]Variant, 51) }, "variants", "at most 50"},
		"a template for email":       {func(n *Notification) { n.ContentSID = sid }, "content_sid", "only WhatsApp"},
		"a SID that is none":         {whatsApp(func(n *Notification) { n.ContentSID = "HX1" }), "content_sid", "32 hexadecimal digits"},
		"a variable's typo":          {whatsApp(func(n *Notification) { n.ContentVariables = map[string]string{"1": "{{ doc.statu }}"} }), "content_variables.1", "did you mean status?"},
		"a variable's name":          {whatsApp(func(n *Notification) { n.ContentVariables = map[string]string{"a b": "x"} }), "content_variables", "letters and digits"},
		"an empty variable":          {whatsApp(func(n *Notification) { n.ContentVariables = map[string]string{"1": " "} }), "content_variables.1", "empty variable"},
		"variables without a SID":    {func(n *Notification) { n.ContentVariables = map[string]string{"1": "x"} }, "content_variables", "name it in content_sid"},
		"a file with two sources":    {files(Attachment{Name: "a", Text: "x", DocumentField: "doc.status"}), "attachments[0]", "either a text or a document field"},
		"a file with none":           {files(Attachment{Name: "a"}), "attachments[0]", "either a text or a document field"},
		"a text without a name":      {files(Attachment{Text: "x"}), "attachments[0].name", "needs a file name"},
		"a file's typo":              {files(Attachment{DocumentField: "doc.statu"}), "attachments[0].document_field", "did you mean status?"},
		"a file in a number":         {files(Attachment{DocumentField: "doc.id"}), "attachments[0].document_field", "a text field"},
		"too many files":             {files(make([]Attachment, 11)...), "attachments", "at most 10"},
		"a file with a WhatsApp":     {whatsApp(files(Attachment{Name: "a", Text: "x"})), "attachments", "only an email"},
		"a negative number of tries": {func(n *Notification) { n.RetryAttempts = -1 }, "retry_attempts", "from 0 to 100"},
		"a priority of six":          {func(n *Notification) { n.Priority = 6 }, "priority", "from 0 to 5"},
	} {
		n := notification()
		test.change(n)
		if got := reader().Validate(n)[test.field]; !strings.Contains(got, test.want) {
			t.Errorf("%s: %s is %q, want it to contain %q (all: %v)", name, test.field, got, test.want, reader().Validate(n))
		}
	}
	n := notification()
	whatsApp(func(n *Notification) { n.ContentVariables = map[string]string{"1": "{{ doc.status }}", "name": "x"} })(n)
	if errs := reader().Validate(n); len(errs) > 0 {
		t.Errorf("a template without a message is refused: %v", errs)
	}
}

func TestWhatsAppVariablesAndFilesAreFilledIn(t *testing.T) {
	t.Parallel()
	c := compiled(t, func(n *Notification) {
		n.Channel, n.ContentSID = WhatsApp, "HX0123456789abcdef0123456789ABCDEF"
		n.ContentVariables = map[string]string{"1": "{{ doc.customer.name }}", "2": "no. {{ doc.id }}"}
	})
	scope, _ := loaded(t, c, aShop(), Scope{Doc: anOrderOfTheShop()})
	values, err := c.extras.renderVariables(c.view(scope))
	if err != nil || len(values) != 2 || values["1"] != "Ann" || values["2"] != "no. 7" {
		t.Errorf("got %v, %v", values, err)
	}
	c = compiled(t, func(n *Notification) {
		n.Attachments = []Attachment{
			{Name: "order-{{ doc.id }}.txt", Text: "{{ doc.status }}"}, {DocumentField: "doc.status"}, {DocumentField: "doc.customer.email", Name: "c"},
			{DocumentField: "email"},
		}
	})
	scope, _ = loaded(t, c, aShop(), Scope{Doc: anOrderOfTheShop()})
	files, missing, err := c.extras.renderFiles(c.view(scope))
	want := []File{{Name: "order-7.txt", Text: "in transit"}, {Location: "in transit"}, {Name: "c", Location: "ann@example.com"}}
	if err != nil || len(files) != 3 || files[0] != want[0] || files[1] != want[1] || files[2] != want[2] || len(missing) != 1 || missing[0] != "doc.email" {
		t.Errorf("got %+v, missing %v, %v", files, missing, err)
	}
}

func TestAnSMSIsCountedAsItsNetworkDoes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text     string
		encoding string
		segments int
		units    int
	}{
		"empty":                             {"", GSM7, 0, 0},
		"one message":                       {strings.Repeat("a", 160), GSM7, 1, 160},
		"one too many":                      {strings.Repeat("a", 161), GSM7, 2, 161},
		"two full":                          {strings.Repeat("a", 306), GSM7, 2, 306},
		"three":                             {strings.Repeat("a", 307), GSM7, 3, 307},
		"umlauts are in the alphabet":       {strings.Repeat("ü", 160), GSM7, 1, 160},
		"a euro takes two":                  {strings.Repeat("€", 80), GSM7, 1, 160},
		"a euro is not split":               {strings.Repeat("a", 152) + "€" + strings.Repeat("a", 152), GSM7, 3, 306},
		"another alphabet":                  {strings.Repeat("я", 70), UCS2, 1, 70},
		"another alphabet, longer":          {strings.Repeat("я", 71), UCS2, 2, 71},
		"an emoji takes two":                {strings.Repeat("😀", 35), UCS2, 1, 70},
		"an emoji is not split":             {strings.Repeat("я", 66) + "😀" + strings.Repeat("я", 66), UCS2, 3, 134},
		"one character changes all of them": {strings.Repeat("a", 70) + "я", UCS2, 2, 71},
	} {
		encoding, segments, units := Segments(test.text)
		if encoding != test.encoding || segments != test.segments || units != test.units {
			t.Errorf("%s: %s, %d segments, %d units; want %s, %d, %d", name, encoding, segments, units, test.encoding, test.segments, test.units)
		}
	}
}

func TestATextWithoutMarksIsItself(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", " ", "100 % {sure} }} %}", "a\n\n b\n"} {
		if got := rendered(t, text, func(n *Notification) { n.HTMLMessage = "" }).Text; got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}
