package django

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/rule"
)

func TestEveryFieldOfANotificationIsCarriedOver(t *testing.T) {
	t.Parallel()
	for _, l := range layouts {
		t.Run(string(l), func(t *testing.T) {
			t.Parallel()
			e := (&export{layout: l}).notification(7, values{
				"conditions": "doc.status == \"APPROVED\"\r\nold_doc.amount != doc.amount", "send_alert_on": "V",
				"value_change_field": "status ~ Status of the order",
			}, rows(byEmail("sales@example.com"), byDocField("doc.email ~ This order email"),
				values{"by_email": "ann@example.com", "by_docfield": "old_doc.email"}), nil)
			i := only(t, e)
			want := &rule.Notification{
				Title: "Order {{ doc.number }}", Message: "It is {{ doc.status }}.", Active: true, Channel: rule.Email,
				Model: "orders", Trigger: rule.OnValueChange, ValueChangeField: "status",
				Conditions: "doc.status == \"APPROVED\"\r\nold_doc.amount != doc.amount",
				Recipients: []rule.Recipient{{Address: "sales@example.com"}, {DocumentField: "doc.email"},
					{Address: "ann@example.com", DocumentField: "old_doc.email"}},
				CreatedAt: time.Date(2025, 3, 1, 10, 30, 0, 0, time.UTC), UpdatedAt: time.Date(2025, 3, 2, 10, 30, 0, 123e6, time.UTC),
			}
			if !reflect.DeepEqual(i.n, want) {
				t.Errorf("it became\n%+v, want\n%+v", i.n, want)
			}
			if len(i.problems)+len(i.notes)+len(i.hints) > 0 || i.source() != "silque_notifications.notification:7" {
				t.Errorf("problems %v, notes %q, hints %q, source %q", i.problems, i.notes, i.hints, i.source())
			}
			if errs := (rule.Reader{Models: shop(), Addresses: addresses}).Validate(i.n); len(errs) > 0 {
				t.Error(errs)
			}
		})
	}
}

func TestTriggersChannelsAndActivityAreReadInEveryForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]rule.Trigger{
		"N": rule.OnNew, "New": rule.OnNew, "U": rule.OnUpdate, "update": rule.OnUpdate, "D": rule.OnDelete, "Delete": rule.OnDelete,
		"V": rule.OnValueChange, "Value Change": rule.OnValueChange, "value_change": rule.OnValueChange,
		"B": rule.DaysBefore, "Days Before": rule.DaysBefore, "A": rule.DaysAfter, "days-after": rule.DaysAfter,
	} {
		i := only(t, (&export{}).notification(1, values{"send_alert_on": text}, nil, nil))
		if i.n.Trigger != want {
			t.Errorf("trigger %q is %q, want %q", text, i.n.Trigger, want)
		}
	}
	for text, want := range map[string]rule.Channel{
		"E": rule.Email, "Email": rule.Email, "email": rule.Email, "S": rule.SMS, "SMS": rule.SMS, "W": rule.WhatsApp, "Whatsapp": rule.WhatsApp,
	} {
		i := only(t, (&export{}).notification(1, values{"channel": text}, nil, nil))
		if i.n.Channel != want {
			t.Errorf("channel %q is %q, want %q", text, i.n.Channel, want)
		}
	}
	for _, value := range []any{false, 0, "False", nil} {
		if i := only(t, (&export{}).notification(1, values{"is_active": value}, nil, nil)); i.n.Active {
			t.Errorf("is_active %v became active", value)
		}
	}
}

func TestDateAlertsAreTranslated(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]rule.Trigger{"B": rule.DaysBefore, "A": rule.DaysAfter} {
		for _, days := range []any{3, "3"} {
			n := only(t, (&export{}).notification(1, values{"send_alert_on": text, "date_field": "due_on ~ due on", "alert_days": days}, nil, nil)).n
			if n.Trigger != want || n.DateField != "due_on" || n.AlertDays == nil || *n.AlertDays != 3 {
				t.Errorf("%s with %v days became %+v", text, days, n)
			}
		}
	}
	for _, days := range []any{-1, 1.5, "soon", 1 << 40, true} {
		if i := only(t, (&export{}).notification(1, values{"alert_days": days}, nil, nil)); i.problems["alert_days"] == "" {
			t.Errorf("%v days are no problem: %v", days, i.n.AlertDays)
		}
	}
}

