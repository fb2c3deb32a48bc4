package shop

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Supplier is who sells to the shop.
type Supplier struct {
	ID           int64  `json:"id" gorm:"primaryKey"`
	Name         string `json:"name" gorm:"not null"`
	EmailAddress string `json:"email_address" gorm:"not null"`
	MobileNumber string `json:"mobile_number" gorm:"not null"`
	Times

	Orders []Order `json:"-" gorm:"constraint:OnDelete:SET NULL"`
}

// Employee is who works in the shop and is in charge of orders.
type Employee struct {
	ID     int64  `json:"id" gorm:"primaryKey"`
	Name   string `json:"name" gorm:"not null"`
	Email  string `json:"email" gorm:"not null"`
	Mobile string `json:"mobile" gorm:"not null"`
	Times

	Orders []Order `json:"-" gorm:"constraint:OnDelete:SET NULL"`
}

// Customer is who buys.
type Customer struct {
	ID    int64  `json:"id" gorm:"primaryKey"`
	Name  string `json:"name" gorm:"not null"`
	Email string `json:"email" gorm:"not null"`
	Phone string `json:"phone" gorm:"not null"`
	Times

	Orders []Order `json:"-" gorm:"constraint:OnDelete:SET NULL"`
}

// Order is what a customer wants, from a supplier, with an employee in charge.
type Order struct {
	ID     int64  `json:"id" gorm:"primaryKey"`
	Number string `json:"number" gorm:"not null"`
	// Status is free text; Statuses lists the usual ones.
	Status     string `json:"status" gorm:"not null"`
	Amount     Money  `json:"amount" gorm:"type:numeric(12,2);not null"`
	CustomerID *int64 `json:"customer_id" gorm:"index"`
	SupplierID *int64 `json:"supplier_id" gorm:"index"`
	EmployeeID *int64 `json:"employee_id" gorm:"index"`
	Times

	Customer *Customer `json:"-" gorm:"constraint:OnDelete:SET NULL"`
	Supplier *Supplier `json:"-" gorm:"constraint:OnDelete:SET NULL"`
	Employee *Employee `json:"-" gorm:"constraint:OnDelete:SET NULL"`
	Invoices []Invoice `json:"-" gorm:"constraint:OnDelete:SET NULL"`
}

// Invoice asks for an order's money by a due date.
type Invoice struct {
	ID      int64  `json:"id" gorm:"primaryKey"`
	Number  string `json:"number" gorm:"not null"`
	Total   Money  `json:"total" gorm:"type:numeric(12,2);not null"`
	DueDate *Date  `json:"due_date" gorm:"type:date"`
	Paid    bool   `json:"paid" gorm:"not null"`
	OrderID *int64 `json:"order_id" gorm:"index"`
	Times

	Order *Order `json:"-" gorm:"constraint:OnDelete:SET NULL"`
}

// StatusNew is the status of an order that was given none.
const StatusNew = "NEW"

// Statuses suggests the statuses of an order; any other text is fine too.
var Statuses = []string{StatusNew, "APPROVED", "SHIPPED", "CLOSED"}

// Times says when a row was made and last changed. gorm keeps both.
type Times struct {
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// AfterFind gives times in UTC: Postgres's driver gives them in the machine's zone.
func (t *Times) AfterFind(*gorm.DB) error {
	t.CreatedAt = t.CreatedAt.UTC().Truncate(time.Microsecond)
	t.UpdatedAt = t.UpdatedAt.UTC().Truncate(time.Microsecond)
	return nil
}

// AfterSave gives times as a later read will: Postgres keeps microseconds.
func (t *Times) AfterSave(tx *gorm.DB) error { return t.AfterFind(tx) }

// Models lists a pointer to each model's zero value, for registration with a gorm plugin.
func Models() []any {
	return []any{new(Supplier), new(Employee), new(Customer), new(Order), new(Invoice)}
}

// Migrate makes the tables, or adds what they lack. It works on SQLite and Postgres and is safe to repeat.
func Migrate(ctx context.Context, db *gorm.DB) error {
	if err := db.WithContext(ctx).AutoMigrate(Models()...); err != nil {
		return fmt.Errorf("shop: make the tables: %w", err)
	}
	return nil
}
