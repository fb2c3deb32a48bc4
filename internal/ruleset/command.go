package ruleset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/silquetech/silque-notifications/internal/saying"
)

// Command is what a command line asks for.
type Command struct {
	Options

	DryRun bool
	// By is who the history says did it.
	By string
	// Out gets a line a notification and a summary. They show what the operator's own file holds.
	Out io.Writer
}

// Run imports a file, or with DryRun only says what would be done. The error is ErrInvalid when something cannot be here.
func (s Set) Run(ctx context.Context, f *File, c Command) error {
	var plan *Plan
	var err error
	if c.DryRun {
		if plan, err = s.Plan(ctx, f, c.Options); err == nil && !plan.Valid() {
			err = ErrInvalid
		}
	} else {
		plan, _, err = s.Import(ctx, f, c.Options, c.By)
	}
	if err != nil && !errors.Is(err, ErrInvalid) {
		return err
	}
	plan.print(c)
	return err
}

// print writes what becomes of each; texts are quoted, so that a terminal obeys none of them.
func (p *Plan) print(c Command) {
	for _, l := range p.Lists {
		fmt.Fprintf(c.Out, "%-8s list %s\n", l.Status, strconv.Quote(short(l.Name)))
		printProblems(c.Out, l.Problems)
	}
	for _, item := range p.Items {
		fmt.Fprintf(c.Out, "%-8s %s (%s)\n", item.Status, strconv.Quote(short(item.Notification.Title)), short(strconv.QuoteToGraphic(item.Notification.Model)))
		printProblems(c.Out, item.Problems)
		for _, d := range item.Differences {
			fmt.Fprintf(c.Out, "    differs in %s\n", d.Label)
		}
	}
	fmt.Fprintf(c.Out, "new %d, changed %d, same %d, invalid %d", p.Counts[New], p.Counts[Changed], p.Counts[SameAsHere], p.Counts[Invalid])
	if p.Counts[Changed] > 0 && !c.Overwrite {
		fmt.Fprint(c.Out, "; what is changed stays as it is here, unless --overwrite")
	}
	fmt.Fprintln(c.Out)
	if c.DryRun {
		fmt.Fprintln(c.Out, "This was a dry run: nothing was written.")
	}
}

func printProblems(out io.Writer, problems map[string]string) {
	for _, field := range slices.Sorted(maps.Keys(problems)) {
		fmt.Fprintf(out, "    %s: %s\n", saying.Label(field), strconv.Quote(problems[field]))
	}
}
