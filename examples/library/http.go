package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// maxBody bounds a request, in bytes: a catalogue of some ten thousand books.
const maxBody = 4 << 20

// routes serves the library as JSON.
func (l *library) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /books", l.postBook)
	mux.HandleFunc("POST /books/import", l.postImport)
	mux.HandleFunc("POST /loans", l.postLoan)
	mux.HandleFunc("POST /loans/{id}/return", l.postReturn)
	return mux
}

func (l *library) postBook(w http.ResponseWriter, r *http.Request) {
	var book Book
	if !read(w, r, &book) {
		return
	}
	book.ID = 0
	l.answer(w, http.StatusCreated, &book, l.addBook(r.Context(), &book))
}

func (l *library) postImport(w http.ResponseWriter, r *http.Request) {
	var books []Book
	if !read(w, r, &books) {
		return
	}
	err := l.importBooks(r.Context(), books)
	l.answer(w, http.StatusCreated, map[string]int{"imported": len(books)}, err)
}

func (l *library) postLoan(w http.ResponseWriter, r *http.Request) {
	var in struct {
		BookID        uint   `json:"book_id"`
		BorrowerName  string `json:"borrower_name"`
		BorrowerEmail string `json:"borrower_email"`
	}
	if !read(w, r, &in) {
		return
	}
	if strings.TrimSpace(in.BorrowerName) == "" || strings.TrimSpace(in.BorrowerEmail) == "" {
		write(w, http.StatusBadRequest, map[string]string{"error": "a loan needs borrower_name and borrower_email"})
		return
	}
	loan, err := l.lend(r.Context(), in.BookID, in.BorrowerName, in.BorrowerEmail)
	if err != nil {
		l.answer(w, 0, nil, err)
		return
	}
	// The borrower learns the code here, and nobody else does.
	write(w, http.StatusCreated, struct {
		*Loan
		ReturnCode string `json:"return_code"`
	}{loan, loan.ReturnCode})
}

func (l *library) postReturn(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ReturnCode string `json:"return_code"`
	}
	if !read(w, r, &in) {
		return
	}
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 32)
	if err != nil {
		l.answer(w, 0, nil, errNoLoan)
		return
	}
	l.answer(w, http.StatusOK, map[string]bool{"returned": true}, l.giveBack(r.Context(), uint(id), in.ReturnCode))
}

// read decodes the body, or answers that it cannot be read.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(into); err != nil {
		write(w, http.StatusBadRequest, map[string]string{"error": "the body is not the JSON that README.md shows"})
		return false
	}
	return true
}

// answer writes the body, or what went wrong: what the caller can mend in words, the rest to the log.
func (l *library) answer(w http.ResponseWriter, status int, body any, err error) {
	switch {
	case err == nil:
		write(w, status, body)
	case errors.Is(err, errNoBook), errors.Is(err, errNoLoan):
		write(w, http.StatusNotFound, map[string]string{"error": err.Error()})
	case errors.Is(err, errNoCopy):
		write(w, http.StatusConflict, map[string]string{"error": err.Error()})
	default:
		l.log.Error("A request failed", "error", err)
		write(w, http.StatusInternalServerError, map[string]string{"error": "something went wrong; the log says what"})
	}
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that has left hears nothing
}
