package shop

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Seed puts a few rows into a shop whose tables are all empty, and does nothing otherwise. Invoices fall due in the days
// after the database handle's present time. A caller that wants no notifications about these rows says so in ctx.
//
// The addresses are in example.com (RFC 2606) and the numbers between 555-0100 and 555-0199, which nobody has.
func Seed(ctx context.Context, db *gorm.DB) error {
	err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for _, m := range models {
			var n int64
			if err := tx.Model(m.blank()).Limit(1).Count(&n).Error; err != nil || n > 0 {
				return err
			}
		}
		return seedRows(tx)
	})
	if err != nil {
		return fmt.Errorf("shop: put the first rows in: %w", err)
	}
	return nil
}

func seedRows(tx *gorm.DB) error {
	suppliers := []Supplier{
		{Name: "Northern Paper Mill", EmailAddress: "orders@paper.example.com", MobileNumber: "+12025550111"},
		{Name: "Harbour Coffee Roasters", EmailAddress: "orders@coffee.example.com", MobileNumber: "+12025550112"},
	}
	employees := []Employee{
		{Name: "Sales desk", Email: "sales@example.com", Mobile: "+12025550121"},
		{Name: "Night shift", Email: "night@example.com", Mobile: "+12025550122"},
	}
	customers := []Customer{
		{Name: "Riverside School", Email: "office@school.example.com", Phone: "+12025550131"},
		{Name: "Corner Café", Email: "hello@cafe.example.com", Phone: "+12025550132"},
		{Name: "City Library", Email: "desk@library.example.com", Phone: "+12025550133"},
	}
	for _, rows := range []any{&suppliers, &employees, &customers} {
		if err := tx.Create(rows).Error; err != nil {
			return err
		}
	}
	orders := []Order{
		{Number: "SO-1001", Status: "NEW", Amount: 12050,
			CustomerID: &customers[0].ID, SupplierID: &suppliers[0].ID, EmployeeID: &employees[0].ID},
		{Number: "SO-1002", Status: "APPROVED", Amount: 249900,
			CustomerID: &customers[1].ID, SupplierID: &suppliers[1].ID, EmployeeID: &employees[0].ID},
		{Number: "SO-1003", Status: "SHIPPED", Amount: 5999,
			CustomerID: &customers[2].ID, SupplierID: &suppliers[0].ID, EmployeeID: &employees[1].ID},
	}
	if err := tx.Create(&orders).Error; err != nil {
		return err
	}
	today := tx.NowFunc().UTC()
	soon, later := DateOf(today.AddDate(0, 0, 3)), DateOf(today.AddDate(0, 0, 14))
	return tx.Create(&[]Invoice{
		{Number: "INV-2001", Total: 249900, DueDate: &soon, OrderID: &orders[1].ID},
		{Number: "INV-2002", Total: 5999, DueDate: &later, Paid: true, OrderID: &orders[2].ID},
	}).Error
}
