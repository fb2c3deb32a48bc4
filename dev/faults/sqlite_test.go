package faults_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/silquetech/silque-notifications/dev/shop"
	"github.com/silquetech/silque-notifications/dev/temporalserver/servertest"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/notify"
)

// result is SQLite's own code of an error.
func result(err error) int {
	var coded *sqlite.Error
	if errors.As(err, &coded) {
		return coded.Code() & 0xff
	}
	return 0
}

// filler takes the room that is left in the file, down to so many bytes, and gives it back.
type filler struct{ db *gorm.DB }

func (f filler) fill(t testing.TB) {
	t.Helper()
	for size := 1 << 16; size > 0; {
		err := f.db.Exec("INSERT INTO filler (content) VALUES (zeroblob(?))", size).Error
		switch {
		case err == nil:
		case result(err) == sqlite3.SQLITE_FULL:
			size /= 2
		case result(err) == sqlite3.SQLITE_BUSY:
		default:
			t.Fatal(err)
		}
	}
}

func (f filler) free(t testing.TB) {
	t.Helper()
	until(t, "the file has room again", func() (bool, error) {
		return f.db.Exec("DELETE FROM filler").Error == nil, nil
	})
}

// The disk is full: the save sees SQLite's own error, with the system and without it, and what does not fit as a whole is
// not there at all: business row and event are one transaction. Messages that wait go on waiting; with room, all go out.
func TestAFullDiskFailsSavesAsItWouldAndLosesNothing(t *testing.T) {
	t.Parallel()
	url := testdb.SQLiteURL(t) + "?_pragma=max_page_count(1200)" // each connection's bound of the file
	h := open(t, url, servertest.Start(t).Addr())
	f := filler{testdb.Open(t, url)}
	must(t, f.db.Exec("CREATE TABLE filler (content BLOB)").Error)
	h.run(t)
	h.saves(t, "before", 20)
	h.settled(t)

	h.saves(t, "waiting", 60) // a backlog, for which there is no room while it is worked off
	f.fill(t)
	refused, tried := 0, 0
	until(t, "saves are refused", func() (bool, error) {
		tried++
		err := h.save(t.Context(), fmt.Sprintf("full%d", tried))
		if err == nil {
			f.fill(t) // what was worked off meanwhile has given room back
			return false, nil
		}
		if code := result(err); code != sqlite3.SQLITE_FULL {
			return false, fmt.Errorf("a save was refused with %w", err)
		}
		refused++
		return refused == 5, nil
	})
	plain := h.shop.WithContext(notify.Skip(t.Context())).Create(&shop.Customer{Name: strings.Repeat("x", 1e5), Email: "plain@example.com"}).Error
	if result(plain) != sqlite3.SQLITE_FULL {
		t.Errorf("without the system a save is refused with %v", plain)
	}
	if customers, events := h.count(t, new(shop.Customer), "1 = 1"), h.count(t, new(outbox.Event), "model = 'customers'"); customers != events {
		t.Errorf("%d customers and %d events on the full disk", customers, events)
	}
	if status, says := h.ready(t, "database"); status != http.StatusOK {
		t.Errorf("/readyz answers %d (%s), although pages can be read", status, says)
	}
	f.free(t)
	h.saves(t, "after", 5)
	h.toldOnce(t)
}

// Another process, a backup say, holds the file for longer than anybody waits.
func TestAFileThatIsLockedForLongFailsSavesAsItWouldAndLosesNothing(t *testing.T) {
	t.Parallel()
	url := testdb.SQLiteURL(t) + "?_pragma=busy_timeout(300)"
	h := open(t, url, servertest.Start(t).Addr())
	h.run(t)
	h.saves(t, "before", 40)
	other := testdb.Open(t, url)
	hold, release := make(chan struct{}), make(chan error, 1)
	locked := make(chan struct{})
	go func() {
		var err error
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
			err = other.WithContext(context.Background()).Transaction(func(*gorm.DB) error { // immediate: it takes the lock
				close(locked)
				<-hold
				return nil
			})
			if result(err) != sqlite3.SQLITE_BUSY {
				break
			}
		}
		release <- err
	}()
	<-locked
	if err := h.save(t.Context(), "locked"); result(err) != sqlite3.SQLITE_BUSY {
		t.Errorf("a save was refused with %v, want SQLite's own busy", err)
	}
	if status, says := h.ready(t, "database"); status != http.StatusOK {
		t.Errorf("/readyz answers %d (%s), although pages can be read", status, says)
	}
	time.Sleep(2 * time.Second) // longer than everybody's patience with the lock, several times over
	close(hold)
	must(t, <-release)
	until(t, "saves succeed again", func() (bool, error) { return h.save(t.Context(), "after") == nil, nil })
	h.toldOnce(t)
}
