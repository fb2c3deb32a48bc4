package separate_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/silquetech/silque-notifications/internal/outbox"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/watch"
	"github.com/silquetech/silque-notifications/workflows"
)

// version is a state of a notification as the database keeps it.
type version struct {
	NotificationID string
	Version        int64
	RevisionFrom   int64
	RevisionTo     *int64
	TriggerName    rule.Trigger
	Active         bool
	Definition     string
}

// judged names the state of a notification that an event was judged by.
type judged struct {
	notification string
	version      int64
}

// check looks at what became of everything.
func (p *party) check(t *testing.T) {
	t.Helper()
	var events []outbox.Event
	must(t, p.db.Order("id").Find(&events).Error)
	var deliveries []store.Delivery
	must(t, p.db.Find(&deliveries).Error)
	var versions []version
	must(t, p.db.Table("notify_notification_versions").Order("notification_id, version").Find(&versions).Error)
	edits := p.statesKept(t, versions)
	p.eventOfEachChange(t, events)
	p.heatFollows(t, events)
	p.judgedAsTheyWere(t, events, deliveries, versions)
	p.revisionsOfTheirTime(t, events, versions)
	batches := p.startedOnce(t, events)
	p.cameOnce(t, deliveries)
	locked := p.deadlocks(t)
	revisions := map[int64]bool{}
	for _, e := range events {
		revisions[e.Revision] = true
	}
	t.Logf("CROWD postgres: %d web apps, %d workers, %d writers: %d changes committed, %d rolled back, %d edits of rules; "+
		"%d events of %d revisions in %d workflows, %d deliveries, %d deadlocks; SILQUE_SEED=%d",
		p.size.webs, p.size.workers, p.size.writers, len(p.made)+p.hots, p.undone, edits, len(events), len(revisions), batches, len(deliveries), locked, p.seed)
	for i, r := range p.programs {
		if i == 0 || i == len(p.programs)-1 {
			t.Logf("a program had %d MB at most", r.memory(t, "VmHWM"))
		}
	}
}

// statesKept compares what the editors did with the versions.
func (p *party) statesKept(t *testing.T, versions []version) (edits int) {
	t.Helper()
	kept := map[string][]version{}
	for _, v := range versions {
		kept[v.NotificationID] = append(kept[v.NotificationID], v)
	}
	for _, e := range p.editors {
		for _, n := range e.own {
			edits += len(n.states)
			for i, want := range n.states {
				if i >= len(kept[n.id]) {
					t.Errorf("state %d of a notification is not kept", i+1)
					continue
				}
				v := kept[n.id][i]
				var got rule.Notification
				must(t, json.Unmarshal([]byte(v.Definition), &got))
				if got.Title != want.title || v.Active != want.active {
					t.Errorf("state %d of a notification is %q, active %t; want %q, %t", i+1, got.Title, v.Active, want.title, want.active)
				}
			}
			if len(kept[n.id]) != len(n.states) {
				t.Errorf("a notification has %d versions after %d changes", len(kept[n.id]), len(n.states))
			}
		}
	}
	return edits
}

// eventOfEachChange finds one event for each change that was committed, and no other.
func (p *party) eventOfEachChange(t *testing.T, events []outbox.Event) {
	t.Helper()
	wanted := map[string]int{}
	for _, c := range p.made {
		wanted[string(c.action)+" "+c.key]++
	}
	wanted[fmt.Sprintf("%s %d", rule.Update, hot)] = p.hots
	for _, e := range events {
		wanted[string(e.Action)+" "+e.Key]--
	}
	for what, n := range wanted {
		if n != 0 {
			t.Errorf("%s: %d changes more than events", what, n)
		}
	}
}

// heatFollows sees that each event of the hot row begins with what the one before has left.
func (p *party) heatFollows(t *testing.T, events []outbox.Event) {
	t.Helper()
	seen := map[string]bool{}
	for _, e := range events {
		if e.Key != fmt.Sprint(hot) || e.Action != rule.Update {
			continue
		}
		var before, after struct{ Name string }
		must(t, json.Unmarshal(e.OldDoc, &before))
		must(t, json.Unmarshal(e.Doc, &after))
		var n int
		_, err := fmt.Sscanf(before.Name, "Hot %d", &n)
		must(t, err)
		if after.Name != hotName(n+1) || seen[after.Name] {
			t.Errorf("an event leads from %q to %q", before.Name, after.Name)
		}
		seen[after.Name] = true
	}
}

// judgedAsTheyWere compares the deliveries of each event with the notifications that were in force at its revision.
func (p *party) judgedAsTheyWere(t *testing.T, events []outbox.Event, deliveries []store.Delivery, versions []version) {
	t.Helper()
	of := map[string]map[judged]int{}
	for _, d := range deliveries {
		if of[d.EventID] == nil {
			of[d.EventID] = map[judged]int{}
		}
		of[d.EventID][judged{d.NotificationID, d.NotificationVersion}]++
		if d.Status != store.DeliverySent || d.Attempts != 1 {
			t.Errorf("a delivery is %s after %d attempts (%s)", d.Status, d.Attempts, d.ErrorCode)
		}
	}
	triggers := map[rule.Action]rule.Trigger{rule.Create: rule.OnNew, rule.Update: rule.OnUpdate, rule.Delete: rule.OnDelete}
	for _, e := range events {
		got := of[e.ID]
		wanted := 0
		for _, v := range versions {
			inForce := v.Active && v.RevisionFrom <= e.Revision && (v.RevisionTo == nil || e.Revision < *v.RevisionTo)
			if v.TriggerName != triggers[e.Action] || !inForce {
				continue
			}
			wanted++
			if n := got[judged{v.NotificationID, v.Version}]; n != 1 {
				t.Errorf("an event of revision %d has %d deliveries by a notification that was in force then", e.Revision, n)
			}
		}
		if len(got) != wanted {
			t.Errorf("an event of revision %d was judged by %d notifications, and %d were in force", e.Revision, len(got), wanted)
		}
	}
}

