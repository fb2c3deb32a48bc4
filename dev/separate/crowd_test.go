package separate_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/dev/shop"
	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/testdb"
)

// crowd is how many do something at once.
type crowd struct {
	webs, workers int // processes, each web app with a relay
	writers       int
	changes       int // of each writer
	edits         int // of each editor of rules
	batch         int // the most events of one claim: few, so that the relays meet over many
}

// TestACrowdStartsNothingTwiceAndLosesNothing has relays, workers, writers and editors of rules at work on one Postgres.
func TestACrowdStartsNothingTwiceAndLosesNothing(t *testing.T) {
	t.Parallel()
	size := crowd{webs: 2, workers: 2, writers: 40, changes: 10, edits: 60, batch: 2}
	if long() {
		size = crowd{webs: 8, workers: 8, writers: 200, changes: 30, edits: 300, batch: 4}
	}
	seed := seedOf(t)
	h := open(t, testdb.PostgresURL(t), fmt.Sprintf("NOTIFY_BATCH_MAX=%d", size.batch))
	p := &party{house: h, size: size, seed: seed}
	p.base(t)
	p.editors = []*editor{
		newEditor(t, p, "A", p.overAPI(t)),
		newEditor(t, p, "B", p.byBook()),
	}
	must(t, h.plugin.Refresh(t.Context()))
	must(t, h.db.Create(&shop.Customer{ID: hot, Name: hotName(0), Email: customer(hot)}).Error)
	p.made = append(p.made, change{key: fmt.Sprint(hot), action: rule.Create, begin: time.Now(), end: time.Now()})
	for range size.workers {
		p.programs = append(p.programs, h.start(t, "worker"))
	}
	for i := range size.webs {
		p.programs = append(p.programs, h.start(t, "web", "NOTIFY_ADDR="+p.addrs[i]))
	}
	p.allReady(t)
	began := time.Now()
	p.work(t)
	wrote := time.Since(began)
	within := 2 * patience
	if long() {
		within = 30 * time.Minute
	}
	untilWithin(t, within, "every event is settled", func() (bool, error) {
		return h.count(t, new(outbox.Event), "status <> 'settled'") == 0, nil
	})
	t.Logf("everything was written in %s and told in %s", wrote.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	p.check(t)
}

// party is a crowd at work.
type party struct {
	*house
	size     crowd
	seed     uint64
	addrs    []string // of the web apps
	programs []*running
	editors  []*editor
	sturdy   []string // notifications that nobody edits: with them every change is an event

	mutex  sync.Mutex
	made   []change
	hots   int // changes of the hot row
	undone int
}

// change is one that was committed.
type change struct {
	key        string
	action     rule.Action
	begin, end time.Time
}

// hot is the customer whom everybody changes; each writer has its own others.
const hot = 1_000_000

func hotName(n int) string { return fmt.Sprintf("Hot %d", n) }

// base adds notifications that nobody edits, and finds addresses for the web apps.
func (p *party) base(t *testing.T) {
	t.Helper()
	for range p.size.webs {
		p.addrs = append(p.addrs, free(t))
	}
	for trigger, title := range map[rule.Trigger]string{rule.OnNew: "New", rule.OnUpdate: "Changed", rule.OnDelete: "Gone"} {
		p.sturdy = append(p.sturdy, p.addRule(t, title, trigger))
	}
}

func (p *party) allReady(t *testing.T) {
	t.Helper()
	for _, addr := range p.addrs {
		p.URL = "http://" + addr
		p.ready(t)
	}
}

// work lets all of them do their part.
func (p *party) work(t *testing.T) {
	t.Helper()
	var writing, editing sync.WaitGroup
	problems := make(chan error, p.size.writers+len(p.editors))
	for i := range p.size.writers {
		writing.Go(func() { problems <- p.write(t, i) })
	}
	for i, e := range p.editors {
		editing.Go(func() { problems <- e.edit(t, rand.New(rand.NewPCG(p.seed, uint64(i)+1))) })
	}
	writing.Wait()
	editing.Wait()
	close(problems)
	for err := range problems {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// write makes one writer's changes. Its rows are its own, besides the hot one.
func (p *party) write(t *testing.T, writer int) error {
	dice := rand.New(rand.NewPCG(p.seed, uint64(writer)+100))
	var fresh, stale []*shop.Customer // fresh ones have not been changed yet
	for n := range p.size.changes {
		var err error
		switch roll := dice.IntN(10); {
		case roll < 1:
			err = p.heat(t)
		case roll < 3:
			err = p.rollBack(t, writer, n)
		case roll < 5 && len(fresh) > 0:
			row := fresh[0]
			fresh, stale = fresh[1:], append(stale, row)
			err = p.commit(t, row, rule.Update, func(db *gorm.DB) error { return db.Model(row).Update("name", "Changed").Error })
		case roll < 6 && len(stale) > 0:
			row := stale[0]
			stale = stale[1:]
			err = p.commit(t, row, rule.Delete, func(db *gorm.DB) error { return db.Delete(row).Error })
		default:
			row := &shop.Customer{ID: int64(1 + writer*p.size.changes + n), Name: "Fresh"}
			row.Email = customer(int(row.ID))
			fresh = append(fresh, row)
			err = p.commit(t, row, rule.Create, func(db *gorm.DB) error { return db.Create(row).Error })
		}
		if err != nil {
			return fmt.Errorf("writer %d: %w", writer, err)
		}
	}
	return nil
}

// commit makes a change and remembers it.
func (p *party) commit(t *testing.T, row *shop.Customer, action rule.Action, do func(db *gorm.DB) error) error {
	c := change{key: fmt.Sprint(row.ID), action: action, begin: time.Now()}
	err := do(p.db.WithContext(t.Context()))
	c.end = time.Now()
	if err == nil {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		p.made = append(p.made, c)
	}
	return err
}

// heat gives the hot row the next number.
func (p *party) heat(t *testing.T) error {
	err := p.db.WithContext(t.Context()).Transaction(func(tx *gorm.DB) error {
		row := &shop.Customer{ID: hot}
		var name string
		if err := tx.Raw("SELECT name FROM customers WHERE id = ? FOR UPDATE", hot).Scan(&name).Error; err != nil {
			return err
		}
		var n int
		if _, err := fmt.Sscanf(name, "Hot %d", &n); err != nil {
			return err
		}
		return tx.Model(row).Update("name", hotName(n+1)).Error
	})
	if err == nil {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		p.hots++
	}
	return err
}

// rollBack makes a change of each kind, and takes them back.
func (p *party) rollBack(t *testing.T, writer, n int) error {
	err := p.db.WithContext(t.Context()).Transaction(func(tx *gorm.DB) error {
		row := &shop.Customer{ID: int64(2_000_000 + writer*p.size.changes + n), Name: "Undone"}
		row.Email = undone(int(row.ID))
		return errors.Join(tx.Create(row).Error, tx.Model(row).Update("name", "Undone again").Error, tx.Delete(row).Error, errUndone)
	})
	if !errors.Is(err, errUndone) || strings.TrimSpace(err.Error()) != errUndone.Error() {
		return fmt.Errorf("a rollback: %w", err)
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.undone++
	return nil
}
