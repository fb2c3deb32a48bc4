package shop

import (
	"fmt"

	"gorm.io/gorm"
)

// record is a row of one of the models.
type record interface {
	key() int64
	// title is what people call the row; empty when it has no name.
	title() string
	// inputs gives the fields that may be set, bound to this row.
	inputs() []input
}

// model is what the JSON and the pages know of a model.
type model struct {
	name, one, label string // customers, customer, Customers
	blank            func() record
	// find reads what a query selects.
	find func(*gorm.DB) ([]record, error)
	// about is a line for the start page.
	about string
}

// models is in the order in which people see them.
var models = []*model{
	modelOf[Customer]("customers", "customer", "Customers", "Who buys. Each can have many orders."),
	modelOf[Supplier]("suppliers", "supplier", "Suppliers", "Who sells to the shop."),
	modelOf[Employee]("employees", "employee", "Employees", "Who is in charge of orders."),
	modelOf[Order]("orders", "order", "Orders", "What a customer wants: number, status and amount."),
	modelOf[Invoice]("invoices", "invoice", "Invoices", "What an order costs, and by when it is to be paid."),
}

func modelOf[T any, P interface {
	*T
	record
}](name, one, label, about string) *model {
	return &model{
		name: name, one: one, label: label, about: about,
		blank: func() record { return P(new(T)) },
		find: func(query *gorm.DB) ([]record, error) {
			var rows []T
			if err := query.Find(&rows).Error; err != nil {
				return nil, fmt.Errorf("shop: read %s: %w", name, err)
			}
			records := make([]record, len(rows))
			for i := range rows {
				records[i] = P(&rows[i])
			}
			return records, nil
		},
	}
}

// modelNamed finds a model by its table's name; nil when there is none.
func modelNamed(name string) *model {
	for _, m := range models {
		if m.name == name {
			return m
		}
	}
	return nil
}

// new gives a row with the values that it has before it is given any.
func (m *model) new() record {
	row := m.blank()
	for _, in := range row.inputs() {
		in.value.reset()
	}
	return row
}

// referrer is a column of another model that holds keys of this one.
type referrer struct {
	model  *model
	column string
}

// referrers lists the columns that can hold m's keys.
func (m *model) referrers() (found []referrer) {
	for _, other := range models {
		for _, in := range other.blank().inputs() {
			if to, ok := in.value.(reference); ok && to.model == m.name {
				found = append(found, referrer{model: other, column: in.name})
			}
		}
	}
	return found
}

func (r *Supplier) key() int64    { return r.ID }
func (r *Supplier) title() string { return r.Name }
func (r *Supplier) inputs() []input {
	return []input{
		{name: "name", label: "Name", value: text{target: &r.Name}, must: true},
		{name: "email_address", label: "Email address", value: text{target: &r.EmailAddress}, keyboard: "email"},
		{name: "mobile_number", label: "Mobile number", value: text{target: &r.MobileNumber}, keyboard: "tel"},
	}
}

func (r *Employee) key() int64    { return r.ID }
func (r *Employee) title() string { return r.Name }
func (r *Employee) inputs() []input {
	return []input{
		{name: "name", label: "Name", value: text{target: &r.Name}, must: true},
		{name: "email", label: "Email", value: text{target: &r.Email}, keyboard: "email"},
		{name: "mobile", label: "Mobile", value: text{target: &r.Mobile}, keyboard: "tel"},
	}
}

func (r *Customer) key() int64    { return r.ID }
func (r *Customer) title() string { return r.Name }
func (r *Customer) inputs() []input {
	return []input{
		{name: "name", label: "Name", value: text{target: &r.Name}, must: true},
		{name: "email", label: "Email", value: text{target: &r.Email}, keyboard: "email"},
		{name: "phone", label: "Phone", value: text{target: &r.Phone}, keyboard: "tel"},
	}
}

func (r *Order) key() int64    { return r.ID }
func (r *Order) title() string { return r.Number }
func (r *Order) inputs() []input {
	return []input{
		{name: "number", label: "Number", value: text{target: &r.Number}, must: true},
		{name: "status", label: "Status", value: text{target: &r.Status, initial: StatusNew}, must: true, suggestions: Statuses},
		{name: "amount", label: "Amount", value: amount{&r.Amount}, must: true, keyboard: "decimal"},
		{name: "customer_id", label: "Customer", value: reference{&r.CustomerID, "customers"}},
		{name: "supplier_id", label: "Supplier", value: reference{&r.SupplierID, "suppliers"}},
		{name: "employee_id", label: "Employee in charge", value: reference{&r.EmployeeID, "employees"}},
	}
}

func (r *Invoice) key() int64    { return r.ID }
func (r *Invoice) title() string { return r.Number }
func (r *Invoice) inputs() []input {
	return []input{
		{name: "number", label: "Number", value: text{target: &r.Number}, must: true},
		{name: "total", label: "Total", value: amount{&r.Total}, must: true, keyboard: "decimal"},
		{name: "due_date", label: "Due date", value: day{&r.DueDate}},
		{name: "paid", label: "Paid", value: flag{&r.Paid}},
		{name: "order_id", label: "Order", value: reference{&r.OrderID, "orders"}},
	}
}
