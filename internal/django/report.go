package django

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/silquetech/silque-notifications/internal/rule"
)

// report prints what becomes of an export.
type report struct {
	out         io.Writer
	dryRun      bool
	dump        *Dump
	translation *translation
	counts      map[outcome]int
	// lost counts the notifications that are not here as the export has them.
	lost int
}

// outcomes are in the order of the summary.
var outcomes = []outcome{
	imported, updated, willImport, willUpdate, already, keptOurs, wouldKeep, deletedHere, stillDeleted, notCarried, cannotCarry,
}

// line prints one notification, and below it why.
func (r *report) line(i *item, o outcome, id string) {
	if r.counts == nil {
		r.counts = map[outcome]int{}
	}
	r.counts[o]++
	line := fmt.Sprintf("%-14s %s %s", o, short(i.key), quoted(i.n.Title))
	if what := described(i.n); what != "" {
		line += " (" + what + ")"
	}
	if id != "" {
		line += " as " + id
	}
	r.print(line)
	for _, field := range sorted(i.problems) {
		r.reason(field+located(i.n, field)+": ", i.problems[field])
	}
	if len(i.problems) > 0 {
		r.lost++
	}
	for _, note := range i.notes {
		r.reason("note: ", note)
	}
	for _, hint := range i.hints {
		r.reason("name: ", hint)
	}
}

// described gives what a person knows a notification by, as far as it could be translated.
func described(n *rule.Notification) string {
	parts := []string{}
	for _, part := range []string{n.Model, string(n.Trigger), string(n.Channel)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if !n.Active {
		parts = append(parts, "inactive")
	}
	return strings.Join(parts, ", ")
}

// located shows the recipient that a field such as recipients[2].address means.
func located(n *rule.Notification, field string) string {
	var row int
	if _, err := fmt.Sscanf(field, "recipients[%d]", &row); err != nil || row < 0 || row >= len(n.Recipients) {
		return ""
	}
	if strings.HasSuffix(field, ".document_field") {
		return " " + quoted(n.Recipients[row].DocumentField)
	}
	return " " + quoted(n.Recipients[row].Address)
}

// reason prints what stands below a line; further lines of it are indented.
func (r *report) reason(label, text string) {
	r.print("    " + label + strings.ReplaceAll(text, "\n", "\n      "))
}

func (r *report) print(line string) { fmt.Fprintln(r.out, plain(line)) }

// summary prints what the export as a whole gave.
func (r *report) summary() {
	d, t := r.dump, r.translation
	if len(t.items) > 0 {
		r.print("")
	}
	r.print(fmt.Sprintf("The export has %s and %s.", counted(len(d.notifications), "notification"), counted(len(d.recipients), "recipient row")))
	if len(d.others) > 0 {
		r.print(fmt.Sprintf("%s skipped, being of other apps: %s.", were(total(d.others), "object"), tally(d.others)))
	}
	for _, model := range sorted(t.tables) {
		r.print(fmt.Sprintf("%s is the table %s here.", model, t.tables[model]))
	}
	for _, model := range t.unusedMaps {
		r.print(fmt.Sprintf("--map %s: no notification of the export is about that model.", model))
	}
	if t.unused > 0 {
		r.print(fmt.Sprintf("%s not carried over, being part of no notification.", were(t.unused, "recipient row")))
	}
	if len(d.unknown) > 0 {
		r.print(fmt.Sprintf("Not carried over, because nothing here knows what they are: %s.", tally(d.unknown)))
	}
	if len(t.unknownFields) > 0 {
		r.print(fmt.Sprintf("Not carried over, because nothing here knows these fields: %s.", tally(t.unknownFields)))
	}
	r.settings()
	var parts []string
	for _, o := range outcomes {
		if r.counts[o] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", o, r.counts[o]))
		}
	}
	if len(parts) > 0 {
		r.print(strings.Join(parts, ", ") + ".")
	}
	if r.dryRun {
		r.print("This was a dry run: nothing was written.")
	}
}

// settings says what the export cannot hold, because it stands in Django's settings.
func (r *report) settings() {
	for _, s := range []struct{ ours, theirs, hint string }{
		{emailSetting, "S_NOTIFICATION_RELATIONAL_EMAIL_RECIPIENTS", "NOTIFICATION_EMAIL_FIELDS"},
		{numberSetting, "S_NOTIFICATION_RELATIONAL_NUMBER_RECIPIENTS", "NOTIFICATION_NUMBER_FIELDS"},
	} {
		if reached := r.translation.relations[s.ours]; len(reached) > 0 {
			r.print(fmt.Sprintf("Recipients are reached through relations to %s. If Django's settings name fields for them (%s, or %s in the model), say the same in %s, which is not in an export.",
				tally(reached), s.theirs, s.hint, s.ours))
		}
	}
}

// err counts what could not be carried over; nil when all is here.
func (r *report) err() error {
	unknown := total(r.dump.unknown)
	would := "could not be carried over"
	if r.dryRun {
		would = "cannot be carried over"
	}
	switch {
	case r.lost > 0:
		return fmt.Errorf("%s of %d %s; the reasons stand above", counted(r.lost, "notification"), len(r.translation.items), would)
	case unknown > 0 || len(r.translation.unknownFields) > 0:
		return errors.New("every notification is provided for, but not everything else that the export holds: see above")
	default:
		return nil
	}
}
