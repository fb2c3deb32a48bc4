package faults_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/dev/shop"
	"github.com/silquetech/silque-notifications/dev/temporalserver/servertest"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// writing saves customers side by side until stop is called, whatever errors come, and gives how many saves succeeded and
// failed. An application behaves so that tells its user to try again.
func (h *house) writing(t testing.TB, writers int) (stop func() (saved, failed int)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	var good, bad atomic.Int64
	for w := range writers {
		group.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := h.save(context.WithoutCancel(ctx), fmt.Sprintf("w%d-%d", w, i)); err != nil {
					bad.Add(1)
				} else {
					good.Add(1)
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	stop = sync.OnceValues(func() (int, int) { cancel(); group.Wait(); return int(good.Load()), int(bad.Load()) })
	t.Cleanup(func() { stop() })
	return stop
}

// admin connects to a database as somebody who is not part of the house.
func admin(t testing.TB, databaseURL string) *gorm.DB {
	t.Helper()
	return testdb.Open(t, databaseURL)
}

// cutAll ends every connection to the database but the asking one.
const cutAll = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`

// The save sees its own connection's end, as without the system: it commits with its event or not at all. Web app, relay and
// worker go on with new connections. A message that the provider has is written down as soon as that can be done, so that
// nothing goes out twice.
func TestConnectionsThatAreCutAtRandomLoseNothingAndSendNothingTwice(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURL(t)
	h := open(t, url, servertest.Start(t).Addr())
	db := admin(t, url)
	h.run(t)
	stop := h.writing(t, 4)
	cuts := 0
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(40 * time.Millisecond) {
		var cut []bool
		must(t, db.Raw(cutAll+" ORDER BY random() LIMIT 1").Scan(&cut).Error)
		cuts += len(cut)
	}
	saved, failed := stop()
	t.Logf("%d connections cut, %d saves succeeded, %d failed", cuts, saved, failed)
	h.toldOnce(t)
	if customers := h.count(t, new(shop.Customer), "1 = 1"); customers < saved {
		t.Errorf("%d customers, although %d saves succeeded", customers, saved)
	}
}

// Not parallel: the other tests' databases are on the same server.
func TestAPostgresThatIsRestartedUnderTrafficLosesNothing(t *testing.T) {
	url := testdb.PostgresURL(t)
	h := open(t, url, servertest.Start(t).Addr())
	h.run(t)
	stop := h.writing(t, 4)
	until(t, "messages flow", func() (bool, error) { return len(h.mails(t)) > 20, nil })
	testdb.RestartPostgres(t, func() {
		if err := h.save(t.Context(), "nobody"); err == nil {
			t.Error("a save succeeded without a database")
		}
		until(t, "/readyz says that the database is away", func() (bool, error) {
			status, says := h.ready(t, "database")
			return status == http.StatusServiceUnavailable && strings.Contains(says, "not ready"), nil
		})
	})
	until(t, "/readyz says that it is back", func() (bool, error) {
		status, _ := h.ready(t, "database")
		return status == http.StatusOK, nil
	})
	h.saves(t, "after", 5)
	saved, failed := stop()
	t.Logf("%d saves succeeded, %d failed", saved, failed)
	h.toldOnce(t)
}

// A standby that took over, or an administrator, leaves the database read-only for a while.
func TestADatabaseThatIsReadOnlyForAMomentFailsSavesAsItWouldAndLosesNothing(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURL(t)
	h := open(t, url, servertest.Start(t).Addr())
	db := admin(t, url)
	name := db.Migrator().CurrentDatabase()
	h.run(t)
	must(t, db.Exec("CREATE TABLE plain (id INT)").Error)
	h.saves(t, "before", 100)
	h.untilHealth(t, "Database") // whoever looks is signed in, which must be written
	must(t, db.Exec("ALTER DATABASE "+name+" SET default_transaction_read_only = on").Error)
	must(t, db.Exec(cutAll).Error)
	until(t, "saves are refused with the database's own error, as others are", func() (bool, error) { // the first may meet the cut connection
		watched, plain := h.save(t.Context(), "refused"), h.shop.Exec("INSERT INTO plain VALUES (1)").Error
		if watched == nil || plain == nil {
			return false, errors.Join(errors.New("a save was taken, here or without the system"), watched, plain)
		}
		return state(watched) == "25006" && state(plain) == "25006", nil
	})
	until(t, "pages can be read", func() (bool, error) {
		status, _ := h.ready(t, "database")
		return status == http.StatusOK, nil
	})
	h.untilHealth(t, "It can be read only.")
	must(t, db.Exec("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; ALTER DATABASE "+name+" SET default_transaction_read_only = off").Error)
	must(t, db.Exec(cutAll).Error)
	until(t, "saves succeed again", func() (bool, error) { return h.save(t.Context(), "after") == nil, nil })
	h.toldOnce(t)
}

// state is the SQLSTATE of an error of Postgres.
func state(err error) string {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}

// Everybody else has taken the connections that the server allows. The application has its own, so its saves go on.
func TestAServerWithoutConnectionsLeftDelaysMessagesAndNothingElse(t *testing.T) {
	t.Parallel()
	owner := testdb.PostgresURL(t)
	db := admin(t, owner)
	name := db.Migrator().CurrentDatabase()
	role := "app_" + name
	must(t, db.Exec("CREATE ROLE "+role+" LOGIN").Error)
	must(t, db.Exec("GRANT ALL ON SCHEMA public TO "+role).Error)
	must(t, db.Exec("ALTER DATABASE "+name+" OWNER TO "+role).Error)
	for _, table := range tables(t, db) {
		must(t, db.Exec("ALTER TABLE "+table+" OWNER TO "+role).Error)
	}
	parsed, err := url.Parse(strings.Replace(owner, "postgres:///", "postgres://x/", 1))
	must(t, err)
	query := parsed.Query()
	query.Set("user", role)
	app := "postgres:///" + name + "?" + query.Encode()

	h := open(t, app, servertest.Start(t).Addr())
	h.run(t)
	h.saves(t, "before", 5)
	h.settled(t)
	pool, err := h.shop.DB()
	must(t, err)
	pool.SetMaxOpenConns(1) // the application's own connection stays
	must(t, h.shop.Exec("SELECT 1").Error)
	var mine int
	must(t, h.shop.Raw("SELECT pg_backend_pid()").Scan(&mine).Error)
	must(t, db.Exec("ALTER ROLE "+role+" CONNECTION LIMIT 1").Error)
	must(t, db.Exec(cutAll+" AND usename = ? AND pid <> ?", role, mine).Error)
	h.saves(t, "during", 20)
	until(t, "/readyz says that the database cannot be reached", func() (bool, error) {
		status, _ := h.ready(t, "database")
		return status == http.StatusServiceUnavailable, nil
	})
	if told := len(h.mails(t)); told != 5 {
		t.Errorf("%d messages went out, want the 5 of before", told)
	}
	must(t, db.Exec("ALTER ROLE "+role+" CONNECTION LIMIT -1").Error)
	h.toldOnce(t)
}

func tables(t testing.TB, db *gorm.DB) (names []string) {
	t.Helper()
	must(t, db.Raw("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").Scan(&names).Error)
	return names
}
