package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/ruleset"
	"github.com/silquetech/silque-notifications/internal/saying"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

func (s *Console) askImport(c *gin.Context) error {
	return s.showUpload(c, http.StatusOK, "")
}

func (s *Console) showUpload(c *gin.Context, status int, problem string) error {
	return s.show(c, status, "notifications_import", &ui.Page{
		Title: "Import notifications", Area: "/notifications", Data: map[string]string{"Problem": problem}, Styles: []string{"notifications.css"},
	})
}

// uploadRules reads a file, and keeps it until it is imported; nothing else changes.
func (s *Console) uploadRules(c *gin.Context) error {
	header, err := c.FormFile("file")
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return s.showUpload(c, http.StatusRequestEntityTooLarge, "The file is larger than this page takes (8 MiB). Split it, or import it with: starter import FILE")
	case err != nil:
		return s.showUpload(c, http.StatusUnprocessableEntity, "Choose a file first.")
	}
	file, err := header.Open()
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	content, err := ruleset.Content(file)
	if err == nil {
		_, err = ruleset.Parse(content)
	}
	var format *ruleset.FormatError
	if errors.As(err, &format) {
		return s.showUpload(c, http.StatusUnprocessableEntity, "The file cannot be read: "+format.Message+".")
	}
	if err != nil {
		return err
	}
	kept := &store.RuleFile{Name: cutTo(header.Filename, 200), Content: content, CreatedBy: s.actor(c)}
	if err := (store.RuleFiles{DB: s.config.DB}).Put(c.Request.Context(), kept); err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/notifications/import/"+kept.ID)
	return nil
}

// planPage is what an import would do.
type planPage struct {
	*ruleset.Plan

	ID, File string
	// Overwrite and Activate are what the person has decided.
	Overwrite, Activate bool
	// Shown are the items of the page; Hidden counts the rest.
	Shown  []ruleset.Item
	Hidden int
}

// Will is how many notifications and lists are written.
func (p planPage) Will() int {
	return p.Writes(ruleset.Options{Overwrite: p.Overwrite, Activate: p.Activate})
}

// Called is a notification's title, or what stands for it.
func (planPage) Called(n *rule.Notification) string { return called(n) }

// When says when it fires.
func (planPage) When(n *rule.Notification) string { return saying.When(n) }

// Label is the form's word for a field.
func (planPage) Label(field string) string { return saying.Label(field) }

// Count is how many notifications have a status.
func (p planPage) Count(status string) int { return p.Counts[ruleset.Status(status)] }

// Outcome says what becomes of an item.
func (p planPage) Outcome(status ruleset.Status) string {
	if status == ruleset.Changed && !p.Overwrite {
		return "stays as it is here"
	}
	return map[ruleset.Status]string{
		ruleset.New: "is added", ruleset.SameAsHere: "is the same here", ruleset.Changed: "is replaced", ruleset.Invalid: "cannot be here",
	}[status]
}

// plansShown bounds the notifications that a dry run shows; what is invalid comes first, and what is the same last.
const plansShown = 300

func (p *planPage) choose() {
	for _, status := range []ruleset.Status{ruleset.Invalid, ruleset.Changed, ruleset.New, ruleset.SameAsHere} {
		for _, item := range p.Items {
			switch {
			case item.Status != status:
			case len(p.Shown) < plansShown:
				p.Shown = append(p.Shown, item)
			default:
				p.Hidden++
			}
		}
	}
}

// uploaded reads the file that an address names.
func (s *Console) uploaded(c *gin.Context) (*store.RuleFile, *ruleset.File, error) {
	id := c.Param("id")
	if _, err := uuid.Parse(id); err != nil {
		return nil, nil, store.ErrNotFound
	}
	kept, err := store.RuleFiles{DB: s.config.DB}.Get(c.Request.Context(), id)
	if err != nil {
		return nil, nil, err
	}
	file, err := ruleset.Parse(kept.Content)
	return kept, file, err
}

// showImport is the dry run.
func (s *Console) showImport(c *gin.Context) error {
	return s.showPlan(c, http.StatusOK, c.Request.URL.Query())
}

func importOptions(values url.Values) ruleset.Options {
	return ruleset.Options{Overwrite: values.Get("existing") == "overwrite", Activate: values.Get("activate") != ""}
}

func (s *Console) showPlan(c *gin.Context, status int, values url.Values) error {
	kept, file, err := s.uploaded(c)
	if err != nil {
		return err
	}
	o := importOptions(values)
	plan, err := s.ruleSet().Plan(c.Request.Context(), file, o)
	if err != nil {
		return err
	}
	p := planPage{Plan: plan, ID: kept.ID, File: kept.Name, Overwrite: o.Overwrite, Activate: o.Activate}
	p.choose()
	return s.show(c, status, "notifications_plan", &ui.Page{
		Title: "Import " + kept.Name, Area: "/notifications", Data: p, Styles: []string{"notifications.css"},
	})
}

