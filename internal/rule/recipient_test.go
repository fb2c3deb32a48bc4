package rule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// told decides a notification of the shop's order 7, and gives "address from" of those who are told, the reason and the
// problems.
func told(t *testing.T, r Reader, source *tables, change func(n *Notification)) (Outcome, []string) {
	t.Helper()
	n := notification()
	n.Recipients = nil
	change(n)
	c, err := r.Compile(n)
	if err != nil {
		t.Fatal(err)
	}
	doc := anOrderOfTheShop()
	scope, problems := loaded(t, c, source, Scope{Doc: doc, OldDoc: doc})
	o := c.Decide(scope, plainAddresses{})
	o.Problems = append(problems, o.Problems...)
	var addresses []string
	for _, r := range o.Recipients {
		if r.Problem == "" {
			addresses = append(addresses, r.Address)
		}
	}
	return o, addresses
}

func to(rows ...Recipient) func(n *Notification) {
	return func(n *Notification) { n.Recipients = rows }
}

func TestARelationTokenFindsTheRelatedRowsAddress(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"silque.doc.customer.shop.Customer":                     "ann@example.com",
		"silque.doc.customer_id.shop.Customer ~ The customer":   "ann@example.com",
		"silque.old_doc.customer.shop.Customer":                 "ann@example.com",
		"silque.doc.customer":                                   "ann@example.com",
		"silque.doc.customer.customers":                         "ann@example.com",
		"customer_id":                                           "ann@example.com",
		"doc.customer":                                          "ann@example.com",
		"customer":                                              "ann@example.com",
		"doc.customer.manager.work_mail":                        "mo@example.com",
		"silque.doc.customer.manager.staff.Employee ~ whatever": "mo@example.com",
	} {
		r := reader()
		r.Settings.EmailFields = Mapping{"employees": {"work_mail"}}
		o, got := told(t, r, aShop(), to(Recipient{DocumentField: field}))
		if !slices.Equal(got, []string{want}) || len(o.Problems) > 0 {
			t.Errorf("%s finds %v (problems %v), want %s", field, got, o.Problems, want)
		}
	}
}

func TestAModelsNameInATokenIsNoRelation(t *testing.T) {
	t.Parallel()
	m := *customers
	m.Relations = append(m.Relations[:len(m.Relations):len(m.Relations)], Relation{Name: "shop", Kind: BelongsTo, Model: "employees", Field: "manager_id", RemoteField: "id"})
	r := reader()
	r.Models = modelSet{"orders": orders, "customers": &m, "employees": employees, "items": items}
	if _, got := told(t, r, aShop(), to(Recipient{DocumentField: "silque.doc.customer.shop.Customer"})); !slices.Equal(got, []string{"ann@example.com"}) {
		t.Errorf("told %v, want the customer", got)
	}
}

func TestATuplesPriorityTellsTheFirstUsableAddressOnly(t *testing.T) {
	t.Parallel()
	r := reader()
	r.Settings.EmailFields = Mapping{"shop.Customer": {"phone", "manager.work_mail", "email"}}
	shop := aShop()
	shop.rows["customers"][0]["phone"] = "+no address"
	o, got := told(t, r, shop, to(Recipient{DocumentField: "doc.customer"}))
	if !slices.Equal(got, []string{"mo@example.com"}) || len(o.Messages) != 1 {
		t.Errorf("told %v in %d messages, want the first usable address alone", got, len(o.Messages))
	}
}

func TestAModelThatTheMappingDoesNotNameFallsBackToHintsAndThenToCommonNames(t *testing.T) {
	t.Parallel()
	r := reader()
	r.Settings.EmailFields = Mapping{"other.Model": {"x"}}
	if _, got := told(t, r, aShop(), to(Recipient{DocumentField: "doc.customer"})); !slices.Equal(got, []string{"ann@example.com"}) {
		t.Errorf("common names give %v", got)
	}
	hinted := *employees
	hinted.Fields = slices.Clone(employees.Fields)
	hinted.Fields[2].Address = HoldsEmail
	r.Models = modelSet{"orders": orders, "customers": customers, "employees": &hinted, "items": items}
	if _, got := told(t, r, aShop(), to(Recipient{DocumentField: "doc.customer.manager"})); !slices.Equal(got, []string{"mo@example.com"}) {
		t.Errorf("hints give %v", got)
	}
	n := notification()
	n.Recipients = []Recipient{{DocumentField: "doc.customer.manager"}}
	if got := reader().Validate(n)["recipients[0].document_field"]; !strings.Contains(got, "NOTIFY_EMAIL_FIELDS") || !strings.Contains(got, "notify:") {
		t.Errorf("a model without an address is refused with %q", got)
	}
}

