package shop

import "github.com/silquetech/silque-notifications/internal/rule"

// salesAddress is where the examples send what concerns the shop itself.
const salesAddress = "sales@example.com"

// Examples gives notifications about the shop's models that show what the system can do, all of them active and without
// an ID. The shop itself makes no use of them: the development stack saves them in a fresh database.
func Examples() []rule.Notification {
	return []rule.Notification{
		welcomeCustomer(), customerMoved(), largeOrder(), orderStatus(), orderDeleted(), invoicePaid(),
		newEmployee(), newSupplier(), orderShipped(), invoiceDue(), invoiceOverdue(),
	}
}

func welcomeCustomer() rule.Notification {
	return rule.Notification{
		Title:   "Welcome, {{ doc.name }}",
		Message: "Hello {{ doc.name }},\n\nyou are our customer no. {{ doc.id }}. We write to {{ doc.email }} and call {{ doc.phone }}.\n",
		HTMLMessage: "<h1>Welcome, {{ doc.name }}</h1>\n" +
			"<p>You are our customer no. <strong>{{ doc.id }}</strong>.</p>\n" +
			"<p>We write to {{ doc.email }} and call {{ doc.phone }}.</p>\n",
		Active: true, Channel: rule.Email, Model: "customers", Trigger: rule.OnNew,
		Recipients: []rule.Recipient{{DocumentField: "doc.email"}},
	}
}

// customerMoved writes to both addresses, and only when there are two.
func customerMoved() rule.Notification {
	return rule.Notification{
		Title: "Your new address at the demo shop",
		Message: "Hello {{ doc.name }},\n\nfrom now on we write to {{ doc.email }} and no longer to {{ old_doc.email }}.\n" +
			"If that was not you, tell us.\n",
		Active: true, Channel: rule.Email, Model: "customers", Trigger: rule.OnUpdate,
		Conditions: "old_doc.email != doc.email",
		Recipients: []rule.Recipient{{DocumentField: "old_doc.email"}, {DocumentField: "doc.email"}},
	}
}

func largeOrder() rule.Notification {
	return rule.Notification{
		Title:   "Large order {{ doc.number }}: {{ doc.amount }}",
		Message: "Order {{ doc.number }} is worth {{ doc.amount }}. Its status is {{ doc.status }}.\n",
		Active:  true, Channel: rule.Email, Model: "orders", Trigger: rule.OnNew,
		Conditions: "doc.amount > 1000",
		Recipients: []rule.Recipient{{Address: salesAddress}},
	}
}

func orderStatus() rule.Notification {
	return rule.Notification{
		Title:   "Order {{ doc.number }} is {{ doc.status }}",
		Message: "Order {{ doc.number }} was {{ old_doc.status }} and is {{ doc.status }} now.\n",
		Active:  true, Channel: rule.Email, Model: "orders", Trigger: rule.OnValueChange, ValueChangeField: "status",
		Recipients: []rule.Recipient{{Address: salesAddress}},
	}
}

func orderDeleted() rule.Notification {
	return rule.Notification{
		Title: "Order {{ old_doc.number }} was deleted",
		Message: "Order {{ old_doc.number }} (no. {{ old_doc.id }}) over {{ old_doc.amount }} is gone. " +
			"Its last status was {{ old_doc.status }}.\n",
		Active: true, Channel: rule.Email, Model: "orders", Trigger: rule.OnDelete,
		Recipients: []rule.Recipient{{Address: salesAddress}},
	}
}

func invoicePaid() rule.Notification {
	return rule.Notification{
		Title:   "Invoice {{ doc.number }} is paid",
		Message: "{{ doc.total }} came in for invoice {{ doc.number }}, due {{ doc.due_date }}.\n",
		Active:  true, Channel: rule.Email, Model: "invoices", Trigger: rule.OnValueChange, ValueChangeField: "paid",
		Conditions: "# Paid, and not taken back\ndoc.paid == True",
		Recipients: []rule.Recipient{{Address: "accounts@example.com"}, {Address: salesAddress}},
	}
}

// orderShipped tells the customer, through the order's relation, with a copy for the employee in charge.
func orderShipped() rule.Notification {
	shipped := "SHIPPED"
	return rule.Notification{
		Title: "Your order {{ doc.number }} is on its way",
		Message: "Dear {{ doc.customer.name | default \"customer\" }},\n\nyour order {{ doc.number }} over {{ doc.amount | money \"EUR\" }} " +
			"has been shipped.\n{% for invoice in doc.invoices %}\nInvoice {{ invoice.number }}: {{ invoice.total | money \"EUR\" }}, " +
			"{{ invoice.paid | yesno \"paid\" \"to be paid\" }}.\n{% endfor %}\n",
		Active: true, Channel: rule.Email, Model: "orders", Trigger: rule.OnValueChange, ValueChangeField: "status",
		ValueChangeTo: &shipped,
		Recipients:    []rule.Recipient{{DocumentField: "doc.customer"}, {DocumentField: "doc.employee.email", Copy: true}},
	}
}

// alertDays is how many days before an invoice is due the examples tell of it, and how many after.
const alertDays = 3

// invoiceDue tells the customer of the invoice's order some days before it is due.
func invoiceDue() rule.Notification {
	days := alertDays
	return rule.Notification{
		Title: "Invoice {{ doc.number }} is due on {{ doc.due_date | date \"D MMMM\" }}",
		Message: "Dear {{ doc.order.customer.name | default \"customer\" }},\n\n{{ doc.total | money \"EUR\" }} for order " +
			"{{ doc.order.number | default \"(none)\" }} are due on {{ doc.due_date | date \"dddd, D MMMM YYYY\" }}.\n",
		Active: true, Channel: rule.Email, Model: "invoices", Trigger: rule.DaysBefore, DateField: "due_date", AlertDays: &days,
		Conditions: "not doc.paid",
		Recipients: []rule.Recipient{{DocumentField: "doc.order.customer"}},
		ReplyTo:    "accounts@example.com",
	}
}

// invoiceOverdue tells the accounts and the employee in charge.
func invoiceOverdue() rule.Notification {
	days := 1
	return rule.Notification{
		Title:   "Overdue: invoice {{ doc.number }}",
		Message: "Invoice {{ doc.number }} over {{ doc.total }} was due on {{ doc.due_date }}. Call {{ doc.order.customer.phone | default \"nobody\" }}.\n",
		Active:  true, Channel: rule.Email, Model: "invoices", Trigger: rule.DaysAfter, DateField: "due_date", AlertDays: &days,
		AlertTime:  "08:00",
		Conditions: "not doc.paid",
		Recipients: []rule.Recipient{{Address: "accounts@example.com"}, {DocumentField: "doc.order.employee.email"}},
	}
}

func newEmployee() rule.Notification {
	return rule.Notification{
		Title:   "New employee",
		Message: "Welcome to the demo shop, {{ doc.name }}. Your orders will be announced to {{ doc.email }}.",
		Active:  true, Channel: rule.SMS, Model: "employees", Trigger: rule.OnNew,
		Recipients: []rule.Recipient{{DocumentField: "doc.mobile"}},
	}
}

func newSupplier() rule.Notification {
	return rule.Notification{
		Title:   "New supplier",
		Message: "{{ doc.name }} is now a supplier of the demo shop. Questions? Write to " + salesAddress + ".",
		Active:  true, Channel: rule.WhatsApp, Model: "suppliers", Trigger: rule.OnNew,
		Recipients: []rule.Recipient{{DocumentField: "doc.mobile_number"}},
	}
}
