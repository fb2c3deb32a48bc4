package shop

import "github.com/silquetech/silque-notifications/internal/rule"

// salesAddress is where the examples send what concerns the shop itself.
const salesAddress = "sales@example.com"

// Examples gives notifications about the shop's models that show what the system can do, all of them active and without
// an ID. The shop itself makes no use of them: the development stack saves them in a fresh database.
func Examples() []rule.Notification {
	return []rule.Notification{
		welcomeCustomer(), customerMoved(), largeOrder(), orderStatus(), orderDeleted(), invoicePaid(),
		newEmployee(), newSupplier(),
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
