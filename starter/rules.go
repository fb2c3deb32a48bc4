package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/django"
	"github.com/silquetech/silque-notifications/internal/ruleset"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/wiring"
	"github.com/silquetech/silque-notifications/rules"
)

const exportUsage = `starter export FILE writes all notifications and saved lists to a file ("-" is standard output);
starter import FILE reads such a file.
`

// runExport gives the exit code: 0 written, 1 failed, 2 wrong usage.
func runExport(ctx context.Context, settings *config.Config, arguments []string, stdout, stderr io.Writer) int {
	if len(arguments) != 1 || arguments[0] == "" || arguments[0][0] == '-' && arguments[0] != "-" {
		fmt.Fprint(stderr, exportUsage)
		if len(arguments) == 1 && (arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "-help") {
			return 0
		}
		return 2
	}
	if err := export(ctx, settings, arguments[0], stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "starter:", err)
		return 1
	}
	return 0
}

// export reads everything before it writes: a failure leaves a file that is there as it was.
func export(ctx context.Context, settings *config.Config, file string, stdout, stderr io.Writer) error {
	db, err := wiring.DatabaseAsItIs(ctx, settings, wiring.Logger(settings.Notify, stderr))
	if err != nil {
		return err
	}
	defer func() { _ = store.Close(db) }()
	var content bytes.Buffer
	count, err := ruleSet(db, settings).Export(ctx, &content, nil)
	if err != nil {
		return err
	}
	if file == "-" {
		_, err = content.WriteTo(stdout)
		return err
	}
	if err := os.WriteFile(file, content.Bytes(), 0o600); err != nil { //nolint:gosec // the operator names the file; it may hold addresses
		return err
	}
	fmt.Fprintf(stdout, "%d notifications written to %s\n", count, file)
	return nil
}

func ruleSet(db *gorm.DB, settings *config.Config) ruleset.Set {
	return ruleset.Set{DB: db, Options: rules.Options{
		Addresses: address.Normalizer{DefaultRegion: settings.Notify.DefaultRegion}, Settings: wiring.Rules(settings),
	}}
}

// ownFile reads a file if it is one of this program's own; otherwise it gives what standard input still holds.
func ownFile(name string, stdin io.Reader) (own *ruleset.File, in io.Reader, err error) {
	if name == "-" {
		content, err := ruleset.Content(stdin)
		var large *ruleset.FormatError
		if errors.As(err, &large) {
			return nil, io.MultiReader(bytes.NewReader(content), stdin), nil
		}
		if err != nil || !ruleset.Recognises(content) {
			return nil, bytes.NewReader(content), err
		}
		own, err = ruleset.Parse(content)
		return own, nil, err
	}
	opened, err := os.Open(name)
	if err != nil {
		return nil, stdin, nil // the other import says so
	}
	defer func() { _ = opened.Close() }()
	head := make([]byte, 4096)
	n, _ := io.ReadFull(opened, head)
	if !ruleset.Recognises(head[:n]) {
		return nil, stdin, nil
	}
	own, err = ruleset.Read(io.MultiReader(bytes.NewReader(head[:n]), opened))
	return own, nil, err
}

// importOwn carries a file of this program's own over.
func importOwn(ctx context.Context, db *gorm.DB, settings *config.Config, f *ruleset.File, r django.Request, stdout io.Writer) error {
	return ruleSet(db, settings).Run(ctx, f, ruleset.Command{
		Options: ruleset.Options{Overwrite: r.Overwrite, Activate: r.Activate}, DryRun: r.DryRun, By: "import", Out: stdout,
	})
}
