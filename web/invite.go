package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/internal/wiring"
	"github.com/silquetech/silque-notifications/web/access"
)

// byCommand is who the audit log names for what this command does.
const byCommand = "web invite"

// tellFirst says how to make the first admin, where nobody can sign in yet.
func tellFirst(ctx context.Context, db *gorm.DB, log *slog.Logger) error {
	needs, err := (account.Users{DB: db}).NeedsFirst(ctx)
	if err == nil && needs {
		log.Warn("Nobody can sign in to the console yet: make the first admin with the command \"web invite --email you@example.com --role admin\", " +
			"with the same settings, and open the link that it prints")
	}
	return err
}

// invitation is what the command line asks for.
type invitation struct{ email, name, role string }

// runInvite prints a link with which somebody sets their password: a new user, or one who has lost it.
func runInvite(ctx context.Context, arguments, environ []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("web invite", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, "web invite --email ann@example.com prints a link with which Ann sets her password and signs in, once, within 24 hours.\n"+
			"She becomes a user if she is none yet, and is activated if she was deactivated. The settings are the web app's.\n\nFlags:\n")
		flags.PrintDefaults()
	}
	var asked invitation
	flags.StringVar(&asked.email, "email", "", "`address` that the person signs in with")
	flags.StringVar(&asked.name, "name", "", "name that others see")
	flags.StringVar(&asked.role, "role", "", "viewer, editor or admin; without it a user keeps theirs, and a new one becomes a viewer (the very first one an admin)")
	if err := flags.Parse(arguments); err != nil {
		return wiring.UsageCode(err)
	}
	role := account.Role(asked.role)
	switch {
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "web invite: %q is not understood; see -help\n", flags.Arg(0))
		return 2
	case asked.email == "":
		fmt.Fprintln(stderr, "web invite: --email is needed; see -help")
		return 2
	case asked.role != "" && !role.Allows(account.Viewer):
		fmt.Fprintln(stderr, "web invite: --role must be one of viewer, editor, admin")
		return 2
	}
	settings, err := config.Load(environ)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if err := invite(ctx, settings, asked, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "web invite:", err)
		return 1
	}
	return 0
}

func invite(ctx context.Context, settings *config.Config, asked invitation, stdout, stderr io.Writer) error {
	db, err := wiring.Database(ctx, settings, wiring.Logger(settings.Notify, stderr))
	if err != nil {
		return err
	}
	defer func() { _ = store.Close(db) }()
	users := account.Users{DB: db}
	user, secret, err := invited(ctx, users, asked)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s (%s) sets a password and signs in with this link, once, within 24 hours:\n\n  %s%s\n\n",
		user.Email, user.Role, reached(settings), access.WelcomePath(secret))
	return nil
}

// invited makes the user, or changes the one who is there, and gives the link's secret.
func invited(ctx context.Context, users account.Users, asked invitation) (*account.User, string, error) {
	role := account.Role(asked.role)
	user, err := users.ByEmail(ctx, asked.email)
	if errors.Is(err, account.ErrNotFound) {
		if role == "" {
			first, err := users.NeedsFirst(ctx)
			if err != nil {
				return nil, "", err
			}
			if role = account.Viewer; first {
				role = account.Admin
			}
		}
		return users.Invite(ctx, asked.email, asked.name, role, byCommand)
	}
	if err != nil {
		return nil, "", err
	}
	if role != "" {
		if _, err := users.SetRole(ctx, user.ID, role, byCommand); err != nil {
			return nil, "", err
		}
	}
	if asked.name != "" {
		if _, err := users.SetName(ctx, user.ID, asked.name, byCommand); err != nil {
			return nil, "", err
		}
	}
	if _, err := users.SetActive(ctx, user.ID, true, byCommand); err != nil {
		return nil, "", err
	}
	return users.InviteAgain(ctx, user.ID, byCommand)
}

// reached is where people reach the web app, as far as the settings say.
func reached(settings *config.Config) string {
	if settings.Access.PublicURL != "" {
		return settings.Access.PublicURL
	}
	host, port, err := net.SplitHostPort(settings.Notify.Addr)
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
