package store

// MigrationProvider lets tests go through the versions one by one.
var MigrationProvider = migrationProvider

// SearchWindow is how many rows a search looks at at once.
const SearchWindow = window
