package main

import "time"

// Book is a title that the library lends.
type Book struct {
	ID     uint   `json:"id"`
	Title  string `json:"title" gorm:"not null"`
	Author string `json:"author" gorm:"not null"`
	// Copies counts those that stand on the shelf.
	Copies int `json:"copies" gorm:"not null"`
}

// Loan is a copy of a book in somebody's hands, until ReturnedOn.
type Loan struct {
	ID     uint  `json:"id"`
	BookID uint  `json:"book_id" gorm:"not null"`
	Book   *Book `json:"-"`
	// BookTitle is kept with the loan: a notification reads the fields of the row that changed, not those of other rows.
	BookTitle     string     `json:"book_title" gorm:"not null"`
	BorrowerName  string     `json:"borrower_name" gorm:"not null"`
	BorrowerEmail string     `json:"borrower_email" gorm:"not null" notify:"label:Borrower's email"` // as people see it
	DueOn         time.Time  `json:"due_on" gorm:"type:date;not null"`
	ReturnedOn    *time.Time `json:"returned_on" gorm:"type:date"`
	// ReturnCode is the borrower's secret: `notify:"-"` keeps it out of the catalog, of every event and of every message.
	ReturnCode string `json:"-" gorm:"not null" notify:"-"`
}
