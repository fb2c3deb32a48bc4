package separate_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/dev/sandbox"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// connections is SMTP_CONNECTIONS' default: so many hand-overs are under way at once. chunk is the most deliveries of one
// chunk, and so of one commit.
const connections, chunk = 4, 50

// TestWhateverDiesNothingIsLost kills each program at each point of the table. The short form takes each point once,
// on either of the databases; the long one takes all of them on both, again and again. SILQUE_SEED repeats a run's dice,
// SILQUE_ROUNDS says how many rounds each database has in the long form, at least.
func TestWhateverDiesNothingIsLost(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	for name, deal := range dealt(t, seed) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := testdb.SQLiteURL
			if name == "on Postgres" {
				url = testdb.PostgresURL
			}
			x := newTrial(t, url(t), seed)
			for _, p := range deal {
				x.round(t, p)
			}
			within := 2 * patience
			if long() {
				within = 20 * time.Minute
			}
			began := time.Now()
			sum := x.books.settle(t, within)
			t.Logf("all has come to its end %s after the last round", time.Since(began).Round(time.Second))
			x.report(t, sum, seed)
		})
	}
}

// seedOf gives that of the test's dice, and says it.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("SILQUE_SEED"); given != "" {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		must(t, err)
	}
	t.Logf("SILQUE_SEED=%d", seed)
	return seed
}

// dealt gives each database its rounds: of all points, or of those that SILQUE_POINT names by a part of the name.
func dealt(t *testing.T, seed uint64) map[string][]point {
	t.Helper()
	dice := rand.New(rand.NewPCG(seed, 0))
	databases := []string{"on SQLite", "on Postgres"}
	chosen := slices.DeleteFunc(slices.Clone(points), func(p point) bool { return !strings.Contains(p.name, os.Getenv("SILQUE_POINT")) })
	deal := map[string][]point{}
	if !long() {
		for i, n := range dice.Perm(len(chosen)) {
			name := databases[i%len(databases)]
			deal[name] = append(deal[name], chosen[n])
		}
		return deal
	}
	rounds := 120
	if given := os.Getenv("SILQUE_ROUNDS"); given != "" {
		var err error
		rounds, err = strconv.Atoi(given)
		must(t, err)
	}
	for _, name := range databases {
		for len(deal[name]) < rounds && len(chosen) > 0 {
			for _, n := range dice.Perm(len(chosen)) {
				deal[name] = append(deal[name], chosen[n])
			}
		}
	}
	return deal
}

// trial is a house whose programs are killed and started anew, Temporal among them.
type trial struct {
	*house
	books       *books
	random      *rand.Rand
	temporal    *temporalApart
	web, worker *running
	// What can be held back: between the web app and Temporal, and between the worker and its providers.
	starts, mail, twilio *stall
	rounds               map[string]int // by point
	kills                map[string]int // by program
	upgrades             tally          // of other databases
	middles              int            // of them that were killed in a migration
}

func newTrial(t *testing.T, databaseURL string, seed uint64) *trial {
	t.Helper()
	x := &trial{
		random:   rand.New(rand.NewPCG(seed, uint64(len(t.Name())))),
		temporal: &temporalApart{addr: free(t), folder: t.TempDir()},
		rounds:   map[string]int{}, kills: map[string]int{},
	}
	x.temporal.begin(t)
	x.starts = stallBefore(t, x.temporal.addr)
	x.house = openBy(t, databaseURL, x.temporal.addr, "NOTIFY_RETRY_INTERVAL=1s")
	x.mail, x.twilio = stallBefore(t, x.mailAddr), stallBefore(t, x.twilioAddr)
	x.environ = append(x.environ, mailAt(x.mail.addr())...)
	x.environ = append(x.environ, twilioAt(x.twilio.addr())...)
	x.books = openBooks(t, x.house)
	x.startWeb(t)
	x.startWorker(t)
	return x
}

// twilioAt are the settings of a Twilio.
func twilioAt(addr string) []string {
	return []string{
		"TWILIO_BASE_URL=http://" + addr + sandbox.TwilioPath, "TWILIO_ACCOUNT_SID=" + sandbox.DefaultAccountSID,
		"TWILIO_AUTH_TOKEN=" + sandbox.DefaultAuthToken, "TWILIO_SMS_FROM=" + sandbox.DefaultFrom,
	}
}

func (x *trial) startWeb(t *testing.T) {
	t.Helper()
	x.web = x.start(t, "web", "TEMPORAL_ADDRESS="+x.starts.addr())
}

func (x *trial) startWorker(t *testing.T) {
	t.Helper()
	x.worker = x.start(t, "worker")
}

// round lets the application work, and something die at a point.
func (x *trial) round(t *testing.T, p point) {
	t.Helper()
	const rows, backlog = 40, 300
	until(t, "the backlog is not too long", func() (bool, error) { return x.books.open(t) < backlog, nil })
	began := time.Now()
	x.books.save(t, rows)
	p.die(x, t)
	x.rounds[p.name]++
	t.Logf("%s: %s, %d events are open", p.name, time.Since(began).Round(time.Millisecond), x.books.open(t))
}

// more gives the programs something to do however fast they are, so that a moment comes again.
func (x *trial) more(t *testing.T) {
	t.Helper()
	x.books.save(t, 20)
}

// killed counts, and starts anew what died.
func (x *trial) kill(t *testing.T, program string) {
	t.Helper()
	x.kills[program]++
	switch program {
	case "web":
		x.web.kill()
		x.starts.flow()
		x.startWeb(t)
	case "worker":
		x.worker.kill()
		x.mail.flow()
		x.twilio.flow()
		x.startWorker(t)
	case "Temporal":
		x.temporal.kill()
		x.temporal.begin(t)
	}
}

// anyMoment lets some time pass, as the dice say.
func (x *trial) anyMoment(most time.Duration) {
	time.Sleep(time.Duration(x.random.Int64N(int64(most))))
}

// report says in one line what the run came to.
func (x *trial) report(t *testing.T, sum tally, seed uint64) {
	t.Helper()
	rounds, points, kills := 0, []string{}, []string{}
	for point, n := range x.rounds {
		rounds += n
		points = append(points, fmt.Sprintf("%s: %d", point, n))
	}
	for program, n := range x.kills {
		kills = append(kills, fmt.Sprintf("%s %d", program, n))
	}
	slices.Sort(points)
	slices.Sort(kills)
	t.Logf("CRASH %s: %d rounds, %d events, %d deliveries, %d rolled back, %d lost, %d that nothing asked for, twice %v with the same Message-ID; "+
		"killed: %s; %d of %d upgrades killed in the middle, with %d events, %d lost, twice %v; rounds by point: %s; SILQUE_SEED=%d",
		x.db.Name(), rounds, sum.events, sum.deliveries, sum.undone, sum.lost, sum.strange, sum.twice,
		strings.Join(kills, ", "), x.middles, x.rounds[inMigrationWeb]+x.rounds[inMigrationWorker], x.upgrades.events, x.upgrades.lost, x.upgrades.twice,
		strings.Join(points, "; "), seed)
	if twice, bound := sum.twice["email"], (x.kills["worker"])*(connections+chunk); twice > bound {
		t.Errorf("%d came twice, want at most %d", twice, bound)
	}
}

// queued is a mail server's yes to a message, created Twilio's.
func queued(piece []byte) bool { return bytes.Contains(piece, []byte("queued")) }

func created(piece []byte) bool { return bytes.Contains(piece, []byte("201 Created")) }
