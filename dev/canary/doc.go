// Package canary plants secrets and personal data that can be found anywhere again, lets the whole stack go through what
// goes right and wrong, and then searches everything that was written. It holds tests only.
package canary
