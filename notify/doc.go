// Package notify is the gorm plugin that turns saves and deletes of registered models into events: rows of the outbox,
// written in the very transaction of the change. They are there when it commits, and were never there when it rolls back.
//
//	plugin := notify.New(notify.Options{})
//	err := db.Use(plugin)
//	err = plugin.Register(&Customer{}, &Order{})
//	defer plugin.Close()
//
// # What is captured
//
// Every Create, Save, Update, Updates, UpdateColumn(s) and Delete that gorm runs on a registered model's table: one row
// or a slice, in batches, from structs or maps, with any Where (one event a row), upserts (creates and updates told
// apart), soft deletes (a delete), associations. An event holds the row after the change (doc) and before it (old_doc),
// in full and as stored. A change that no active notification waits for costs no query.
//
// # What is not captured
//
// SQL that gorm does not build (db.Exec("UPDATE …"), triggers, other programs), and work done with a context from Skip.
// Such a program reports its changes by the REST API instead.
//
// An update on Postgres can match a row that another transaction changed between the plugin's look and the statement;
// its event then has no old_doc. That is so only where one statement cannot do both: on a table with triggers, or whose
// primary key is not the model's, and in an update with a FROM or RETURNING of its own or that changes the key.
//
// # Struct tags
//
// `notify:"-"` keeps a column, such as a password hash, out of the catalog and out of every snapshot.
// `notify:"label:…"` and `notify:"type:decimal"` overrule what the catalog derives.
//
// # The connection pool
//
// So that a message leaves at once and not a quarter of a second later, the plugin wraps gorm's ConnPool to hear of
// commits. Code that asserts tx.Statement.ConnPool.(*sql.Tx) must set Options.LeaveConnPool.
package notify
