package django

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// Request is what the command line asks for.
type Request struct {
	// File is the export; "-" is standard input.
	File string
	// DryRun only says what would be done.
	DryRun bool
	// Mappings say which tables Django models are, where their names do not.
	Mappings []Mapping
	// Overwrite and Activate are about files of this program's own (starter export).
	Overwrite, Activate bool
}

const usage = `starter import carries notifications and their recipients over from the Django app.

  python manage.py dumpdata silque_notifications --output export.json
  starter import export.json --dry-run         shows what it would do, and writes nothing
  starter import export.json                   does it; again, and only what is new or changed there is done
  starter import export.json --map shop.PurchaseOrder=purchases
                                               says which table a Django model is
  starter import -                             reads the export from standard input

It also reads what "starter export FILE" or the console has written: all of it is imported or nothing, new notifications
are inactive unless --activate, and what is here and different stays unless --overwrite.

It needs the database (DATABASE_URL) and the models registered in it; neither Temporal nor a worker.
Exit code: 0 all is here, 1 something could not be carried over, 2 wrong usage.

Flags:
`

// errUsage stands for a mistake that has been explained already.
var errUsage = errors.New("wrong usage")

// Parse reads the command line behind the word import. It explains a mistake on stderr; the error is flag.ErrHelp when
// help was asked for.
func Parse(arguments []string, stderr io.Writer) (r Request, err error) {
	flags := flag.NewFlagSet("starter import", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage); flags.PrintDefaults() }
	flags.BoolVar(&r.DryRun, "dry-run", false, "show what would be done, and write nothing")
	flags.Func("map", "`app.Model=table`: which table a Django model is; can be given several times", r.addMapping)
	flags.BoolVar(&r.Overwrite, "overwrite", false, "replace notifications that are here and different; only for files of starter export")
	flags.BoolVar(&r.Activate, "activate", false, "make them as active as the file says; only for files of starter export")
	var files []string
	for {
		if err := flags.Parse(arguments); err != nil {
			return r, err
		}
		if flags.NArg() == 0 {
			break
		}
		files, arguments = append(files, flags.Arg(0)), flags.Args()[1:] // flags may stand behind the file
	}
	switch {
	case len(files) == 0:
		return r, wrong(stderr, "say which file to import; see starter import --help")
	case len(files) > 1:
		return r, wrong(stderr, "one file at a time: %q is not understood", files[1])
	case files[0] == "":
		return r, wrong(stderr, "the file's name is empty")
	}
	r.File = files[0]
	return r, nil
}

// addMapping reads one --map.
func (r *Request) addMapping(text string) error {
	model, table, found := strings.Cut(text, "=")
	app, name, dotted := strings.Cut(model, ".")
	if !found || !dotted || app == "" || name == "" || strings.Contains(name, ".") || table == "" {
		return errors.New("write app.Model=table, such as shop.Order=orders")
	}
	for _, m := range r.Mappings {
		if strings.EqualFold(m.Model, model) && m.Table != table {
			return fmt.Errorf("%s is %s already", m.Model, m.Table)
		}
	}
	r.Mappings = append(r.Mappings, Mapping{Model: model, Table: table})
	return nil
}

func wrong(stderr io.Writer, format string, arguments ...any) error {
	fmt.Fprintf(stderr, "starter: "+format+"\n", arguments...)
	return errUsage
}
