package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/silquetech/silque-notifications/internal/address"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/django"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/wiring"
)

// runImport gives the exit code: 0 all is here, 1 something could not be carried over, 2 wrong usage.
func runImport(ctx context.Context, settings *config.Config, arguments []string, stdout, stderr io.Writer) int {
	request, err := django.Parse(arguments, stderr)
	if err != nil {
		return wiring.UsageCode(err)
	}
	if err := startImport(ctx, settings, request, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "starter:", err)
		return 1
	}
	return 0
}

// startImport connects to the database alone. A dry run does not even bring its tables up to date.
func startImport(ctx context.Context, settings *config.Config, r django.Request, stdout, stderr io.Writer) error {
	ctx, stop := wiring.UntilStopped(ctx)
	defer stop()
	own, in, err := ownFile(r.File, os.Stdin)
	if err != nil {
		return err
	}
	log := wiring.Logger(settings.Notify, stderr)
	connect := wiring.Database
	if r.DryRun {
		connect = wiring.DatabaseAsItIs
	}
	db, err := connect(ctx, settings, log)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close(db) }()
	if own != nil {
		return importOwn(ctx, db, settings, own, r, stdout)
	}
	return django.Run(ctx, django.Config{
		DB: db, Addresses: address.Normalizer{DefaultRegion: settings.Notify.DefaultRegion}, Rules: wiring.Rules(settings), In: in, Out: stdout,
	}, r)
}
