package rule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func validated(n *Notification) FieldErrors {
	return reader().Validate(n)
}

func TestAValidNotificationHasNoErrors(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Notification){
		"the plainest": func(*Notification) {},
		"with everything": func(n *Notification) {
			n.HTMLMessage = `<a href="https://example.com/{{ doc.id }}">{{ old_doc.status }}</a>`
			n.Conditions = "\n  doc.amount > 100\n\nold_doc.status is None"
			n.Trigger, n.ValueChangeField = OnValueChange, "status"
			n.Recipients = []Recipient{{DocumentField: "email"}, {DocumentField: "old_doc.email"}, {Address: "a@example.com", DocumentField: "doc.email"}}
		},
		"HTML alone":             func(n *Notification) { n.Message, n.HTMLMessage = "", "<p>x</p>" },
		"old_doc on new":         func(n *Notification) { n.Trigger, n.Conditions = OnNew, "old_doc is None" },
		"an SMS without a title": func(n *Notification) { n.Channel, n.Title, n.Recipients = SMS, "", []Recipient{{Address: "+1"}} },
		"a whole-number phone":   func(n *Notification) { n.Channel, n.Recipients = WhatsApp, []Recipient{{DocumentField: "phone"}} },
		"a title at its limit":   func(n *Notification) { n.Title = strings.Repeat("é", TitleLimit) },
	} {
		n := notification()
		change(n)
		if errs := validated(n); errs.Err() != nil {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

func TestEveryMistakeIsRefusedOnItsField(t *testing.T) {
	t.Parallel()
	rows := func(rows ...Recipient) func(*Notification) { return func(n *Notification) { n.Recipients = rows } }
	good := Recipient{Address: "a@example.com"}
	for name, test := range map[string]struct {
		change func(*Notification)
		field  string
		want   string
	}{
		"an email without a title": {func(n *Notification) { n.Title = " " }, "title", "subject"},
		"a long title":             {func(n *Notification) { n.Title = strings.Repeat("a", 256) }, "title", "255"},
		"a title's typo":           {func(n *Notification) { n.Title = "{{ doc.statsu }}" }, "title", "line 1, column 1: orders has no field statsu: did you mean status?"},
		"no message":               {func(n *Notification) { n.Message = "\n" }, "message", "write a message"},
		"a long message":           {func(n *Notification) { n.Message = strings.Repeat("a", 64<<10+1) }, "message", "64 KiB"},
		"an unclosed placeholder":  {func(n *Notification) { n.Message = "{{ doc.id" }, "message", "never closed"},
		"a bare name":              {func(n *Notification) { n.Message = "{{ status }}" }, "message", "unknown name status: use doc"},
		"a relation's path":        {func(n *Notification) { n.Message = "{{ doc.customer.nam }}" }, "message", "did you mean name?"},
		"two typos":                {func(n *Notification) { n.Message = "{{ doc.a1 }}\n {{ doc.b2 }}" }, "message", "line 1, column 1: orders has no field a1\nline 2, column 2: orders has no field b2"},
		"a NUL":                    {func(n *Notification) { n.Message = "a\x00" }, "message", "NUL"},
		"not UTF-8":                {func(n *Notification) { n.Conditions = "\xff" }, "conditions", "UTF-8"},
		"HTML for an SMS":          {func(n *Notification) { n.Channel, n.HTMLMessage = SMS, "<p>" }, "html_message", "only an email"},
		"long HTML":                {func(n *Notification) { n.HTMLMessage = strings.Repeat("a", 256<<10+1) }, "html_message", "256 KiB"},
		"unsafe HTML":              {func(n *Notification) { n.HTMLMessage = "<a href={{ doc.id }}`>" }, "html_message", "cannot be made safe"},
		"an HTML typo":             {func(n *Notification) { n.HTMLMessage = "{{ doc.emial }}" }, "html_message", "did you mean email?"},
		"an unknown channel":       {func(n *Notification) { n.Channel = "fax" }, "channel", "email, sms, whatsapp"},
		"no model":                 {func(n *Notification) { n.Model = "" }, "model", "choose a model"},
		"an unknown model":         {func(n *Notification) { n.Model = "ghosts" }, "model", "there is no model ghosts"},
		"an unknown trigger":       {func(n *Notification) { n.Trigger = "moon" }, "trigger", "choose one of"},
		"a fixed SMS that is too long": {func(n *Notification) {
			n.Channel, n.Recipients, n.Message = SMS, []Recipient{{Address: "+12025550100"}}, strings.Repeat("x", 1601)+"{{ doc.id }}"
		}, "message", "1601 characters besides its placeholders"},
		"HTML that ends in a tag":    {func(n *Notification) { n.HTMLMessage = `<a href="{{ doc.status }}` }, "html_message", "ends within a tag"},
		"days_before":                {func(n *Notification) { n.Trigger = DaysBefore }, "date_field", "choose the date"},
		"days_after":                 {func(n *Notification) { n.Trigger = DaysAfter }, "alert_days", "say how many days"},
		"value_change of nothing":    {func(n *Notification) { n.Trigger = OnValueChange }, "value_change_field", "choose the field"},
		"value_change of a ghost":    {func(n *Notification) { n.Trigger, n.ValueChangeField = OnValueChange, "stats" }, "value_change_field", "did you mean status?"},
		"broken conditions":          {func(n *Notification) { n.Conditions = "doc.id == 1\n\ndoc.x == 1\n doc.id = 1" }, "conditions", "line 3, column 1: orders has no field x\nline 4, column 9: unexpected ="},
		"long conditions":            {func(n *Notification) { n.Conditions = strings.Repeat("\n", 16<<10+1) }, "conditions", "16 KiB"},
		"many conditions":            {func(n *Notification) { n.Conditions = strings.Repeat("doc.paid\n", 201) }, "conditions", "at most 200 lines"},
		"many broken conditions":     {func(n *Notification) { n.Conditions = strings.Repeat("x\n", 50) }, "conditions", "\nand 30 more"},
		"many placeholders":          {func(n *Notification) { n.HTMLMessage = strings.Repeat("{{doc.id}}", 501) }, "html_message", "column 5001: a text can have at most 500"},
		"no recipients":              {rows(), "recipients", "at least one"},
		"only blank rows":            {rows(Recipient{Address: " "}), "recipients", "at least one"},
		"a blank row":                {rows(good, Recipient{DocumentField: "\t"}), "recipients[1]", "blank"},
		"too many rows":              {rows(slices.Repeat([]Recipient{good}, 101)...), "recipients", "at most 100"},
		"a wrong address":            {rows(good, good, Recipient{Address: "+1"}), "recipients[2].address", "not an address"},
		"a field's typo":             {rows(Recipient{DocumentField: "doc.emial"}), "recipients[0].document_field", "did you mean email?"},
		"a bare field's typo":        {rows(Recipient{DocumentField: "emial"}), "recipients[0].document_field", "did you mean email?"},
		"a field through a relation": {rows(Recipient{DocumentField: "doc.customer.emal"}), "recipients[0].document_field", "did you mean email?"},
		"a bare path of two":         {rows(Recipient{DocumentField: "customer.emal"}), "recipients[0].document_field", "did you mean email?"},
		"a relation":                 {rows(Recipient{DocumentField: "doc.items"}), "recipients[0].document_field", "NOTIFY_EMAIL_FIELDS"},
		"a relation token":           {rows(Recipient{DocumentField: "silque.doc.custmer.app.Customer"}), "recipients[0].document_field", "did you mean customer?"},
		"a notification's field":     {rows(Recipient{DocumentField: "notif.title"}), "recipients[0].document_field", "no address"},
		"a date as an address":       {rows(Recipient{DocumentField: "doc.due"}), "recipients[0].document_field", "cannot hold an address"},
		"a number as an email":       {rows(Recipient{DocumentField: "doc.phone"}), "recipients[0].document_field", "cannot hold an address"},
		"a long path":                {rows(Recipient{DocumentField: strings.Repeat("a", 2000)}), "recipients[0].document_field", "at most"},
	} {
		n := notification()
		test.change(n)
		if got := validated(n)[test.field]; !strings.Contains(got, test.want) || got == "" {
			t.Errorf("%s: %s is %q, want it to contain %q", name, test.field, got, test.want)
		}
	}
}

func TestAllMistakesAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	errs := validated(&Notification{
		Channel: "fax", Trigger: OnValueChange, Title: "{{", HTMLMessage: "{{ x y }}", Message: "",
		Conditions: strings.Repeat(" ", ConditionsLimit+1), Recipients: []Recipient{{}},
	})
	for _, field := range []string{
		"title", "message", "html_message", "channel", "model", "value_change_field", "conditions", "recipients", "recipients[0]",
	} {
		if errs[field] == "" {
			t.Errorf("%s has no error: %v", field, errs)
		}
	}
	if !strings.HasPrefix(errs.Error(), "the notification is not valid: channel: ") || fmt.Sprint(errs.Err()) != errs.Error() {
		t.Errorf("the text is %q", errs.Error())
	}
}
