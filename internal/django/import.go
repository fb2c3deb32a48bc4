package django

import (
	"context"
	"fmt"
	"io"
	"os"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/rules"
)

// changedBy is who the history of a notification says changed it.
const changedBy = "import"

// Config is what an import works with.
type Config struct {
	DB *gorm.DB
	// Addresses checks direct addresses, as for every other way in.
	Addresses rule.Addresses
	// Rules are the settings under which notifications are read.
	Rules rule.Settings
	// In is read for the file "-".
	In io.Reader
	// Out gets a line a notification and a summary. They show what the operator's own file holds.
	Out io.Writer
}

// Run imports what the file holds, a transaction a notification: what was imported before an error stays, and a repeated
// import goes on from there. The error counts what could not be carried over.
func Run(ctx context.Context, c Config, r Request) error {
	dump, err := c.read(r.File)
	if err != nil {
		return err
	}
	reader, err := rules.New(c.DB, rules.Options{Addresses: c.Addresses, Settings: c.Rules}).Reader(ctx)
	if err != nil {
		return err
	}
	t, err := translate(dump, reader.Models, r.Mappings)
	if err != nil {
		return err
	}
	report := &report{out: c.Out, dryRun: r.DryRun, dump: dump, translation: t}
	for _, i := range t.items {
		o, id, err := c.carry(ctx, i, reader, r.DryRun)
		if err != nil {
			report.summary()
			return fmt.Errorf("the import stopped at notification %s; what is printed above stays, and a repeated import goes on from there: %w",
				short(i.key), err)
		}
		report.line(i, o, id)
	}
	report.summary()
	return report.err()
}

func (c Config) read(file string) (*Dump, error) {
	in := c.In
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = opened.Close() }()
		in = opened
	}
	dump, err := Read(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return dump, nil
}

// outcome is what became of a notification.
type outcome string

const (
	imported     outcome = "imported"
	updated      outcome = "updated"
	already      outcome = "already there"
	keptOurs     outcome = "kept ours"
	deletedHere  outcome = "deleted here"
	notCarried   outcome = "not carried"
	willImport   outcome = "will import"
	willUpdate   outcome = "will update"
	cannotCarry  outcome = "cannot carry"
	wouldKeep    outcome = "will keep ours"
	stillDeleted outcome = "stays deleted"
)

// carry imports one notification if it is valid, or says what would become of it.
func (c Config) carry(ctx context.Context, i *item, reader rule.Reader, dryRun bool) (outcome, string, error) {
	check(i, reader)
	if len(i.problems) > 0 {
		return either(dryRun, cannotCarry, notCarried), "", nil
	}
	imports := store.Imports{DB: c.DB}
	var standing store.ImportStanding
	var err error
	if dryRun {
		standing, err = imports.Standing(ctx, i.source(), i.digest())
	} else {
		standing, err = imports.Carry(ctx, i.source(), i.digest(), i.n, changedBy)
	}
	return i.outcome(standing.State, dryRun), standing.NotificationID, err
}

func (i *item) outcome(s store.ImportState, dryRun bool) outcome {
	switch s {
	case store.ImportNew:
		return either(dryRun, willImport, imported)
	case store.ImportStale:
		return either(dryRun, willUpdate, updated)
	case store.ImportDiverged:
		i.problem("import", "it was changed here and in the Django app since it was imported: ours stays; change it here, or delete it here and make it anew")
		return either(dryRun, wouldKeep, keptOurs)
	case store.ImportDeleted:
		return either(dryRun, stillDeleted, deletedHere)
	case store.ImportDeletedStale:
		i.problem("import", "it was deleted here since it was imported, and changed in the Django app: it does not come back; make it anew if it is missed")
		return either(dryRun, stillDeleted, deletedHere)
	default:
		return already
	}
}

func either(dryRun bool, would, did outcome) outcome {
	if dryRun {
		return would
	}
	return did
}

// check holds a notification to the rules, as every other way in does. What the translation has said already is not said
// twice.
func check(i *item, reader rule.Reader) {
	for field, message := range reader.Validate(i.n) {
		i.problem(field, "%s", message)
	}
}