// revisionsOfTheirTime sees that no event has a revision that was not there yet when its change was committed, or one older
// than the plugin's list of what is watched may be.
func (p *party) revisionsOfTheirTime(t *testing.T, events []outbox.Event, versions []version) {
	t.Helper()
	revisions := map[judged]int64{}
	for _, v := range versions {
		revisions[judged{v.NotificationID, v.Version}] = v.RevisionFrom
	}
	edits := map[int64]state{} // by their revision
	for _, e := range p.editors {
		for _, n := range e.own {
			for i, s := range n.states {
				edits[revisions[judged{n.id, int64(i + 1)}]] = s
			}
		}
	}
	made := map[string]change{}
	for _, c := range p.made {
		made[string(c.action)+" "+c.key] = c
	}
	for _, e := range events {
		c, ok := made[string(e.Action)+" "+e.Key]
		if !ok {
			continue // of the hot row: nobody knows which change it was
		}
		if edit, ok := edits[e.Revision]; ok && edit.begin.After(c.end) {
			t.Errorf("an event has revision %d, which began %s after its commit", e.Revision, edit.begin.Sub(c.end))
		}
		for revision, edit := range edits {
			if revision > e.Revision && edit.end.Before(c.begin.Add(-watch.Stale)) {
				t.Errorf("an event has revision %d, and %d was there %s before its change", e.Revision, revision, c.begin.Sub(edit.end).Round(time.Millisecond))
			}
		}
	}
}

// startedOnce asks Temporal for the workflows: each event is in exactly one.
func (p *party) startedOnce(t *testing.T, events []outbox.Event) (batches int) {
	t.Helper()
	workflowOf := map[string]string{}
	for _, e := range events {
		if e.BatchID == nil || e.WorkflowID != workflows.WorkflowID(*e.BatchID) {
			t.Errorf("event %s has the workflow %q", e.ID, e.WorkflowID)
		}
		workflowOf[e.ID] = e.WorkflowID
	}
	distinct := map[string]bool{}
	for _, id := range workflowOf {
		distinct[id] = true
	}
	until(t, "Temporal shows every workflow", func() (bool, error) {
		found, err := p.temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: p.server.Namespace(), Query: "WorkflowType = 'SendNotification'",
		})
		return found.GetCount() >= int64(len(distinct)), err
	})
	in, runs := map[string]int{}, 0
	for page := []byte(nil); ; {
		found, err := p.temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: p.server.Namespace(), Query: "WorkflowType = 'SendNotification'", PageSize: 500, NextPageToken: page,
		})
		must(t, err)
		for _, w := range found.GetExecutions() {
			runs++
			var ids []string
			must(t, converter.GetDefaultDataConverter().FromPayload(w.GetSearchAttributes().GetIndexedFields()[workflows.EventsAttribute.GetName()], &ids))
			for _, id := range ids {
				in[id]++
				if workflowOf[id] != w.GetExecution().GetWorkflowId() {
					t.Errorf("event %s is in the workflow %s too", id, w.GetExecution().GetWorkflowId())
				}
			}
		}
		if page = found.GetNextPageToken(); len(page) == 0 {
			break
		}
	}
	for id := range workflowOf {
		if in[id] != 1 {
			t.Errorf("event %s is in %d workflows", id, in[id])
		}
	}
	if runs != len(distinct) {
		t.Errorf("%d workflows ran for %d batches", runs, len(distinct))
	}
	return len(distinct)
}

// cameOnce compares what came with the deliveries, by their Message-IDs.
func (p *party) cameOnce(t *testing.T, deliveries []store.Delivery) {
	t.Helper()
	came := map[string]int{}
	for _, m := range p.messages(t) {
		id, _, _ := strings.Cut(strings.Trim(m.Headers["Message-ID"], "<>"), "@")
		came[id]++
		if strings.HasPrefix(m.To, "undone") {
			t.Errorf("something came of what was rolled back")
		}
	}
	for _, d := range deliveries {
		if came[d.ID] != 1 {
			t.Errorf("%d messages came of a delivery", came[d.ID])
		}
		delete(came, d.ID)
	}
	if len(came) > 0 {
		t.Errorf("%d messages came of no delivery", len(came))
	}
}

// deadlocks gives those that Postgres has found in this database.
func (p *party) deadlocks(t *testing.T) (count int64) {
	t.Helper()
	must(t, p.db.Raw("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").Scan(&count).Error)
	if count > 0 {
		t.Errorf("Postgres had to end %d deadlocks", count)
	}
	return count
}
