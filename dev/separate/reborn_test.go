package separate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/dev/shop"
	"github.com/silquetech/silque-notifications/dev/temporalserver"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/notify"
)

// These turn the test binary into another program: only a process of its own can be killed.
const (
	as       = "SILQUE_TEST_AS"
	asAddr   = "SILQUE_TEST_ADDR"
	asFolder = "SILQUE_TEST_FOLDER"
	asNumber = "SILQUE_TEST_NUMBER"

	asTemporal = "temporal"
	// The business application, which dies when its change is committed, or in the middle of its transaction.
	asShopCommitted = "shop, committed"
	asShopOpen      = "shop, in its transaction"
)

// be is the other program; it gives the exit code.
func be(program string) int {
	var err error
	switch program {
	case asTemporal:
		err = beTemporal()
	case asShopCommitted, asShopOpen:
		err = beShop(program)
	default:
		err = errors.New("unknown program " + program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// beTemporal serves a folder until its input ends, which it does when the test dies.
func beTemporal() error {
	server, err := temporalserver.Start(context.Background(), temporalserver.Options{
		Addr: os.Getenv(asAddr), Dir: os.Getenv(asFolder), Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	fmt.Println(serves)
	_, _ = io.Copy(io.Discard, os.Stdin)
	server.Stop()
	return nil
}

// serves is what a Temporal says when it can be used.
const serves = "it serves"

// beShop saves a customer, and dies of it by the signal that nothing can catch.
func beShop(program string) error {
	db, err := store.Open(os.Getenv("DATABASE_URL"), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	die := func() { _ = kill(os.Getpid()) }
	options := notify.Options{SkipMigrations: true, Logger: slog.New(slog.DiscardHandler)}
	if program == asShopCommitted {
		options.AfterCommit = die // nobody is nudged yet
	}
	plugin := notify.New(options)
	if err := db.Use(plugin); err != nil {
		return err
	}
	if err := plugin.Register(shop.Models()...); err != nil {
		return err
	}
	number, err := strconv.Atoi(os.Getenv(asNumber))
	if err != nil {
		return err
	}
	row := &shop.Customer{Name: "Customer", Email: customer(number)}
	if program == asShopCommitted {
		err = db.Create(row).Error
	} else {
		row.Email = undone(number)
		err = db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(row).Error; err != nil {
				return err
			}
			die()
			return nil
		})
	}
	return errors.Join(err, errors.New("it is still alive"))
}

func kill(process int) error {
	p, err := os.FindProcess(process)
	if err != nil {
		return err
	}
	if err := p.Kill(); err != nil {
		return err
	}
	select {} // until the signal is there
}

// reborn is the test binary as another program.
func reborn(t testing.TB, program string, environ ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	must(t, err)
	command := exec.Command(binary)
	command.Env = append(os.Environ(), as+"="+program)
	command.Env = append(command.Env, environ...)
	return command
}

// temporalApart is a Temporal of its own process, which keeps its data in files.
type temporalApart struct {
	*running
	addr, folder string
}

// begin starts it, or starts it again on what it left behind.
func (a *temporalApart) begin(t testing.TB) {
	t.Helper()
	command := reborn(t, asTemporal, asAddr+"="+a.addr, asFolder+"="+filepath.Clean(a.folder))
	input, err := command.StdinPipe()
	must(t, err)
	t.Cleanup(func() { _ = input.Close() })
	a.running = launch(t, "Temporal", command)
	until(t, "Temporal serves", func() (bool, error) {
		return a.says(serves), nil
	})
}
