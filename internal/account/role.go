// Package account keeps who may use the console and the API: people with their roles, and tokens with their scopes.
package account

import "slices"

// Role says what a person may do. Each role may do all that the ones before it may.
type Role string

// The roles.
const (
	// Viewer sees everything and changes nothing.
	Viewer Role = "viewer"
	// Editor also writes notifications and lists, sends tests, hands deliveries over again and resolves errors.
	Editor Role = "editor"
	// Admin also decides who else may do so.
	Admin Role = "admin"
)

// Roles lists every role, the least first.
var Roles = []Role{Viewer, Editor, Admin}

// Allows says whether the role may do what least is needed for. An unknown role may do nothing.
func (r Role) Allows(least Role) bool {
	mine, needed := slices.Index(Roles, r), slices.Index(Roles, least)
	return mine >= 0 && needed >= 0 && mine >= needed
}
