package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/notify"
)

// loanDays is how long a book may be kept.
const loanDays = 14

var (
	errNoBook = errors.New("there is no such book")
	errNoCopy = errors.New("no copy is left on the shelf")
	errNoLoan = errors.New("there is no open loan with this ID and return code")
)

// addBook saves one book. It runs in gorm's own transaction, and so does its event.
func (l *library) addBook(ctx context.Context, book *Book) error {
	if err := l.db.WithContext(ctx).Create(book).Error; err != nil {
		return fmt.Errorf("add a book: %w", err)
	}
	return nil
}

// importBooks loads a whole catalogue. Nobody should hear of thousands of old books: the context from notify.Skip makes
// the load an ordinary one, without events.
func (l *library) importBooks(ctx context.Context, books []Book) error {
	const batch = 500
	if err := l.db.WithContext(notify.Skip(ctx)).CreateInBatches(&books, batch).Error; err != nil {
		return fmt.Errorf("import books: %w", err)
	}
	return nil
}

// lend saves the loan and takes a copy off the shelf, or does neither. The loan's event is written by its Create; when no
// copy is left, the transaction is rolled back and the event was never there.
func (l *library) lend(ctx context.Context, bookID uint, name, email string) (*Loan, error) {
	loan := &Loan{
		BookID: bookID, BorrowerName: name, BorrowerEmail: email,
		DueOn: today().AddDate(0, 0, loanDays), ReturnCode: rand.Text(),
	}
	err := l.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var book Book
		if err := tx.Take(&book, bookID).Error; errors.Is(err, gorm.ErrRecordNotFound) {
			return errNoBook
		} else if err != nil {
			return fmt.Errorf("read a book: %w", err)
		}
		loan.BookTitle = book.Title
		if err := tx.Create(loan).Error; err != nil {
			return fmt.Errorf("save a loan: %w", err)
		}
		taken := tx.Model(&Book{}).Where("id = ? AND copies > 0", bookID).Update("copies", gorm.Expr("copies - 1"))
		if taken.Error != nil {
			return fmt.Errorf("take a copy off the shelf: %w", taken.Error)
		}
		if taken.RowsAffected == 0 {
			return errNoCopy
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return loan, nil
}

// giveBack ends a loan and puts the copy back. The event of an update holds the row before and after it.
func (l *library) giveBack(ctx context.Context, loanID uint, returnCode string) error {
	return l.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var loan Loan
		err := tx.Where("returned_on IS NULL AND return_code = ?", returnCode).Take(&loan, loanID).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return errNoLoan
		} else if err != nil {
			return fmt.Errorf("read a loan: %w", err)
		}
		ended := tx.Model(&loan).Where("returned_on IS NULL").Update("returned_on", today())
		if ended.Error != nil {
			return fmt.Errorf("end a loan: %w", ended.Error)
		}
		if ended.RowsAffected == 0 {
			return errNoLoan // another request was faster
		}
		back := tx.Model(&Book{}).Where("id = ?", loan.BookID).Update("copies", gorm.Expr("copies + 1"))
		if back.Error != nil {
			return fmt.Errorf("put a copy back: %w", back.Error)
		}
		return nil
	})
}

func today() time.Time { return time.Now().UTC().Truncate(24 * time.Hour) }
