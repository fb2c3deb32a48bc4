package temporalserver

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx", for creating the two databases
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	temporalsql "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql" // the plugin "postgres12_pgx"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/schema"
	postgresschema "go.temporal.io/server/schema/postgresql/v12"
)

const (
	postgresPlugin = "postgres12_pgx"
	// postgresShards are the history shards on Postgres, which takes many writers; it can never be changed afterwards.
	postgresShards = 4
	// postgresConnections are those of each of the two databases.
	postgresConnections = 20
)

// openPostgres makes the databases <name> and <name>_visibility, unless they are there, and lays down their tables.
func openPostgres(ctx context.Context, databaseURL string) (stores, error) {
	address, err := url.Parse(databaseURL)
	if err != nil || address.Hostname() == "" || strings.Trim(address.Path, "/") == "" {
		return stores{}, errors.New("the database of Temporal must look like postgres://user:password@host:port/name")
	}
	name := strings.Trim(address.Path, "/")
	s := stores{main: inPostgres(address, name), visibility: inPostgres(address, name+"_visibility"), shards: postgresShards}
	for _, store := range []struct {
		config          *config.SQL
		schema, version string
	}{
		{s.main, "postgresql/v12/temporal", postgresschema.Version},
		{s.visibility, "postgresql/v12/visibility", postgresschema.VisibilityVersion},
	} {
		if err := createPostgres(ctx, address, store.config.DatabaseName); err != nil {
			return stores{}, fmt.Errorf("create the database %s: %w", store.config.DatabaseName, err)
		}
		if err := createTables(store.config, store.schema, store.version); err != nil {
			return stores{}, fmt.Errorf("prepare the database %s: %w", store.config.DatabaseName, err)
		}
	}
	return s, nil
}

func inPostgres(address *url.URL, name string) *config.SQL {
	password, _ := address.User.Password()
	port := address.Port()
	if port == "" {
		port = "5432"
	}
	return &config.SQL{
		PluginName: postgresPlugin, DatabaseName: name, User: address.User.Username(), Password: password,
		ConnectProtocol: "tcp", ConnectAddr: net.JoinHostPort(address.Hostname(), port),
		MaxConns: postgresConnections, MaxIdleConns: postgresConnections,
	}
}

// createPostgres creates a database through the one that every server has.
func createPostgres(ctx context.Context, address *url.URL, name string) error {
	maintenance := *address
	maintenance.Path = "/postgres"
	db, err := sql.Open("pgx", maintenance.String())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var exists bool
	if err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = db.ExecContext(ctx, `CREATE DATABASE "`+strings.ReplaceAll(name, `"`, `""`)+`"`)
	return err
}

// createTables lays down the server's own schema of its present version in an empty database.
func createTables(store *config.SQL, folder, version string) error {
	db, err := temporalsql.NewSQLAdminDB(sqlplugin.DbKindUnknown, store, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	tables, err := db.ListTables(store.DatabaseName)
	if err != nil || len(tables) > 0 {
		return err
	}
	statements, err := statementsOf(folder)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if err := db.Exec(statement); err != nil {
			return err
		}
	}
	if err := db.CreateSchemaVersionTables(); err != nil {
		return err
	}
	return db.UpdateSchemaVersion(store.DatabaseName, version, version)
}

func statementsOf(folder string) ([]string, error) {
	content, err := fs.ReadFile(schema.Assets(), folder+"/schema.sql")
	if err != nil {
		return nil, err
	}
	return persistence.LoadAndSplitQueryFromReaders([]io.Reader{bytes.NewReader(content)})
}