// importJob is an import under way in this process.
type importJob struct {
	mutex       sync.Mutex
	done, total int
	// ended is closed at the end, when outcome and err are set.
	ended   chan struct{}
	outcome store.Outcome
	err     error
	at      time.Time
}

// Progress is how many notifications have been looked at, of how many.
func (j *importJob) Progress() (done, total int) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.done, j.total
}

// importJobs are those of this process, by the file's ID.
type importJobs struct {
	mutex sync.Mutex
	jobs  map[string]*importJob
}

// jobAge is how long an ended import is remembered.
const jobAge = time.Hour

// start begins an import unless it is under way.
func (j *importJobs) start(id string) (job *importJob, begun bool) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	for known, old := range j.jobs {
		if time.Since(old.at) > jobAge {
			delete(j.jobs, known)
		}
	}
	if job = j.jobs[id]; job != nil {
		select {
		case <-job.ended: // it can be repeated
		default:
			return job, false
		}
	}
	if j.jobs == nil {
		j.jobs = map[string]*importJob{}
	}
	job = &importJob{ended: make(chan struct{}), at: time.Now()}
	j.jobs[id] = job
	return job, true
}

func (j *importJobs) get(id string) *importJob {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.jobs[id]
}

// importPatience is how long a request waits for an import before it shows its progress; importLimit ends one that hangs.
const (
	importPatience = 2 * time.Second
	importLimit    = 5 * time.Minute
)

// importRules carries a file over. A long import goes on when the browser has gone.
func (s *Console) importRules(c *gin.Context) error {
	kept, file, err := s.uploaded(c)
	if err != nil {
		return err
	}
	if err := c.Request.ParseForm(); err != nil {
		return err
	}
	job, begun := s.imports.start(kept.ID)
	if begun {
		go s.runImport(context.WithoutCancel(c.Request.Context()), job, file, importOptions(c.Request.PostForm), s.actor(c))
	}
	select {
	case <-job.ended:
	case <-time.After(importPatience):
		c.Redirect(http.StatusSeeOther, "/notifications/import/"+kept.ID+"/progress")
		return nil
	}
	if errors.Is(job.err, ruleset.ErrInvalid) {
		return s.showPlan(c, http.StatusUnprocessableEntity, c.Request.PostForm)
	}
	if job.err != nil {
		return job.err
	}
	return s.done(c, "/notifications?sort=-changed", importFlash(job.outcome))
}

func (s *Console) runImport(ctx context.Context, job *importJob, file *ruleset.File, o ruleset.Options, by string) {
	defer close(job.ended)
	// Nobody stands behind this goroutine: a panic here would end the whole process.
	defer func() {
		if cause := recover(); cause != nil {
			job.err = fmt.Errorf("console: the import panicked with a %T", cause)
			s.config.Log.ErrorContext(ctx, "An import panicked", "panic", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, importLimit)
	defer cancel()
	o.Progress = func(done, total int) {
		job.mutex.Lock()
		defer job.mutex.Unlock()
		job.done, job.total = done, total
	}
	_, job.outcome, job.err = s.ruleSet().Import(ctx, file, o, by)
}

func importFlash(done store.Outcome) ui.Flash {
	if done.Revision == 0 {
		return ui.Flash{Text: "Nothing had to be imported: all of the file is here."}
	}
	f := ui.Flash{Text: countedNotifications(int64(done.Changed)) + " imported, and the saved lists that go with them."}
	if done.Changed > 0 {
		f.Undo, f.UndoFields = undoOf(done.Revision, "/notifications")
	}
	return f
}

// progressPage is an import under way, or at its end.
type progressPage struct {
	ID          string
	Known       bool
	Ended       bool
	Done, Total int
	Failed      bool
	Invalid     bool
	Flash       *ui.Flash
}

func (s *Console) showImportProgress(c *gin.Context) error {
	p := progressPage{ID: c.Param("id")}
	if _, err := uuid.Parse(p.ID); err != nil {
		return store.ErrNotFound
	}
	if job := s.imports.get(p.ID); job != nil {
		p.Known = true
		p.Done, p.Total = job.Progress()
		select {
		case <-job.ended:
			p.Ended, p.Invalid = true, errors.Is(job.err, ruleset.ErrInvalid)
			if p.Failed = job.err != nil && !p.Invalid; p.Failed {
				s.log(c, job.err)
			}
			if job.err == nil {
				p.Flash = new(importFlash(job.outcome))
			}
		default:
		}
	}
	return s.show(c, http.StatusOK, "notifications_progress", &ui.Page{
		Title: "Import", Area: "/notifications", Data: p, Styles: []string{"notifications.css"},
	})
}
