// Command library is a small gorm application with the notify plugin in it: a lending library. It shows all that an
// application of one's own must do, and imports nothing that another module could not.
//
// The plugin's part is in library.go (install, register, close), model.go (struct tags) and loans.go (ordinary saves).
// Nothing else here knows of notifications.
package main
