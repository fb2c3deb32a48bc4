package config

import (
	"fmt"
	"strings"
)

// Attachments says which files may go with messages.
type Attachments struct {
	Dirs     []string `env:"NOTIFY_ATTACHMENT_DIRS" desc:"Directories whose files may go with emails: absolute paths, separated by commas; empty: none"`
	Hosts    []string `env:"NOTIFY_ATTACHMENT_HOSTS" desc:"Hosts from which files for emails may be downloaded, separated by commas: files.example.com or files.example.com:8443 by https, http://files.example.com by http; empty: none"`
	Networks []string `env:"NOTIFY_ATTACHMENT_NETWORKS" desc:"Private networks in which those hosts may be, separated by commas: 10.0.0.0/8 or 10.0.0.7; empty: a host's name must lead to a public address"`
	MaxSize  Size     `env:"NOTIFY_ATTACHMENT_MAX_SIZE" envDefault:"10MiB" desc:"One file of an email at most, at most 100MiB; all of an email together: twice that"`
}

// maxAttachment keeps what a worker holds in memory for one message within bounds.
const maxAttachment = 100 * MiB

// MaxTotal is the size of all files of one message at most.
func (a Attachments) MaxTotal() int64 { return 2 * int64(a.MaxSize) }

// check leaves the form of directories and hosts to the package that uses them.
func (a Attachments) check() []error {
	if a.MaxSize < 1 || a.MaxSize > maxAttachment {
		return []error{fmt.Errorf("NOTIFY_ATTACHMENT_MAX_SIZE must be 1B to %s", maxAttachment)}
	}
	return nil
}

// trimmed gives the entries of a list without the spaces around them, and without those that are empty: a comma at the
// end is no entry.
func trimmed(list []string) []string {
	var kept []string
	for _, entry := range list {
		if entry = strings.TrimSpace(entry); entry != "" {
			kept = append(kept, entry)
		}
	}
	return kept
}
