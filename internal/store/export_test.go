package store

// MigrationProvider lets tests go through the versions one by one.
var MigrationProvider = migrationProvider