func TestTheMappingIsFoundByTableAndByTheDjangoAppsNames(t *testing.T) {
	t.Parallel()
	m := Mapping{"shop.PurchaseOrder": {"a"}, "people": {"b"}, "Category": {"c"}, "crm.Person": {"d"}}
	for name, test := range map[string]struct{ table, key, want string }{
		"the table":          {"people", "", "b"},
		"Django's table":     {"shop_purchaseorder", "", "a"},
		"a plural":           {"purchase_orders", "", "a"},
		"another plural":     {"categories", "", "c"},
		"the token's words":  {"x", "shop.PurchaseOrder", "a"},
		"in any case":        {"PEOPLE", "", "b"},
		"the model alone":    {"x", "y.Category", "c"},
		"nothing of the app": {"x", "y.Person", ""},
	} {
		got, _ := m.of(test.table, test.key)
		if strings.Join(got, "") != test.want {
			t.Errorf("%s: %v, want %q", name, got, test.want)
		}
	}
}

func TestEveryoneOnAListOrInAQueryIsTold(t *testing.T) {
	t.Parallel()
	shop := aShop()
	shop.lists = map[string][]ListEntry{"l1": {{Email: "a@example.com"}, {Number: "+12025550100"}, {Email: " b@example.com"}}}
	shop.rows["employees"] = append(shop.rows["employees"],
		Document{"id": int64(10), "work_mail": "zoe@example.com", "role": "clerk"},
		Document{"id": int64(11), "work_mail": "lin@example.com", "role": "manager"})
	managers := &RecipientQuery{Model: "employees", Field: "work_mail", Where: []Match{{Field: "role", Value: "manager"}}}
	_, got := told(t, reader(), shop, to(Recipient{ListID: "l1"}, Recipient{Query: managers}))
	if want := []string{"a@example.com", "b@example.com", "mo@example.com", "lin@example.com"}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	own := &RecipientQuery{Model: "customers", Where: []Match{{Field: "id", Value: "doc.customer_id"}}}
	if _, got := told(t, reader(), shop, to(Recipient{Query: own})); !slices.Equal(got, []string{"ann@example.com"}) {
		t.Errorf("a query by the document told %v", got)
	}
	o, got := told(t, reader(), shop, to(Recipient{ListID: "gone"}, Recipient{Address: "x@example.com"}))
	if len(got) != 1 || len(o.Problems) != 1 || o.Problems[0].Code != EmailRecipientResolveFail {
		t.Errorf("a list that is gone: told %v, problems %v", got, o.Problems)
	}
}

func TestRecipientsOfOneEmailDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	messages := func(rows ...Recipient) (seen []string) {
		o, _ := told(t, reader(), aShop(), to(rows...))
		for _, m := range o.Messages {
			seen = append(seen, fmt.Sprintf("%s to%v cc%v", m.Address, m.Details.To, m.Details.Cc))
		}
		return seen
	}
	a, b := Recipient{Address: "a@example.com"}, Recipient{Address: "b@example.com"}
	c, d := Recipient{Address: "c@example.com", Copy: true}, Recipient{Address: "a@example.com", Copy: true}
	for _, test := range []struct {
		name string
		rows []Recipient
		want []string
	}{
		{"no copies", []Recipient{a, b}, []string{"a@example.com to[] cc[]", "b@example.com to[] cc[]"}},
		{"one and a copy", []Recipient{c, a}, []string{
			"a@example.com to[a@example.com] cc[c@example.com]", "c@example.com to[a@example.com] cc[c@example.com]"}},
		{"two and a copy", []Recipient{a, b, c}, []string{
			"a@example.com to[a@example.com] cc[c@example.com]", "b@example.com to[b@example.com] cc[c@example.com]",
			"c@example.com to[] cc[c@example.com]"}},
		{"the same as recipient and copy", []Recipient{d, a}, []string{"a@example.com to[] cc[]"}},
		{"only copies", []Recipient{c}, nil},
	} {
		if got := messages(test.rows...); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestADuplicateAddressGetsOneMessage(t *testing.T) {
	t.Parallel()
	o, got := told(t, reader(), aShop(), to(Recipient{Address: "ann@example.com", DocumentField: "doc.customer.email"}))
	if len(got) != 1 || len(o.Messages) != 1 || o.Recipients[1].Problem != ProblemDuplicate {
		t.Errorf("told %v: %+v", got, o.Recipients)
	}
}

func TestAnswersGoWhereTheNotificationSays(t *testing.T) {
	t.Parallel()
	for replyTo, want := range map[string]string{
		"desk@example.com": "desk@example.com", "doc.customer.email": "ann@example.com", "doc.customer": "ann@example.com", "doc.email": "",
	} {
		o, _ := told(t, reader(), aShop(), func(n *Notification) {
			n.ReplyTo, n.Recipients = replyTo, []Recipient{{Address: "a@example.com"}}
		})
		if len(o.Messages) != 1 || o.Messages[0].Details.ReplyTo != want || (want == "") != (len(o.Problems) == 1) {
			t.Errorf("%s: %+v, problems %v; want %q", replyTo, o.Messages, o.Problems, want)
		}
	}
}

func TestTheLanguageComesFromTheRowThatHoldsTheAddress(t *testing.T) {
	t.Parallel()
	shop := aShop()
	shop.lists = map[string][]ListEntry{"l": {{Email: "list@example.com", Locale: "de-AT"}}}
	for field, want := range map[string][]string{
		"language":              {"ann@example.com Hallo", "list@example.com Hallo", "x@example.com Hello"},
		"doc.customer.language": {"ann@example.com Hallo", "list@example.com Hallo", "x@example.com Hallo"},
		"":                      {"ann@example.com Hello", "list@example.com Hallo", "x@example.com Hello"},
	} {
		o, _ := told(t, reader(), shop, func(n *Notification) {
			n.Message, n.LocaleField = "Hello", field
			n.Variants = []Variant{{Locale: "de", Message: "Hallo"}}
			n.Recipients = []Recipient{{DocumentField: "doc.customer"}, {ListID: "l"}, {Address: "x@example.com"}}
		})
		var got []string
		for _, m := range o.Messages {
			got = append(got, m.Address+" "+m.Text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", field, got, want)
		}
	}
}

func TestNoMoreThanTheLimitsAreTold(t *testing.T) {
	t.Parallel()
	shop := aShop()
	list := make([]ListEntry, AddressLimit+5)
	for i := range list {
		list[i].Email = fmt.Sprintf("r%d@example.com", i)
	}
	shop.lists = map[string][]ListEntry{"l": list}
	o, got := told(t, reader(), shop, to(Recipient{ListID: "l"}))
	if len(got) != AddressLimit || len(o.Messages) != AddressLimit || len(o.Problems) != 1 {
		t.Errorf("told %d, problems %v", len(got), o.Problems)
	}
	o, got = told(t, reader(), shop, to(Recipient{Address: "a@example.com"}, Recipient{ListID: "l", Copy: true}))
	if len(got) != 1+CopyLimit || len(o.Messages[0].Details.Cc) != CopyLimit || len(o.Problems) != 1 {
		t.Errorf("told %d, problems %v", len(got), o.Problems)
	}
}

func TestAJSONListOfAddressesTellsEveryoneInIt(t *testing.T) {
	t.Parallel()
	n := notification()
	n.Recipients = []Recipient{{DocumentField: "doc.tags"}}
	c, err := reader().Compile(n)
	if err != nil {
		t.Fatal(err)
	}
	o := c.Decide(Scope{Doc: Document{"tags": []any{"a@example.com", "b@example.com", true}}}, plainAddresses{})
	if len(o.Messages) != 2 {
		t.Errorf("got %+v", o.Recipients)
	}
}

func TestRecipientsThatAreWrongAreRefusedOnTheirField(t *testing.T) {
	t.Parallel()
	query := func(q RecipientQuery) func(n *Notification) { return to(Recipient{Query: &q}) }
	for name, test := range map[string]struct {
		change      func(n *Notification)
		field, want string
	}{
		"a token's typo":          {to(Recipient{DocumentField: "silque.doc.custmer.shop.Customer"}), "recipients[0].document_field", "did you mean customer?"},
		"half a token":            {to(Recipient{DocumentField: "silque.doc"}), "recipients[0].document_field", "silque.doc.<foreign key>"},
		"a token of nothing":      {to(Recipient{DocumentField: "silque.new.customer.shop.Customer"}), "recipients[0].document_field", "silque.doc.<foreign key>"},
		"the row itself":          {to(Recipient{DocumentField: "doc"}), "recipients[0].document_field", "a whole row"},
		"a notification's field":  {to(Recipient{DocumentField: "notif.title"}), "recipients[0].document_field", "has no address"},
		"a date":                  {to(Recipient{DocumentField: "doc.due"}), "recipients[0].document_field", "cannot hold an address"},
		"a list that is gone":     {to(Recipient{ListID: "gone"}), "recipients[0].list_id", "no such list"},
		"a query's model":         {query(RecipientQuery{Model: "x"}), "recipients[0].query.model", "there is no model x"},
		"a query's field":         {query(RecipientQuery{Model: "employees", Field: "work_mal"}), "recipients[0].query.field", "did you mean work_mail?"},
		"a query without a field": {query(RecipientQuery{Model: "employees"}), "recipients[0].query.field", "NOTIFY_EMAIL_FIELDS"},
		"a query's comparison":    {query(RecipientQuery{Model: "customers", Where: []Match{{Field: "nme"}}}), "recipients[0].query.where[0]", "did you mean name?"},
		"a query's value":         {query(RecipientQuery{Model: "customers", Where: []Match{{Field: "id", Value: "x"}}}), "recipients[0].query.where[0]", "id must be a whole number"},
		"a query's path":          {query(RecipientQuery{Model: "customers", Where: []Match{{Field: "id", Value: "doc.status"}}}), "recipients[0].query.where[0]", "cannot be equal"},
		"a query by JSON": {func(n *Notification) {
			n.Recipients = []Recipient{{Query: &RecipientQuery{Model: "orders", Field: "tags", Where: []Match{{Field: "tags", Value: "doc.tags"}}}}}
		}, "recipients[0].query.where[0]", "cannot be compared here"},
		"a query's long list": {query(RecipientQuery{Model: "customers", Where: make([]Match, 11)}), "recipients[0].query.where", "at most 10"},
		"only copies":         {to(Recipient{Address: "a@example.com", Copy: true}), "recipients", "does not only get a copy"},
		"a copy of an SMS": {func(n *Notification) {
			n.Channel = SMS
			to(Recipient{Address: "+1"}, Recipient{Address: "+2", Copy: true})(n)
		}, "recipients[1].copy", "only an email"},
		"an answer to nobody":          {func(n *Notification) { n.ReplyTo = "@"; n.Channel = SMS }, "reply_to", "only an email"},
		"an answer's typo":             {func(n *Notification) { n.ReplyTo = "doc.emial" }, "reply_to", "did you mean email?"},
		"a language's typo":            {func(n *Notification) { n.LocaleField = "doc.customer.lang" }, "locale_field", "has no field lang"},
		"a language that is not there": {func(n *Notification) { n.LocaleField = "language" }, "locale_field", "none of the rows"},
	} {
		n := notification()
		test.change(n)
		r := reader()
		r.HasList = func(string) bool { return false }
		if got := r.Validate(n)[test.field]; !strings.Contains(got, test.want) {
			t.Errorf("%s: %s is %q, want it to contain %q (all: %v)", name, test.field, got, test.want, r.Validate(n))
		}
	}
}

func TestAQueryFieldCanHoldAListOfAddresses(t *testing.T) {
	t.Parallel()
	shop := aShop()
	shop.rows["orders"] = []Document{{"id": int64(9), "tags": []any{"a@example.com", "b@example.com"}}}
	_, got := told(t, reader(), shop, to(Recipient{Query: &RecipientQuery{Model: "orders", Field: "tags"}}))
	if !slices.Equal(got, []string{"a@example.com", "b@example.com"}) {
		t.Errorf("told %v", got)
	}
}

func TestAListIsCheckedEntryByEntry(t *testing.T) {
	t.Parallel()
	errs := ValidateList([]ListEntry{
		{Email: "a@example.com", Number: "+12025550100", Locale: "de"}, {Name: "nobody"}, {Email: "+x"}, {Number: "x"}, {Email: "a@b", Locale: "?"},
	}, plainAddresses{})
	for _, field := range []string{"entries[1]", "entries[2].email", "entries[3].number", "entries[4].locale"} {
		if errs[field] == "" {
			t.Errorf("%s has no error: %v", field, errs)
		}
	}
	if len(errs) != 4 || len(ValidateList(make([]ListEntry, ListLimit+1), plainAddresses{})) != 1 {
		t.Errorf("got %v", errs)
	}
}

// FuzzRecipients: whatever is written as a recipient, nothing panics, and what is accepted gives candidates on any row.
func FuzzRecipients(f *testing.F) {
	for _, seed := range []string{"doc.email", "silque.doc.customer.shop.Customer ~ x", "silque.", "silque.doc..", "customer", "~", ".", "doc.customer.orders.items.name", "old_doc.tags"} {
		f.Add(seed, "doc.customer_id", "work_mail")
	}
	f.Fuzz(func(t *testing.T, field, value, mapped string) {
		n := notification()
		n.Recipients = []Recipient{{DocumentField: field}, {Query: &RecipientQuery{Model: "customers", Field: mapped, Where: []Match{{Field: "id", Value: value}}}}}
		n.ReplyTo, n.LocaleField = value, field
		r := reader()
		r.Settings.EmailFields = Mapping{mapped: {field, value}, "customers": {mapped, "email"}, value: {mapped}}
		errs := r.Validate(n)
		c, err := r.Compile(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range []Document{nil, {}, anOrderOfTheShop()} {
			scope, _, err := c.Load(t.Context(), aShop(), Scope{Doc: doc, OldDoc: doc})
			if err != nil {
				t.Fatal(err)
			}
			if o := c.Preview(scope, plainAddresses{}, true); len(errs) == 0 && len(o.Recipients) == 0 {
				t.Errorf("%q, %q and %q give no candidate", field, value, mapped)
			}
		}
	})
}