func TestDocumentFieldsLoseTheirLabelsAndKeepTheirForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"doc.email ~ This order email": "doc.email", "email": "doc.email", "customer.email": "doc.customer.email",
		"old_doc.customer.email":                             "old_doc.customer.email",
		"silque.doc.customer.shop.Customer ~ New customer":   "silque.doc.customer.shop.Customer",
		"silque.old_doc.customer.shop.Customer":              "silque.old_doc.customer.shop.Customer",
		" silque.doc.customer.shop.Customer  ~ Kunde ~ neu ": "silque.doc.customer.shop.Customer",
	} {
		if got := documentField(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestRelationsAreCountedByTheSettingThatTheyNeed(t *testing.T) {
	t.Parallel()
	token := byDocField("silque.doc.customer.shop.Customer ~ New customer")
	e := (&export{}).notification(1, nil, rows(token, token), nil).notification(2, nil, rows(token), nil).
		notification(3, values{"channel": "S"}, nil, rows(token))
	want := map[string]map[string]int{emailSetting: {"shop.Customer": 2}, numberSetting: {"shop.Customer": 1}}
	if got := translated(t, e).relations; !reflect.DeepEqual(got, want) {
		t.Errorf("relations are %v, want %v", got, want)
	}
}

func TestAForeignKeyIsItsColumn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"customer ~ Customer": "customer_id", "customer_id": "customer_id", "pk": "id", "status ~ Status": "status", "nothing": "nothing",
	} {
		i := only(t, (&export{}).notification(1, values{"value_change_field": text}, nil, nil))
		if i.n.ValueChangeField != want {
			t.Errorf("%q became %q, want %q", text, i.n.ValueChangeField, want)
		}
	}
}

func TestOnlyTheChannelsOwnRecipientsAreKept(t *testing.T) {
	t.Parallel()
	for _, l := range layouts {
		for channel, want := range map[string]string{"E": "ann@example.com", "S": "+12025550123", "W": "+12025550123"} {
			i := only(t, (&export{layout: l}).notification(1, values{"channel": channel}, rows(byEmail("ann@example.com"), values{"by_email": ""}),
				rows(byNumber("+12025550123"), values{"by_number": nil})))
			if len(i.n.Recipients) != 1 || i.n.Recipients[0].Address != want {
				t.Errorf("%s, channel %s: recipients %v, want %s", l, channel, i.n.Recipients, want)
			}
			has(t, strings.Join(i.notes, "\n"), "1 blank recipient row was left out", "2 ", " were left out: the channel ")
		}
	}
}

func TestRecipientsOfOneKindServeEveryChannel(t *testing.T) {
	t.Parallel()
	for channel, want := range map[string]string{"email": "ann@example.com", "sms": "+12025550123"} {
		e := (&export{}).object("silque_notifications.notification", "0190-a", values{"title": "T", "message": "M", "channel": channel,
			"model": "shop.Order", "trigger": "new", "active": true})
		e.object("silque_notifications.notificationrecipient", 4, values{"notification_id": "0190-a", "address": want})
		i := only(t, e)
		if len(i.n.Recipients) != 1 || i.n.Recipients[0].Address != want || i.n.Model != "orders" || !i.n.Active || i.n.Trigger != rule.OnNew {
			t.Errorf("channel %s became %+v", channel, i.n)
		}
	}
}

func TestARecipientThatIsNotInTheFileKeepsItsNotificationOut(t *testing.T) {
	t.Parallel()
	i := only(t, (&export{}).notification(1, values{"email_recipients": []any{8, "ann@example.com"}}, nil, nil))
	has(t, i.problems["recipients"], "email recipient 8 is not in the file")
	if len(i.n.Recipients) != 1 || i.n.Recipients[0].Address != "ann@example.com" {
		t.Errorf("recipients %v", i.n.Recipients)
	}
}

func TestDjangosNamesAreSaidAndNotChanged(t *testing.T) {
	t.Parallel()
	message := "{{ doc.customer }} {{ doc.pk }} {{ old_doc.get_status_display }} {{ doc.supplier.name }} {{ doc.customer.email }} {{ doc.status }}"
	conditions := `notif.send_alert_on == "U" and notif.is_active and notif.channel == "E"`
	i := only(t, (&export{}).notification(1, values{"message": message, "conditions": conditions}, nil, nil))
	if i.n.Message != message || i.n.Conditions != conditions {
		t.Errorf("the texts became %q and %q", i.n.Message, i.n.Conditions)
	}
	has(t, strings.Join(i.hints, "\n"), "the column doc.customer_id", "doc.pk is doc.id here", "use old_doc.status", "orders has no relation supplier",
		"notif.trigger", "notif.active")
	if len(i.hints) != 6 {
		t.Errorf("%d hints: %q", len(i.hints), i.hints)
	}
}

func TestBlankConditionsAreNotTakenForNone(t *testing.T) {
	t.Parallel()
	i := only(t, (&export{}).notification(1, values{"conditions": "\r\n"}, nil, nil))
	has(t, strings.Join(i.notes, "\n"), "never sends such a notification")
}

func TestWhatHasTheWrongTypeIsNamedByItsField(t *testing.T) {
	t.Parallel()
	i := only(t, (&export{}).notification(1, values{"title": []int{1}, "is_active": "maybe", "channel": "fax", "send_alert_on": "Z",
		"model": "order", "message": values{}, "conditions": true}, rows(values{"by_email": []int{}}), nil))
	for field, says := range map[string]string{"title": "title must be a text", "active": "is_active must be true or false",
		"channel": `"fax" is none of`, "trigger": `"Z" is none of`, "model": `"order" is no model`, "message": "message must be a text",
		"conditions": "conditions must be a text", "recipients": "by_email must be a text"} {
		has(t, i.problems[field], says)
	}
}

func TestWhatNothingKnowsIsCountedAndEmptyFieldsAreNot(t *testing.T) {
	t.Parallel()
	e := (&export{}).notification(1, values{"priority": 3, "cc": "", "tags": []any{}}, rows(values{"by_email": "a@example.com", "language": "de"}), nil).
		notification(2, values{"priority": 4}, nil, nil)
	want := map[string]int{"silque_notifications.notification.priority": 2, "silque_notifications.emailrecipient.language": 1}
	if got := translated(t, e).unknownFields; !reflect.DeepEqual(got, want) {
		t.Errorf("unknown fields are %v, want %v", got, want)
	}
	e = (&export{layout: inline}).notification(1, nil, rows(values{"by_email": "a@example.com", "language": "de"}), nil)
	if got := translated(t, e).unknownFields; got["silque_notifications.recipients.language"] != 1 {
		t.Errorf("unknown fields within a notification are %v", got)
	}
}

func TestADigestStandsForTheContent(t *testing.T) {
	t.Parallel()
	of := func(changes values, emails ...values) string {
		return only(t, (&export{}).notification(1, changes, emails, nil)).digest()
	}
	ann, bob := byEmail("ann@example.com"), byEmail("bob@example.com")
	base := of(nil, ann, bob)
	for name, same := range map[string]string{
		"labels": of(values{"model": "shop ~ Order ~ Bestellung"}, ann, bob), "times": of(values{"updated": "2026-01-01T00:00:00Z"}, ann, bob),
		"the recipients' order": of(nil, bob, ann),
	} {
		if same != base {
			t.Errorf("%s change the digest", name)
		}
	}
	for name, other := range map[string]string{
		"title": of(values{"title": "x"}, ann, bob), "activity": of(values{"is_active": false}, ann, bob), "days": of(values{"alert_days": 0}, ann, bob),
		"recipients": of(nil, ann), "conditions": of(values{"conditions": "doc.id"}, ann, bob), "date field": of(values{"date_field": "due_on"}, ann, bob),
	} {
		if other == base {
			t.Errorf("the %s does not change the digest", name)
		}
	}
}
